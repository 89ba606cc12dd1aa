"""timm's ResNet-18, over the whole photo at 224×224, one score and two attributes.

    python -m quantize --network mobile_export/examples/resnet18.py:build --weights w.safetensors --images PHOTOS

``w.safetensors`` holds the ``state_dict`` of what ``timm.create_model`` returns below, trained by you. He et al.,
"Deep Residual Learning for Image Recognition" (CVPR 2016).
"""

import timm

from distill.contract import QualityNetwork
from distill.networks.adapter import quality_network


def build() -> QualityNetwork:
    body = timm.create_model("resnet18", pretrained=False, num_classes=3)
    return quality_network(body, name="resnet18", size=224, attributes=("sharpness", "noise"))
