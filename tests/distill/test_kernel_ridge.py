"""The teacher's kernel ridge with severity ladders: it is the least of its objective, and degraded photos score low."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize

from distill.teacher.kernel_ridge import PENALTY, KernelRidge, add_source_means, fit_kernel_ridge, ridge_weights
from distill.training.features import LadderFeatures


def test_weights_are_what_a_general_minimizer_finds() -> None:
    draw = np.random.default_rng(0)
    points = draw.normal(size=(26, 3))
    kernel = np.exp(-0.5 * np.square(points[:, None] - points).sum(2))
    scores, pairs = draw.normal(size=14), np.array([[14 + 2 * i, 15 + 2 * i] for i in range(6)])
    ranking, margin = 2.0, 0.4

    def objective(weight: np.ndarray) -> float:
        seen = kernel @ weight
        hinges = np.maximum(0, margin - (seen[pairs[:, 0]] - seen[pairs[:, 1]]))
        errors = np.square(seen[:14] - scores).sum() + ranking * np.square(hinges).sum()
        return errors + PENALTY * weight @ kernel @ weight

    least = minimize(objective, np.zeros(26), method="BFGS", options={"gtol": 1e-7})
    found = ridge_weights(torch.tensor(kernel), torch.tensor(scores), torch.tensor(pairs), ranking, margin).numpy()
    assert abs(objective(found) - least.fun) < 1e-5 * least.fun
    seen = kernel @ found
    beyond = seen[pairs[:, 0]] - seen[pairs[:, 1]] > margin
    assert beyond.any() and not beyond.all(), "some pairs must have left the margin, or the test shows nothing"


def test_a_source_has_a_mean_of_its_own_that_costs_what_its_variance_says() -> None:
    draw = np.random.default_rng(0)
    points, sources = draw.normal(size=(20, 3)), np.repeat(["one", "two"], 10)
    kernel = np.exp(-0.5 * np.square(points[:, None] - points).sum(2))
    scores, variance = draw.normal(size=20) + 3 * (sources == "two"), 0.7

    def objective(unknown: np.ndarray) -> float:
        weight, means = unknown[:20], unknown[20:]
        errors = np.square(kernel @ weight + means[(sources == "two").astype(int)] - scores).sum()
        return errors + PENALTY * (weight @ kernel @ weight + np.square(means).sum() / variance)

    least = minimize(objective, np.zeros(22), method="BFGS", options={"gtol": 1e-7})
    shared = torch.tensor(kernel)
    add_source_means(shared, sources, variance)
    found = ridge_weights(shared, torch.tensor(scores), torch.zeros(0, 2, dtype=torch.long)).numpy()
    assert np.abs(kernel @ found - kernel @ least.x[:20]).max() < 1e-4
    assert abs(least.x[21]) > 0.5, "a source must have a mean, or the test shows nothing"


def test_what_only_tells_two_sources_apart_counts_less_where_sources_are_known() -> None:
    draw = torch.Generator().manual_seed(0)
    place = torch.arange(400) % 2
    photos = torch.randn(400, 5, generator=draw)
    photos[:, 1] += 6 * place
    scores = 0.5 + 0.1 * photos[:, 0] + 0.3 * place
    taught, told = fit_kernel_ridge(photos, scores), fit_kernel_ridge(photos, scores, sources=place.numpy())
    middle = photos.mean(0).repeat(2, 1)

    def effect(ridge: KernelRidge, feature: int) -> float:
        pair = middle.clone()
        pair[:, feature] += torch.tensor([-1.0, 1.0]) * photos[:, feature].std()
        low, high = ridge(pair).tolist()
        return high - low

    assert effect(told, 1) < effect(taught, 1) and effect(told, 0) > 0.9 * effect(taught, 0) > 0


def test_copies_far_from_every_scored_photo_fall_below_the_mean_only_with_ladders() -> None:
    draw = torch.Generator().manual_seed(0)
    photos = torch.randn(80, 6, generator=draw)
    scores = torch.sigmoid(photos[:, 0])
    direction = torch.tensor([0.0, 0, 0, 0, 0, 6])
    clean = torch.randn(12, 6, generator=draw)
    levels = [clean + step * direction for step in range(6)]
    rows = torch.arange(72).reshape(6, 12)
    pairs = torch.stack([rows[:-1].flatten(), rows[1:].flatten()], dim=1)
    ladders = LadderFeatures(torch.cat(levels), torch.zeros(72, 6), pairs)
    unseen = torch.randn(20, 6, generator=draw) + 5 * direction
    alone, taught = fit_kernel_ridge(photos, scores), fit_kernel_ridge(photos, scores, ladders)
    assert (alone(unseen) - scores.mean()).abs().max() < 0.05
    assert (taught(unseen) < scores.mean() - 0.05).all()
    assert torch.corrcoef(torch.stack([taught(photos), scores]))[0, 1] > 0.9


def test_each_part_of_the_features_counts_alike_however_wide_it_is() -> None:
    draw = torch.Generator().manual_seed(0)
    wide, narrow = torch.randn(60, 8, generator=draw), torch.randn(60, 2, generator=draw)
    scores = torch.sigmoid(wide[:, 0] + narrow[:, 0])
    both = torch.cat([wide, narrow], dim=1)
    repeated = torch.cat([wide, narrow.repeat(1, 4)], dim=1)
    as_parts = fit_kernel_ridge(both, scores, widths=[8, 2])(both)
    assert torch.allclose(as_parts, fit_kernel_ridge(repeated, scores)(repeated), atol=1e-5)
    assert not torch.allclose(as_parts, fit_kernel_ridge(both, scores)(both), atol=1e-3)
