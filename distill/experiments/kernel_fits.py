"""Kernel ridge regression in parts, for experiments that fit many kernels to one set of photos.

Distances are computed once; a kernel of any width, on any part of the features, and for any photos left out follows
from them.
"""

from __future__ import annotations

import numpy as np
import torch
from tqdm import tqdm

from distill.training.standardization import Standardization

_COLUMNS = 1536  # of the features at once, so that no second copy of all of them is held


def squared_distances(known: torch.Tensor, asked: list[torch.Tensor], over: int | None = None) -> torch.Tensor:
    """Mean squared difference over features: float32 m×n of ``asked``, m×d in all, to ``known`` n×d.

    They are standardized over the first ``over`` of ``known``; by default over all.
    """
    rows = sum(map(len, asked))
    products, squares, known_squares = torch.zeros(rows, len(known)), torch.zeros(rows), torch.zeros(len(known))
    for start in tqdm(range(0, known.shape[1], _COLUMNS), desc="kernel"):
        part = known[:, start : start + _COLUMNS].float()
        standardize = Standardization(part[:over])
        part = standardize(part)
        other = standardize(torch.cat([one[:, start : start + _COLUMNS].float() for one in asked]))
        products.addmm_(other, part.t())
        squares += other.square().sum(1)
        known_squares += part.square().sum(1)
    return (squares[:, None] + known_squares - 2 * products) / known.shape[1]


def fit_weights(kernel: torch.Tensor, scores: torch.Tensor, groups: np.ndarray, penalty: float) -> torch.Tensor:
    """Weights n of the ridge whose groups have unpenalized means, by generalized least squares; changes ``kernel``."""
    kernel.diagonal().add_(penalty)
    members = torch.from_numpy(groups[:, None] == np.unique(groups)).float()
    triangle = torch.linalg.cholesky(kernel)
    solved = torch.cholesky_solve(torch.cat([members, scores[:, None]], dim=1), triangle)
    ones, answers = solved[:, :-1], solved[:, -1]
    return answers - ones @ torch.linalg.solve(members.t() @ ones, members.t() @ answers)


def left_out_and_outside(
    kernel: torch.Tensor,
    scores: torch.Tensor,
    groups: np.ndarray,
    penalty: float,
    left_out: list[np.ndarray],
    outside: list[int],
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Scores of each part left out by a fit to the others, and of each set outside by a fit to all.

    Args:
        kernel: (n + m)×n, of n photos and then of m outside; it stays as it is.
        scores: n, people's.
        groups: n; each has an unpenalized mean.
        penalty: of the ridge.
        left_out: masks of the n photos.
        outside: how many photos each set outside has, m in all.
    """
    n = len(scores)

    def fitted(rows: torch.Tensor, known: np.ndarray) -> np.ndarray:
        weight = fit_weights(kernel[:n][known][:, known], scores[known], groups[known], penalty)
        return (rows[:, known] @ weight).numpy()

    beyond = fitted(kernel[n:], np.ones(n, dtype=bool)) if outside else np.zeros(0)
    return (
        [fitted(kernel[:n][here], ~here) for here in left_out],
        np.split(beyond, np.cumsum(outside)[:-1]) if outside else [],
    )
