"""A small vision transformer of timm, four blocks of width 192 over 16×16 patches of a 224×224 photo, one score.

    python -m quantize --network mobile_export/examples/vit.py:build --weights w.safetensors --images PHOTOS

``w.safetensors`` holds the ``state_dict`` of what ``timm.create_model`` returns below, trained by you. Linear layers
become int8; LayerNorm, softmax, GELU and the products of attention stay float. Touvron et al., "Training
data-efficient image transformers" (ICML 2021).
"""

import timm
from timm.layers import set_fused_attn

from distill.contract import QualityNetwork
from distill.networks.adapter import quality_network


def build() -> QualityNetwork:
    set_fused_attn(False)  # attention as products and a softmax, which XNNPACK takes
    shape = {"depth": 4, "class_token": False, "global_pool": "avg"}
    body = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=1, **shape)
    return quality_network(body, name="vit", size=224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
