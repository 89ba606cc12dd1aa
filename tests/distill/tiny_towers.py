"""Towers of CLIP's real classes, a thousandth of its size: what a test of one property needs."""

from __future__ import annotations

import torch
from open_clip.model import CLIP
from open_clip.tokenizer import SimpleTokenizer

from distill.networks.student import INPUT_SPEC
from distill.teacher.two_towers import TwoTowers

_VISION = {
    "resnet": {"layers": [1, 1, 1, 1], "width": 8, "image_size": 64},
    "vit": {"layers": 1, "width": 64, "head_width": 16, "patch_size": 16, "image_size": 64},
}
_TEXT = {"context_length": 24, "width": 64, "heads": 2, "layers": 1}


def tiny_towers(vision: str) -> TwoTowers:
    torch.manual_seed(0)
    model = CLIP(32, _VISION[vision], _TEXT).eval()
    return TwoTowers(model, SimpleTokenizer(context_length=24), (0.48, 0.46, 0.41), (0.27, 0.26, 0.28), INPUT_SPEC)
