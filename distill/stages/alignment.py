"""Stage A: the teacher learns from degradations alone what its prompts mean. No human score is used.

After QualiCLIP (arXiv 2403.11176): two overlapping crops of a pristine photo, each degraded with rising levels of
one kind; three margin ranking losses. Two switches beyond it: symmetric negatives (TripletCLIP) and, for kinds that
harm one attribute, the same rankings on that attribute's own pair.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from distill.data.training_photos import read_photo
from distill.degradations.degrade import DEGRADATIONS, KINDS, LEVELS, degrade
from distill.networks.student import ATTRIBUTES
from distill.stages.alignment_losses import consistency_loss, level_ranking_loss, symmetric_negatives_loss
from distill.teacher.prompt_scores import LOGIT_SCALE
from distill.teacher.prompts import PromptSet
from distill.teacher.teacher import Teacher
from distill.training.trainer import Objective


@dataclass(frozen=True)
class AlignmentConfig:
    """What stage A asks of the teacher. A weight of 0 switches a term off.

    Attributes:
        crop: side of a crop in pixels.
        overlap: smallest share of its side that the second crop has in common with the first.
        levels: of degradation in one step, evenly chosen from the five.
        margin_consistency: cosine difference that two crops of one level may have.
        margin_ranking: cosine difference that two levels must have.
        consistency: weight of the agreement of crops.
        positive: weight of the ranking by positive prompts.
        negative: weight of the ranking by negative prompts.
        attributes: weight of both rankings by the harmed attribute's own pair.
        symmetric: weight of the symmetric negatives.
    """

    crop: int = 224
    overlap: float = 0.5
    levels: int = 5
    margin_consistency: float = 0.01
    margin_ranking: float = 0.02
    consistency: float = 1.0
    positive: float = 1.0
    negative: float = 1.0
    attributes: float = 0.0
    symmetric: float = 0.0


class AlignmentStage(Objective):
    """Rows are pristine photos; a batch is B × (clean, then levels) × 2 crops."""

    def __init__(self, teacher: Teacher, photos: list[Path], config: AlignmentConfig) -> None:
        super().__init__()
        self.teacher, self.photos, self.config = teacher, photos, config
        teacher.unfreeze()
        places = np.linspace(0, len(LEVELS) - 1, config.levels).round().astype(int)
        self._levels = [LEVELS[place] for place in places]

    def groups(self) -> list[list[int]]:
        """Every photo in one group: cosines of different photos are never compared."""
        return [list(range(len(self.photos)))]

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        """``images`` B×(1+L)×2×3×S×S, and ``attribute`` B, the index of the attribute harmed or -1."""
        draw = random.Random(seed)
        images, attributes = [], []
        for row in rows:
            kind = draw.choice(KINDS)
            crops = torch.stack(self._two_crops(self.photos[row], draw))
            ladder = [crops] + [degrade(crops, kind, level, draw.getrandbits(30)) for level in self._levels]
            images.append(torch.stack(ladder))
            harmed = DEGRADATIONS[kind].attribute
            attributes.append(-1 if harmed is None else ATTRIBUTES.index(harmed))
        return {"images": torch.stack(images), "attribute": torch.tensor(attributes)}

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Losses over the levels; the clean crops take part in the symmetric negatives alone.

        Some mild kinds please (contrast, sharpening): the mildest level need not be worse than the clean photo.
        """
        config, shape = self.config, batch["images"].shape[:3]
        embedding = self.teacher.embed(batch["images"].flatten(0, 2)).unflatten(0, shape)
        text = self.teacher.text()
        pairs = len(PromptSet().pairs)
        positive, negative = text[0 : 2 * pairs : 2], text[1 : 2 * pairs : 2]
        by_positive, by_negative = embedding[:, 1:] @ positive.t(), embedding[:, 1:] @ negative.t()
        crops_agree = consistency_loss(torch.cat([by_positive, by_negative], dim=-1), config.margin_consistency)
        losses = {
            "consistency": config.consistency * crops_agree,
            "positive": config.positive * level_ranking_loss(1, by_positive, config.margin_ranking),
            "negative": config.negative * level_ranking_loss(-1, by_negative, config.margin_ranking),
        }
        harmed = batch["attribute"] >= 0
        if config.attributes and harmed.any():
            own = 2 * pairs + 2 * batch["attribute"][harmed]
            rankings = [
                level_ranking_loss(
                    sign,
                    torch.einsum("blcd,bd->blc", embedding[harmed, 1:], text[own + side]).unsqueeze(-1),
                    config.margin_ranking,
                )
                for side, sign in enumerate((1, -1))
            ]
            losses["attributes"] = config.attributes * sum(rankings)
        if config.symmetric:
            clean, harshest = embedding[:, 0].flatten(0, 1), embedding[:, -1].flatten(0, 1)
            losses["symmetric"] = config.symmetric * symmetric_negatives_loss(
                clean, harshest, positive, negative, LOGIT_SCALE
            )
        return losses

    def _two_crops(self, photo: Path, draw: random.Random) -> list[torch.Tensor]:
        side = self.config.crop
        picture = read_photo(photo)
        # Smaller photos are enlarged, rather than left out.
        scale = max(1.0, side / min(picture.size))
        if scale > 1:
            enlarged = [max(side, round(scale * length)) for length in picture.size]
            picture = picture.resize(enlarged, Image.Resampling.BICUBIC)
        reach = round(side * (1 - self.config.overlap))
        place = [draw.randint(0, length - side) for length in picture.size]
        moved = [
            draw.randint(max(0, start - reach), min(length - side, start + reach))
            for start, length in zip(place, picture.size)
        ]
        crops = [np.array(picture.crop((x, y, x + side, y + side))) for x, y in (place, moved)]
        return [torch.from_numpy(crop).permute(2, 0, 1).float() / 255 for crop in crops]
