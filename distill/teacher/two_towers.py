"""A two-tower model as the teacher takes it, whatever built it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pocketiqa.preprocess import PreprocessSpec
from torch import nn


class TeacherError(ValueError):
    """A teacher cannot be built; the message says what was given, what is allowed and what to do."""


@dataclass(frozen=True)
class TwoTowers:
    """An open_clip model, its tokenizer (list of n texts to int64 n×L), and the mean and std it was trained with.

    ``input`` says how a photo becomes the views whose embeddings are averaged.
    """

    model: nn.Module
    tokenize: Callable[[list[str]], torch.Tensor]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input: PreprocessSpec
