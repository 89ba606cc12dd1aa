"""``python -m quantize.experiments traps``: what each trap of the toolchain costs a network, and what is left of it.

Every row quantizes the same network on the same photos, to nearest and with its own heads, once as the stock tools
would have it and once with the cure. ``tests/quantize/test_toolchain_traps.py`` watches whether the traps are still
there.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from distill.networks.backbone import TORCH_BN_EPS
from quantize.calibration import Inputs
from quantize.figures import markdown_table, measure
from quantize.graph import CLAMPS, CONVOLUTIONS, LINEAR, is_below, module_of
from quantize.prepare import Prepared, enable_observers, fake_quantizers, prepare
from quantize.ptq import calibrate
from quantize.quantizer import NetworkQuantizer
from quantize.subject import PhotosConfig, load_subject

_TIMM_EPS = 1e-3


@dataclass(frozen=True)
class TrapsConfig(PhotosConfig):
    """Which photos are used.

    Attributes:
        photos: of the validation photos, for each row.
    """

    photos: int = 48


class HeadsToo(NetworkQuantizer):
    """The stock choice: the heads' layers become int8 as well."""

    def _is_quantized(self, node: torch.fx.Node) -> bool:
        is_head = node.target in CONVOLUTIONS | LINEAR and is_below(module_of(node), self.heads_name)
        return super()._is_quantized(node) or is_head


class BeforeClamp(NetworkQuantizer):
    """A convolution's output is rounded over the whole range that its ReLU6 is about to cut."""

    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        model = super().annotate(model)
        for node in model.graph.nodes:
            annotation = node.meta.get("quantization_annotation")
            if annotation and node.target in CLAMPS and "quantization_annotation" in node.args[0].meta:
                node.args[0].meta["quantization_annotation"].output_qspec = annotation.output_qspec
                del node.meta["quantization_annotation"]
        return model


def measure_traps(config: TrapsConfig) -> str:
    """A Markdown table.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        ContractError: no such network.
    """
    subject = load_subject(config)
    inputs = subject.validation.take(range(min(config.photos, len(subject.validation))))
    reference = subject.reference[: len(inputs)]
    calibration = subject.photos.calibration

    def calibrated(kind: type[NetworkQuantizer]) -> Prepared:
        prepared = prepare(subject.network, kind(subject.network, ()))
        calibrate(prepared, calibration)
        return prepared

    def gap(network: nn.Module) -> str:
        return f"{measure(reference, scores(network, inputs)).mean_abs:.5f}"

    ours = calibrated(NetworkQuantizer)
    cured = gap(ours)
    # In this order: the second leaves the graph with other scales.
    frozen, moving = (moved_scales(ours, inputs, observing) for observing in (False, True))
    rows = [
        ("BatchNorm's eps of 1e-3 read as 1e-5", "mean \\|Δ\\|", gap(with_rewritten_eps(subject.network)),
         gap(subject.network)),
        ("heads in int8", "mean \\|Δ\\|", gap(calibrated(HeadsToo)), cured),
        ("rounding before ReLU6", "mean \\|Δ\\|", gap(calibrated(BeforeClamp)), cured),
        ("observers not frozen", "scales that later photos move", str(moving), str(frozen)),
    ]  # fmt: skip
    table = markdown_table(["trap", "", "with it", "cured"], [list(row) for row in rows])
    return f"{table}\n\nn = {len(inputs)} photos, {len(calibration)} others calibrate."


def with_rewritten_eps(student: nn.Module) -> nn.Module:
    """What ``prepare_qat_pt2e`` makes of timm's BatchNorms: the same variances, and an eps of 1e-5 for 1e-3."""
    own = copy.deepcopy(student)
    for module in own.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var -= _TIMM_EPS - TORCH_BN_EPS  # the student carries the difference in its variance
    return own


def moved_scales(prepared: Prepared, later: Inputs, observing: bool) -> int:
    """How many scales of a calibrated graph change when it sees further photos; the graph keeps the changed ones."""
    enable_observers(prepared, observing)
    before = {name: module.scale.clone() for name, module in fake_quantizers(prepared)}
    scores(prepared, later)
    return sum(not torch.equal(before[name], module.scale) for name, module in fake_quantizers(prepared))


@torch.no_grad()
def scores(network: nn.Module | Prepared, inputs: Inputs) -> np.ndarray:
    """Float64 n scores."""
    return np.array([network(views)[0][0, 0].item() for views in inputs])
