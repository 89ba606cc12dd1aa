"""Stage A's losses: a teacher without human scores learns what a harder degradation means for the prompts.

After QualiCLIP (arXiv 2403.11176): two overlapping crops of a pristine photo, each degraded with L levels of one
kind. No training code was published; the sums of the paper are means here, so that a weight does not depend on the
number of levels or pairs. Symmetric negatives are after TripletCLIP (Patel et al., NeurIPS 2024).

Shapes: ``similarity`` is float B×L×2×P, the cosine of B photos' crops (levels mildest first, two crops) with one
side of P antonym pairs.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy


def consistency_loss(similarity: torch.Tensor, margin: float) -> torch.Tensor:
    """Two crops of one level look alike: 0 where their similarities differ by ``margin`` at most."""
    first, second = similarity.unbind(2)
    return torch.relu((first - second).abs() - margin).mean()


def level_ranking_loss(milder_minus_harsher_sign: int, similarity: torch.Tensor, margin: float) -> torch.Tensor:
    """Similarity changes along the levels in one direction, between all crops of every two levels.

    Args:
        milder_minus_harsher_sign: 1 for positive prompts, whose similarity falls as the level rises; -1 for negative.
        similarity: B×L×2×P, L ≥ 2.
        margin: by which a milder level must differ from each harsher one.

    Raises:
        ValueError: fewer than two levels.
    """
    levels = similarity.shape[1]
    if levels < 2:
        raise ValueError(f"a ranking over levels needs two or more, given {levels}")
    milder, harsher = torch.triu_indices(levels, levels, offset=1, device=similarity.device)
    # B×pairs×2×1×P against B×pairs×1×2×P: every crop of the one against every crop of the other.
    difference = similarity[:, milder].unsqueeze(3) - similarity[:, harsher].unsqueeze(2)
    return torch.relu(margin - milder_minus_harsher_sign * difference).mean()


def symmetric_negatives_loss(
    clean: torch.Tensor, degraded: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, scale: float
) -> torch.Tensor:
    """The clean photo belongs to the positive prompt and its degraded copy to the negative one, asked both ways.

    Args:
        clean: unit embeddings B×D.
        degraded: unit embeddings B×D of the same photos.
        positive: unit embeddings P×D.
        negative: unit embeddings P×D, the antonyms.
        scale: of the cosines before the softmax.

    Returns:
        Cross-entropy, image to text and text to image; towards 0 as each finds its own.
    """
    images, texts = torch.stack([clean, degraded], dim=1), torch.stack([positive, negative], dim=1)
    logits = scale * torch.einsum("bid,pjd->bpij", images, texts).flatten(0, 1)
    own = torch.arange(2, device=logits.device).expand(len(logits), 2)
    return (cross_entropy(logits, own) + cross_entropy(logits.transpose(1, 2), own)) / 2
