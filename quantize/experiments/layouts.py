"""``python -m quantize.experiments layouts --out FOLDER``: the student in other layouts, as int8 and float programs.

    python -m quantize.experiments layouts --out runs/layouts
    python -m benchmarks.experiments.layouts runs/layouts layouts.csv    # times them in turns

Weights and the photo that sets ranges are random: a latency does not depend on them, and nothing here says what a
layout would be worth after training. All have the student's input, stem, stages and heads; ``lite0`` is its own layout.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from pocketiqa.files import atomic_file
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet
from torch import nn
from tqdm import tqdm

from distill.contract import QualityNetwork
from distill.networks.backbone import make_batchnorm_quantization_safe
from distill.networks.student import ATTRIBUTES, INPUT_SPEC, OUTPUTS, Trunk, spatial_mean
from quantize.float16_grid import put_parameters_on_grid
from quantize.prepare import convert, prepare
from quantize.program import Lowered, lower, lower_float
from quantize.ptq import calibrate

# timm's words: ds and ir have a depthwise convolution, er and cn a full one instead; r repeats, k kernel, s stride,
# e expansion, c channels.
_LITE0 = (
    "ds_r1_k3_s1_e1_c16", "ir_r2_k3_s2_e6_c24", "ir_r2_k5_s2_e6_c40", "ir_r3_k3_s2_e6_c80", "ir_r3_k5_s1_e6_c112",
    "ir_r4_k5_s2_e6_c192", "ir_r1_k3_s1_e6_c320",
)  # fmt: skip
_FULL_EARLY = ("cn_r1_k3_s1_c16", "er_r2_k3_s2_e4_c24", "er_r2_k3_s2_e4_c40")


@dataclass(frozen=True)
class Layout:
    """How a student is built.

    Attributes:
        blocks: one word a stage, as timm's ``decode_arch_def`` reads them.
        padding: TensorFlow's ``same``, uneven and an operator of its own, or the convolutions' own ``""``.
        float_input: whether the stem and the first depthwise convolution stay float in int8.
        normalized: whether pixels are shifted and scaled before the stem, or its weights are taken to do that.
        stages_read: how many of the last stages the heads read.
        float_fives: whether depthwise convolutions of 5×5 and stride 1 stay float in int8. XNNPACK refuses a float one
            behind a padding of its own that follows an int8 layer.
    """

    blocks: tuple[str, ...] = _LITE0
    padding: str = "same"
    float_input: bool = True
    normalized: bool = True
    stages_read: int = 7
    float_fives: bool = False


def _with_channels(step: int) -> Layout:
    """Lite0 with each stage's channels rounded up to a multiple of ``step``."""
    words = [word.rpartition("c") for word in _LITE0]
    return Layout(tuple(f"{head}c{-(-int(channels) // step) * step}" for head, _, channels in words))


def _with_kernels_of_three(blocks: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.replace("_k5", "_k3") for word in blocks)


LAYOUTS = {
    "lite0": Layout(),
    "int8 stem": Layout(float_input=False),
    "normalization in the stem": Layout(normalized=False),
    "padding in the convolutions": Layout(padding=""),
    "depthwise 5×5 in float": Layout(float_fives=True),
    "channels of 16": _with_channels(16),
    "channels of 32": _with_channels(32),
    "expansion by 3": Layout(tuple(word.replace("_e6", "_e3") for word in _LITE0)),
    "kernels of 3": Layout(_with_kernels_of_three(_LITE0)),
    "full convolutions early": Layout(_FULL_EARLY + _LITE0[3:]),
    "full early, kernels of 3": Layout(_with_kernels_of_three(_FULL_EARLY + _LITE0[3:])),
}
LAYOUTS["all of these"] = replace(
    LAYOUTS["full early, kernels of 3"], padding="", float_input=False, normalized=False, stages_read=4
)


class LaidOut(QualityNetwork):
    """A student of a layout, with random weights and one linear head over the means of its stages."""

    input = INPUT_SPEC
    attributes = ATTRIBUTES
    heads_name = "heads"

    def __init__(self, name: str, layout: Layout) -> None:
        super().__init__()
        network = EfficientNet(decode_arch_def([[word] for word in layout.blocks]), num_classes=0, stem_size=32,
                               fix_stem=True, pad_type=layout.padding, act_layer=nn.ReLU6)  # fmt: skip
        self.name, self.layout = name.replace(" ", "-").replace(",", "").replace("×", "x"), layout
        self.trunk = Trunk(make_batchnorm_quantization_safe(network.eval()))
        channels = [int(word.rpartition("c")[2]) for word in layout.blocks][-layout.stages_read :]
        self.heads = nn.Linear(sum(channels) * len(INPUT_SPEC.views), len(OUTPUTS))
        first = [f"trunk.stages.0.0.{part}" for part in ("conv_dw", "bn1.act")] if layout.blocks[0][:2] == "ds" else []
        kept = ["trunk.stem.0", "trunk.stem.1.act", *first] if layout.float_input else []
        if layout.float_fives:
            named = [(f"trunk.{name}", part) for name, part in self.trunk.named_modules()]
            convolutions = [(name, part) for name, part in named if isinstance(part, nn.Conv2d)]
            fives = [name for name, part in convolutions if (part.kernel_size, part.stride) == ((5, 5), (1, 1))]
            kept += [*fives, *(name.replace("conv_dw", "bn2.act") for name in fives)]
        self.float_layers = ("heads", *kept)

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.trunk(views) if self.layout.normalized else self._without_normalization(views)
        means = torch.cat([spatial_mean(each) for each in maps[-self.layout.stages_read :]], dim=1)
        return (torch.sigmoid(self.heads(means.reshape(1, -1))),)

    def _without_normalization(self, views: torch.Tensor) -> list[torch.Tensor]:
        maps = [self.trunk.stem(views)]
        for stage in self.trunk.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


@dataclass(frozen=True)
class LayoutsConfig:
    """Which programs are written, and where.

    Attributes:
        out: their folder.
        layouts: names of ``LAYOUTS`` in this file.
        in_float: those of them whose float program is written too.
    """

    out: Path = Path("runs/layouts")
    layouts: list[str] = field(default_factory=lambda: list(LAYOUTS))
    in_float: list[str] = field(default_factory=lambda: ["lite0", "full early, kernels of 3", "all of these"])


def write_layouts(config: LayoutsConfig) -> str:
    """Write ``NAME_int8.pte`` of each, ``NAME_fp32.pte`` of some; says how many.

    Raises:
        ValueError: a layout that does not exist.
    """
    if unknown := {*config.layouts, *config.in_float} - set(LAYOUTS):
        raise ValueError(f"no layout {min(unknown)!r}; there are {', '.join(LAYOUTS)}")
    config.out.mkdir(parents=True, exist_ok=True)
    programs = [*((name, "int8") for name in config.layouts), *((name, "fp32") for name in config.in_float)]
    for name, variant in tqdm(programs, desc="programs", unit="program"):
        torch.manual_seed(0)
        network = LaidOut(name, LAYOUTS[name]).eval()
        lowered = lower_float(network) if variant == "fp32" else _lower_int8(network)
        with atomic_file(config.out / f"{network.name}_{variant}.pte", "wb") as file:
            file.write(lowered.buffer)
    return f"wrote {len(programs)} programs to {config.out}"


def _lower_int8(network: LaidOut) -> Lowered:
    prepared = prepare(network)
    calibrate(prepared, [network.example()])
    put_parameters_on_grid(prepared)
    return lower(convert(prepared))
