"""Does the teacher need both views of a photo, and CLIP's blocks of every depth?

    python -m distill.experiments teacher-parts --mos-folder BIQ2021 --outside SR4KIQA sr4kiqa.csv PARA para.csv

Two ideas that need no trained trunk: a thumbnail beside native-resolution pixels (CLIP-DQA), and features of content
beside features of distortion (Re-IQA), here CLIP's last block and its middle ones. Kernel ridge regression on CLIP's
block statistics, as wide and as hard as the teacher's, on all of them or on a part. "Effect" is what the rest adds to a
part: the mean change of SRCC over the left-out sources, with half its 95 % interval, from resamples of photos that both
rows share. "Effect outside" is the same over the sets outside, after a fit to all sources.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from distill.data.mos_sets import read_biq2021
from distill.experiments.figures import RESAMPLES, change, srcc_estimate
from distill.experiments.kernel_fits import left_out_and_outside, squared_distances
from distill.experiments.ranked_photos import sets_outside
from distill.experiments.table import Table
from distill.teacher.clip_features import CLIP_INPUT, READ_BLOCKS, STATISTICS_WIDTH
from distill.teacher.clip_int8 import Int8ClipFeatures
from distill.teacher.kernel_ridge import PENALTY, WIDTH
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


def pieces() -> dict[tuple[str, str], np.ndarray]:
    """A view and a depth → the columns of a photo's statistics that they have."""
    columns = np.arange(len(CLIP_INPUT.views) * STATISTICS_WIDTH)
    view, rest = np.divmod(columns, STATISTICS_WIDTH)
    last = rest // (STATISTICS_WIDTH // len(READ_BLOCKS)) == len(READ_BLOCKS) - 1
    depths = {"last block": last, "middle blocks": ~last}
    return {
        (name, depth): columns[(view == number) & of_depth]
        for number, name in enumerate(CLIP_INPUT.views)
        for depth, of_depth in depths.items()
    }


def rows() -> dict[str, list[tuple[str, str]]]:
    """Name of a row → the pieces that it reads."""
    everything = list(pieces())

    def having(part: str) -> list[tuple[str, str]]:
        return [piece for piece in everything if part in piece]

    return {
        WHOLE: everything,
        **{f"{name} view alone": having(name) for name in CLIP_INPUT.views},
        "last block alone (content)": having("last block"),
        "middle blocks alone (distortion)": having("middle blocks"),
    }


def measure_teacher_parts(config: TeacherPartsConfig) -> Table:
    """SRCC of each source left out and of each set outside, and what all of the statistics add to a part of them.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
    """
    mos_set, network = read_biq2021(config.mos_folder), Int8ClipFeatures()
    others = sets_outside(config.outside)
    features = features_of_photos(mos_set.paths, network, config.cache, mos_set.name)
    asked = [features_of_photos(one.paths, network, config.cache, name) for name, one in others.items()]
    scores, names = torch.from_numpy(mos_set.mos).float(), np.unique(mos_set.sources)
    here = [mos_set.sources == name for name in names]
    mos = [mos_set.mos[own] for own in here], [one.mos for one in others.values()]
    outside = f"; outside {', '.join(f'{name} {len(one)}' for name, one in others.items())}" if others else ""
    sources = ", ".join(f"{name} {own.sum()}" for name, own in zip(names, here))
    table = Table(
        "CLIP's statistics",
        [*(f"out {name}" for name in names), "effect", *others, *(["effect outside"] if others else [])],
        f"n = {len(scores)} photos ({sources}){outside}; seed {config.seed}, {RESAMPLES} resamples.",
    )
    apart = {
        piece: squared_distances(features[:, columns], [one[:, columns] for one in (features, *asked)])
        for piece, columns in pieces().items()
    }
    widths = {piece: len(columns) for piece, columns in pieces().items()}
    whole, no_groups = None, np.zeros(len(scores))
    for name, read in tqdm(rows().items(), desc="rows"):
        distances = sum(apart[piece] * widths[piece] for piece in read) / sum(widths[piece] for piece in read)
        kernel = torch.exp(-WIDTH * distances)
        judged = left_out_and_outside(kernel, scores, no_groups, PENALTY, here, [len(one) for one in asked])
        whole = whole or judged
        effects = [
            change(known, part, full, config.seed) if full is not part and known else None
            for known, part, full in zip(mos, judged, whole)
        ]
        cells = [[srcc_estimate(s, m, config.seed) for s, m in zip(*pair)] for pair in zip(judged, mos)]
        table.rows[name] = [*cells[0], effects[0], *cells[1], *(effects[1:] if others else [])]
    return table
