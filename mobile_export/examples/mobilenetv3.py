"""timm's MobileNetV3-Small with squeeze-excitation and h-swish, over the whole photo at 224×224, one score.

    python -m quantize --network mobile_export/examples/mobilenetv3.py:build --weights w.safetensors --images PHOTOS

``w.safetensors`` holds the ``state_dict`` of what ``timm.create_model`` returns below, trained by you. Howard et al.,
"Searching for MobileNetV3" (ICCV 2019).
"""

import timm

from distill.contract import QualityNetwork
from distill.networks.adapter import IMAGENET_MEAN, IMAGENET_STD, quality_network


def build() -> QualityNetwork:
    body = timm.create_model("mobilenetv3_small_100", pretrained=False, num_classes=1)
    # Behind the pooling, where int8 saves next to nothing and leaves few different scores.
    late = ("conv_head",)
    return quality_network(
        body, name="mobilenetv3", size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, float_layers=late
    )
