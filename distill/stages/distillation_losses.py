"""Stage C's losses: the student takes over what the teacher sees, says, scores and prefers.

After "Visual-language model knowledge distillation for image quality assessment" (arXiv 2507.15680), whose formulas
are not in readable sources; each term is the closest specified piece. Every term returns one value a photo, so that
the teacher's confidence can weigh photos; ``losses.fidelity_loss`` is the pairwise term.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import isotonic_regression

_TINY = 1e-6


def embedding_mse(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """B squared errors, each the mean over D, between unit embeddings B×D (CLIP-KD, Yang et al., CVPR 2024).

    ``2 / D · (1 - cos)``: the angle is no term of its own.
    """
    return (student - teacher).square().mean(1)


def grade_divergence(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """B divergences KL(teacher ‖ student) between distributions B×G over the graded prompts."""
    ratio = (teacher + _TINY).log() - (student + _TINY).log()
    return (teacher * ratio).sum(1).clamp_min(0)


def pair_divergence(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """B divergences, each the mean over P antonym pairs, between probabilities B×P of the positive prompts."""
    two_sided = [torch.stack([p, 1 - p], dim=-1).flatten(0, 1) for p in (student, teacher)]
    return grade_divergence(*two_sided).unflatten(0, student.shape).mean(1)


def confidence(grades: torch.Tensor) -> torch.Tensor:
    """How sure the teacher is, B values in [0, 1]: 1 minus the entropy of its grades B×G over the largest possible.

    A photo about which the teacher has nothing to say weighs little (after QGFace's gate).
    """
    entropy = -(grades * (grades + _TINY).log()).sum(1)
    return (1 - entropy / torch.tensor(float(grades.shape[1])).log()).clamp(0, 1)


def privileged_scores(scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """A teacher's scores along a ladder, made to fall: what it would say had it seen the reference.

    The student sees one degraded photo; the teacher may know the pristine one and the level (after CKDN, Zheng et
    al., AAAI 2021). Knowing both, no harsher level can be better than a milder one: the nearest falling sequence is
    isotonic regression.

    Args:
        scores: float n, level 0 (the reference) first.
        weights: float n, the trust in each; equal by default.

    Returns:
        float64 n, never rising.
    """
    falling = isotonic_regression(np.asarray(scores, dtype=np.float64), weights=weights, increasing=False).x
    return np.ascontiguousarray(falling)
