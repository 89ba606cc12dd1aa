"""A student-shaped network that needs no training: ImageNet lite0's first stages, random heads, its PTQ int8 graph.

It has the signature of every artifact: photo ``1×3×H×W`` to ``quality`` ``1×7`` and ``map`` ``1×h×w``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import skimage.data
import torch
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation

from distill.networks.backbone import lite0_backbone, make_batchnorm_quantization_safe
from mobile_export.verify.layers import Layer, torch_layers

HEIGHT, WIDTH = 128, 160
STAGES, CHANNELS = 3, 40
METADATA = {"name": "small", "version": "0", "input": {"height": HEIGHT, "width": WIDTH}}


class SmallStudent(nn.Module):
    def __init__(self, quantization_safe: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        backbone = lite0_backbone()
        # Three stages have every kind of layer, and convert and lower in a fifth of the time.
        backbone.blocks = backbone.blocks[:STAGES]
        backbone.conv_head = backbone.bn2 = nn.Identity()
        self.backbone = make_batchnorm_quantization_safe(backbone) if quantization_safe else backbone
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.quality_head = nn.Linear(CHANNELS, 7)
        self.map_head = nn.Linear(CHANNELS, 1)

    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # Float literals: an integer one becomes a cast of a constant, which XNNPACK leaves outside.
        features = self.backbone(photo * 2.0 - 1.0)
        quality = torch.sigmoid(self.quality_head(self.pool(features).flatten(1)))
        positions = features.flatten(2).transpose(1, 2)
        local = torch.sigmoid(self.map_head(positions)).reshape(-1, features.shape[2], features.shape[3])
        return quality, local


class ClampAwareQuantizer(XNNPACKQuantizer):
    """Quantizes after ReLU6 rather than before it, where the range would be many times wider."""

    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        model = super().annotate(model)
        clamps = {torch.ops.aten.hardtanh.default, torch.ops.aten.relu6.default}
        clamps |= {torch.ops.aten.hardtanh_.default, torch.ops.aten.relu6_.default}
        for node in model.graph.nodes:
            producer = node.args[0].meta.get("quantization_annotation") if node.target in clamps else None
            if producer is not None and producer.output_qspec is not None:
                node.meta["quantization_annotation"] = QuantizationAnnotation(
                    input_qspec_map={}, output_qspec=producer.output_qspec, _annotated=True
                )
                producer.output_qspec = None
        return model


def to_tensor(photo: np.ndarray, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    resized = Image.fromarray(photo).convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(resized, np.float32).transpose(2, 0, 1)[None] / 255)


@cache
def photos(height: int = HEIGHT, width: int = WIDTH) -> tuple[np.ndarray, ...]:
    """Six whole photographs and four crops of each: 30 inputs."""
    originals = [getattr(skimage.data, n)() for n in ("astronaut", "coffee", "chelsea", "rocket")]
    originals += [load_sample_image(n) for n in ("china.jpg", "flower.jpg")]
    views = []
    for photo in originals:
        h, w = photo.shape[0] // 2, photo.shape[1] // 2
        views += [photo, photo[:h, :w], photo[h:, :w], photo[:h, w:], photo[h:, w:]]
    return tuple(to_tensor(v, height, width) for v in views)


@cache
def small_student() -> SmallStudent:
    return SmallStudent().eval()


@cache
def exported_float(height: int = HEIGHT, width: int = WIDTH) -> torch.export.ExportedProgram:
    example = torch.from_numpy(photos(height, width)[0])
    return torch.export.export(small_student(), (example,), strict=True)


@cache
def exported_int8(height: int = HEIGHT, width: int = WIDTH) -> torch.export.ExportedProgram:
    inputs = [torch.from_numpy(x) for x in photos(height, width)]
    quantizer = ClampAwareQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    # A float head keeps distinct scores distinct.
    quantizer.set_filter_function(lambda node: node.target != torch.ops.aten.linear.default)
    prepared = prepare_pt2e(exported_float(height, width).module(), quantizer)
    with torch.no_grad():
        for x in inputs[:12]:
            prepared(x)
    return torch.export.export(convert_pt2e(prepared), (inputs[0],), strict=True)


@cache
def layers() -> tuple[Layer, ...]:
    """The float graph's layers on the first photo."""
    return tuple(torch_layers(exported_float().module(), photos()[0]))
