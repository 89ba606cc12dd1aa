"""How small an input carries the student: accuracy against time, by views and pixels a side.

    python -m distill.experiments input-sizes --mos-folder BIQ2021 --pristine DIR [DIR ...] --trunk runs/trunk \
        --outside SR4KIQA sr4kiqa.csv PARA para.csv

The trunk stays as it was trained. For every input heads are fitted to its features as ``python -m distill student
--trunk … --distil.pseudo-labels 1`` fits them: to the teacher's scores, and to severity ladders. "Held out" is a tenth
of BIQ2021's train split, "in" the mean SRCC within its sources; of "ladders" and "to teacher" no head saw a photo.
"Change" is against the shipped input, from resamples of photos that both rows share: on the held-out tenth, and the
mean over the sets outside. "Time" is the float program's over the shipped input's, on one thread: trunk and pooling,
without the heads, which are under 1 % of the work.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from pocketiqa.preprocess import PreprocessSpec
from pocketiqa.threadpool import ThreadPool, set_threads
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from distill.experiments.figures import RESAMPLES
from distill.experiments.program_times import ratio, timed
from distill.experiments.ranked_photos import RankedPhotos, read_ranked_photos
from distill.experiments.table import Table
from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units, score_of
from distill.networks.student import INPUT_SPEC, WIDTH, Student, StudentFeatures
from distill.stages.trunk_run import load_trunk_run
from distill.training.feature_sets import ladder_features, scored_features
from distill.training.frozen_trunk import FrozenTrunk

# Row of a table → columns of the features of both views.
VIEWS = {
    "both": slice(None),
    **{view: slice(place * WIDTH, (place + 1) * WIDTH) for place, view in enumerate(INPUT_SPEC.views)},
}


@dataclass(frozen=True)
class InputSizesConfig:
    """What is compared.

    Attributes:
        mos_folder: BIQ2021's folder.
        pristine: folders of undistorted photos.
        trunk: the run folder of a trained trunk.
        outside: folders and tables (``name,mos``, on any scale) of photos that nothing is fitted to.
        sides: pixels a side, multiples of 32; the shipped one is always among them.
        limit: fit to so many photos of BIQ2021, drawn by the seed; by default to all that are not held out.
        rounds: how often every program is timed.
        cache: where features are kept.
        seed: of ladders, heads and resamples.
        csv: also write the rows there.
    """

    mos_folder: Path
    pristine: list[Path]
    trunk: Path
    outside: list[tuple[Path, Path]] = field(default_factory=list)
    sides: list[int] = field(default_factory=lambda: [320, 288, 256, 224, 192])
    limit: int | None = None
    rounds: int = 100
    cache: Path = Path("runs/cache")
    seed: int = 0
    csv: Path | None = None

    def __post_init__(self) -> None:
        if odd := [side for side in self.sides if side < 32 or side % 32]:
            raise ValueError(
                f"--sides {' '.join(map(str, odd))}: the trunk halves a side five times; give multiples of 32"
            )


def measure_input_sizes(config: InputSizesConfig) -> Table:
    """One row a side and a choice of views.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
        RunError: there is no trained trunk.
    """
    set_threads(ThreadPool.of_executorch(), 1, "ExecuTorch")
    run = load_trunk_run(config.trunk)
    student = run.student()
    photos = read_ranked_photos(config.mos_folder, config.pristine, config.outside, config.limit, config.seed)
    labels = run.scores(photos.scored)
    specs = {}
    for side in dict.fromkeys([INPUT_SPEC.height, *config.sides]):
        both = replace(INPUT_SPEC, height=side, width=side)
        one = replace(both, views=both.views[:1])
        specs |= {(side, view): both if view == "both" else one for view in VIEWS}
    programs = {
        spec: FrozenTrunk(StudentFeatures(student), spec)
        for spec in tqdm(dict.fromkeys(specs.values()), desc="programs")
    }
    scores = {
        (side, view): _scores(programs[specs[side, "both"]], columns, photos, labels, config)
        for side in dict.fromkeys(side for side, _ in specs)
        for view, columns in VIEWS.items()
    }
    shipped = INPUT_SPEC.height, "both"
    milliseconds = timed(programs, config.rounds)
    table = Table(
        "views, side",
        ["G MACs", "time", *photos.columns()],
        f"{photos}. {config.rounds} rounds, the shipped input's median "
        f"{np.median(milliseconds[specs[shipped]]):.1f} ms. Seed {config.seed}, {RESAMPLES} resamples.",
    )
    for (side, view), found in scores.items():
        spec = specs[side, view]
        time = ratio(milliseconds[spec], milliseconds[specs[shipped]], RESAMPLES, config.seed)
        title = f"{view}, {side}" + (" (shipped)" if (side, view) == shipped else "")
        cells = photos.cells(found, scores[shipped], labels, config.seed)
        table.rows[title] = [_macs(student, spec) / 1e9, time, *cells]
    return table


def _scores(
    trunk: FrozenTrunk, columns: slice, photos: RankedPhotos, labels: torch.Tensor, config: InputSizesConfig
) -> list[np.ndarray]:
    """Of the held-out photos, of each set outside, and of the copies that nothing learned."""
    scored = scored_features(photos.scored, trunk, config.cache).blended(labels, 1.0)
    scored = replace(scored, features=scored.features[:, columns])
    ladders = ladder_features(photos.copies, trunk, config.cache)
    ladders = replace(ladders, features=ladders.features[:, columns])
    teaching = scored.take(~photos.held_out), ladders.without(photos.unlearnt)
    head = fit_hidden_units(*teaching, HiddenUnitsConfig(), config.seed)
    outside = [scored_features(one, trunk, config.cache).features[:, columns] for one in photos.outside.values()]
    ranked = [scored.features[photos.held_out], *outside, ladders.features[photos.unlearnt]]
    return [score_of(features, head).numpy() for features in ranked]


def _macs(student: Student, spec: PreprocessSpec) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        student.features(torch.rand(spec.shape))
    return counter.get_total_flops() / 2
