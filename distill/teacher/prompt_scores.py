"""What unit embeddings say about the prompts: a score, pairs, attributes and grades.

Antonym scoring is QualiCLIP's and CLIP-IQA's: the mean over pairs of the positive prompt's softmax over ``100·cos``.
Graded scoring is LIQE's: the expected place of the photo among five words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from distill.teacher.prompts import PromptSet

Scoring = Literal["antonyms", "grades", "both"]
LOGIT_SCALE = 100.0  # CLIP's own, at which its training clips it


@dataclass(frozen=True)
class PromptScores:
    """What B unit embeddings say about the prompts.

    Attributes:
        score: float32 B in [0, 1], higher is better.
        pairs: float32 B×7 in [0, 1], the probability of each antonym pair's positive prompt.
        attributes: float32 B×6 in [0, 1], the same for the attributes' pairs.
        grades: float32 B×5, a distribution over the graded prompts, worst first.
        embedding: float32 B×D of length 1.
    """

    score: torch.Tensor
    pairs: torch.Tensor
    attributes: torch.Tensor
    grades: torch.Tensor
    embedding: torch.Tensor


def prompt_scores(
    embedding: torch.Tensor, text: torch.Tensor, scoring: Scoring, prompts: PromptSet | None = None
) -> PromptScores:
    """Compare unit embeddings, B×D, with the prompts' unit embeddings, N×D in the order of ``PromptSet.texts``.

    The student's projected embedding is read by the same function, with the teacher's ``text`` as constants: it
    needs no text tower.
    """
    prompts = prompts or PromptSet()
    logits = LOGIT_SCALE * embedding @ text.t()
    opposed = 2 * len(prompts.pairs) + 2 * len(prompts.attributes)
    positive, negative = logits[:, 0:opposed:2], logits[:, 1:opposed:2]
    probability = torch.sigmoid(positive - negative)  # the softmax over two
    pairs, attributes = probability[:, : len(prompts.pairs)], probability[:, len(prompts.pairs) :]
    grades = logits[:, opposed:].softmax(dim=1)
    by_pairs = pairs.mean(1)
    by_grades = grades @ torch.linspace(0, 1, grades.shape[1], device=grades.device, dtype=grades.dtype)
    score = {"antonyms": by_pairs, "grades": by_grades, "both": (by_pairs + by_grades) / 2}[scoring]
    return PromptScores(score, pairs, attributes, grades, embedding)
