"""How wide is the teacher's kernel, and should each source have a mean of its own?

    python -m distill.experiments kernel-widths --mos-folder BIQ2021 --outside SR4KIQA sr4kiqa.csv PARA para.csv

Kernel ridge regression on CLIP's block statistics, as ``distill.teacher.kernel_ridge`` fits it. With means of their own
(an unpenalized intercept a source, which drops out where scores are compared) the features need not tell the sources
apart. Features are computed once, and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc
from tqdm import tqdm

from distill.data.mos_sets import read_biq2021
from distill.experiments.kernel_fits import left_out_and_outside, squared_distances
from distill.experiments.ranked_photos import sets_outside
from distill.experiments.table import Table
from distill.teacher.clip_int8 import Int8ClipFeatures
from distill.training.frozen_features import features_of_photos


@dataclass(frozen=True)
class KernelWidthsConfig:
    """What is compared.

    Attributes:
        mos_folder: BIQ2021's folder.
        outside: folders and tables (``name,mos``, on any scale) of photos that nothing is fitted to.
        widths: of the kernel.
        penalty: of the ridge.
        cache: where features are kept.
        csv: also write the rows there.
    """

    mos_folder: Path
    outside: list[tuple[Path, Path]] = field(default_factory=list)
    widths: list[float] = field(default_factory=lambda: [0.3, 0.1, 0.05])
    penalty: float = 1.0
    cache: Path = Path("runs/cache")
    csv: Path | None = None


def measure_kernel_widths(config: KernelWidthsConfig) -> Table:
    """SRCC of each source left out, their mean, and of each set outside after a fit to all sources.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
    """
    mos_set = read_biq2021(config.mos_folder)
    network = Int8ClipFeatures()
    sets = sets_outside(config.outside)
    features = features_of_photos(mos_set.paths, network, config.cache, mos_set.name)
    others = [features_of_photos(one.paths, network, config.cache, name) for name, one in sets.items()]
    apart = squared_distances(features, [features, *others])
    scores, sources = torch.from_numpy(mos_set.mos).float(), mos_set.sources
    names, n = np.unique(sources), len(scores)
    here = [sources == name for name in names]
    table = Table(
        "kernel",
        [*(f"out {name}" for name in names), "mean out", *sets],
        f"n = {n} photos; outside {', '.join(f'{name} {len(one)}' for name, one in sets.items()) or 'none'}; "
        f"penalty {config.penalty:g}.",
    )
    for width in tqdm(config.widths, desc="widths"):
        kernel = torch.exp(-width * apart)
        for means in (False, True):
            groups = sources if means else np.zeros(n)
            own, beyond = left_out_and_outside(kernel, scores, groups, config.penalty, here, [*map(len, others)])
            cells = [srcc(score, mos_set.mos[part]) for score, part in zip(own, here)]
            outside = [srcc(score, one.mos) for score, one in zip(beyond, sets.values())]
            title = f"width {width:g}" + (", a mean a source" if means else "")
            table.rows[title] = [*cells, float(np.mean(cells)), *outside]
    return table
