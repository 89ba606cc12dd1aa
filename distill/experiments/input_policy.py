"""Which views of a photo should the student see? Measured before it was built.

    python -m distill input-policy --mos-folder DIR --large DIR

Each policy costs about 1.55 GMACs. A linear head is fitted to the frozen trunk's features under each: SRCC within
sources and on a source left out, and whether a light blur or a light noise on photos larger than the input still
lowers the score, or has vanished in the reduction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc
from pocketiqa.preprocess import PreprocessSpec, open_photo, preprocess

from distill.data.degraded_photos import pristine_photos
from distill.data.mos_sets import read_biq2021
from distill.degradations.degrade import degrade
from distill.experiments.leave_one_out import markdown
from distill.heads.frozen_features import FrozenTrunk, StudentFeatures, frozen_features
from distill.heads.linear import PLAIN, Opinions, fit_heads

POLICIES = {
    "whole photo, 384×512": PreprocessSpec(height=384, width=512),
    "whole photo, 448×448": PreprocessSpec(height=448, width=448),
    "whole photo and native detail, 2 × 320×320": PreprocessSpec(height=320, width=320, views=("whole", "detail")),
}
# Light enough that only a look at native pixels shows them.
_FAULTS = {"blur σ 1": ("gaussian_blur", 3), "noise, variance .003": ("white_noise", 3)}


@dataclass(frozen=True)
class InputPolicyConfig:
    """What the table is measured on.

    Attributes:
        mos_folder: a checkout of BIQ2021.
        large: a folder of undistorted photos larger than the input, such as Urban100.
        per_source: photos of each source.
        large_photos: photos from ``large``.
        cache: where features are kept.
    """

    mos_folder: Path
    large: Path
    per_source: int = 500
    large_photos: int = 60
    cache: Path = Path("runs/cache")


def measure_input_policies(config: InputPolicyConfig) -> str:
    """A Markdown table, one row a policy."""
    mos_set = read_biq2021(config.mos_folder, "train")
    sources = [str(name) for name in np.unique(mos_set.sources)]
    chosen = np.concatenate([np.flatnonzero(mos_set.sources == name)[: config.per_source] for name in sources])
    mos_set = mos_set.take(chosen)
    large = pristine_photos([config.large])[: config.large_photos]
    rows = {}
    for name, spec in POLICIES.items():
        trunk = FrozenTrunk(StudentFeatures(), spec.shape)
        title = f"policy-{spec.height}x{spec.width}"
        names = [str(path) for path in mos_set.paths]
        features = frozen_features(trunk, names, partial(preprocess, spec=spec), config.cache, title)
        opinions = Opinions(_tensor(features), torch.tensor(mos_set.mos, dtype=torch.float32), mos_set.sources)
        rows[name] = [_left_out(opinions, source) for source in sources]
        heads = fit_heads(opinions, None, PLAIN)
        clean = _scores(trunk, heads, large, spec, None, config.cache, f"{title}-clean")
        for fault in _FAULTS:
            faulty = _scores(trunk, heads, large, spec, fault, config.cache, f"{title}-{fault.split()[0]}")
            rows[name].append(float((faulty < clean).mean()))
    columns = [f"out {source}" for source in sources] + [f"{fault} lowers the score" for fault in _FAULTS]
    note = f"n = {len(mos_set)} photos, {config.per_source} of each source; {len(large)} large photos."
    return markdown("input", columns, rows, note)


def _left_out(opinions: Opinions, source: str) -> float:
    rest = opinions.take(opinions.sources != source)
    weight, bias = fit_heads(rest, None, PLAIN)
    held_out = opinions.take(opinions.sources == source)
    return srcc((held_out.features @ weight[0] + bias[0]).numpy(), held_out.mos.numpy())


def _scores(
    trunk: FrozenTrunk,
    heads: tuple[torch.Tensor, torch.Tensor],
    photos: list[Path],
    spec: PreprocessSpec,
    fault: str | None,
    cache: Path,
    title: str,
) -> np.ndarray:
    features = frozen_features(trunk, [str(path) for path in photos], partial(_render, spec, fault), cache, title)
    weight, bias = heads
    return (_tensor(features) @ weight[0] + bias[0]).numpy()


def _render(spec: PreprocessSpec, fault: str | None, name: str) -> np.ndarray:
    pixels = np.array(open_photo(name))
    if fault is not None:
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        faulty = degrade(image, *_FAULTS[fault], seed=0)
        pixels = (faulty[0].permute(1, 2, 0) * 255).round().byte().contiguous().numpy()
    return preprocess(pixels, spec)


def _tensor(features: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(features, dtype=np.float32))
