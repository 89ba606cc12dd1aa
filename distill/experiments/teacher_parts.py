"""Does the teacher need both views of a photo, and CLIP's blocks of every depth?

    python -m distill.experiments teacher-parts --mos-folder BIQ2021 --outside SR4KIQA sr4kiqa.csv PARA para.csv

Two ideas that need no trained trunk: a thumbnail beside native-resolution pixels (CLIP-DQA), and features of content
beside features of distortion (Re-IQA), here CLIP's last block and its middle ones. Kernel ridge regression on CLIP's
block statistics as ``distill.teacher.kernel_ridge`` fits it, on all of them or on a part. "Effect" is what the rest
adds to a part: the mean change of SRCC over the left-out sources, with half its 95 % interval, from resamples of photos
that both rows share. "Effect outside" is the same over the sets outside, after a fit to all sources.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from distill.data.mos_sets import read_biq2021, read_scored_photos
from distill.experiments.figures import RESAMPLES, change, srcc_estimate
from distill.experiments.table import Table
from distill.teacher.clip_features import CLIP_INPUT, READ_BLOCKS, STATISTICS_WIDTH
from distill.teacher.kernel_ridge import fit_kernel_ridge
from distill.teacher.packaged_features import packaged_features
from distill.training.frozen_features import features_of_photos

WHOLE = "both views, all blocks (the teacher)"


@dataclass(frozen=True)
class TeacherPartsConfig:
    """What is compared.

    Attributes:
        mos_folder: BIQ2021's folder.
        outside: folders and tables (``name,mos``, on any scale) of photos that nothing is fitted to.
        cache: where features are kept.
        seed: of the resamples.
        csv: also write the rows there.
    """

    mos_folder: Path
    outside: list[tuple[Path, Path]] = field(default_factory=list)
    cache: Path = Path("runs/cache")
    seed: int = 0
    csv: Path | None = None


def parts() -> dict[str, np.ndarray]:
    """Name of a row → the columns that it reads of a photo's statistics, view by view and block by block."""
    columns = np.arange(len(CLIP_INPUT.views) * STATISTICS_WIDTH)
    view, rest = np.divmod(columns, STATISTICS_WIDTH)
    last = rest // (STATISTICS_WIDTH // len(READ_BLOCKS)) == len(READ_BLOCKS) - 1
    return {
        WHOLE: columns,
        **{f"{name} view alone": columns[view == number] for number, name in enumerate(CLIP_INPUT.views)},
        "last block alone (content)": columns[last],
        "middle blocks alone (distortion)": columns[~last],
    }


def measure_teacher_parts(config: TeacherPartsConfig) -> Table:
    """SRCC of each source left out and of each set outside, and what all of the statistics add to a part of them.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
    """
    mos_set, network = read_biq2021(config.mos_folder), packaged_features("clip-b16")
    others = {table.stem: read_scored_photos(folder, table, scale=None) for folder, table in config.outside}
    features = features_of_photos(mos_set.paths, network, config.cache, mos_set.name)
    asked = [features_of_photos(one.paths, network, config.cache, name) for name, one in others.items()]
    scores, names = torch.from_numpy(mos_set.mos).float(), np.unique(mos_set.sources)
    apart = [mos_set.sources == name for name in names]
    mos = [mos_set.mos[here] for here in apart], [one.mos for one in others.values()]
    outside = f"; outside {', '.join(f'{name} {len(one)}' for name, one in others.items())}" if others else ""
    sources = ", ".join(f"{name} {here.sum()}" for name, here in zip(names, apart))
    table = Table(
        "CLIP's statistics",
        [*(f"out {name}" for name in names), "effect", *others, "effect outside"],
        f"n = {len(scores)} photos ({sources}){outside}; seed {config.seed}, {RESAMPLES} resamples.",
    )
    whole = None
    for name, columns in tqdm(parts().items(), desc="rows"):
        read = features[:, columns]
        left_out = [fit_kernel_ridge(read[~here], scores[~here])(read[here]).numpy() for here in apart]
        everyone = fit_kernel_ridge(read, scores) if others else None
        beyond = [everyone(one[:, columns]).numpy() for one in asked]
        judged = left_out, beyond
        whole = whole or judged
        effects = [
            change(known, part, full, config.seed) if full is not part and known else None
            for known, part, full in zip(mos, judged, whole)
        ]
        cells = [[srcc_estimate(s, m, config.seed) for s, m in zip(*pair)] for pair in zip(judged, mos)]
        table.rows[name] = [*cells[0], effects[0], *cells[1], effects[1]]
    return table
