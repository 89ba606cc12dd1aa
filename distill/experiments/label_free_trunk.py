"""Does a trunk that learned what CLIP knows, and nobody's scores, rank sources and kinds that heads never saw better?

    python -m distill.experiments label-free-trunk --mos-folder BIQ2021 --pristine DIR [DIR ...] \
        --outside SR4KIQA sr4kiqa.csv PARA para.csv

The trunk learns the principal components of CLIP's block statistics on windows of photos and of degraded copies, with
stage C's loss and no other term. No score enters it, so a source or a kind may be left out when heads are fitted, as
for the student without a teacher: to people's scores and to ladders. "Kinds" are six clusters of photos, each left out
in turn; "in" are held-out photos, which the trunk did not see either.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc
from torch.nn.functional import normalize
from tqdm import tqdm

from distill.data.degraded_photos import mean_falling
from distill.experiments.figures import RESAMPLES, change, mean_over_fits
from distill.experiments.photo_kinds import kinds_of_photos
from distill.experiments.ranked_photos import RankedPhotos, read_ranked_photos
from distill.experiments.table import Cell, Table
from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units, score_of
from distill.networks.student import INPUT_SPEC, Student, StudentFeatures, load_student
from distill.networks.tensors import save_tensors
from distill.stages.distil import DistilConfig, distil
from distill.stages.distillation import DistillationConfig
from distill.stages.prepare_lesson import prepare_lesson
from distill.teacher.clip_int8 import Int8ClipFeatures
from distill.teacher.prompts import PromptSet
from distill.training.feature_sets import ladder_features, scored_features
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.frozen_trunk import FrozenTrunk
from distill.training.run_folder import RunFolder
from distill.training.trainer import TrainerConfig

_NO_TERM = dict.fromkeys(
    ("opinions", "attributes", "embedding", "grades", "pairs", "score", "ranking", "keep_features"), 0.0
)
_ANY_WIDTH = 8  # of the embedding that no term reads


@dataclass(frozen=True)
class LabelFreeTrunkConfig:
    """What the trunk learns from, and what ranks it.

    Attributes:
        mos_folder: BIQ2021's folder.
        pristine: folders of undistorted photos.
        outside: folders and tables (``name,mos``, on any scale) of photos that nothing is fitted to.
        limit: so many photos of BIQ2021 at most, beside its validation part; for a trial run.
        components: of CLIP's statistics.
        window: side in pixels of the windows of each view.
        frozen_stages: so many of the trunk's stages, from the first, stay as they are, and its stem with them.
        steps: of the trunk's training.
        run: where it is kept; a stopped one goes on.
        seeds: fits a figure, from ``seed`` on.
        cache: where features are kept.
        seed: of every other draw.
        csv: also write the rows there.
    """

    mos_folder: Path
    pristine: list[Path]
    outside: list[tuple[Path, Path]] = field(default_factory=list)
    limit: int | None = None
    components: int = 128
    window: int = 224
    frozen_stages: int = 3
    steps: TrainerConfig = field(
        default_factory=lambda: TrainerConfig(steps=560, batch=16, rate=2e-4, average=0.99, every=70)
    )
    run: Path = Path("runs/label-free-trunk")
    seeds: int = 5
    cache: Path = Path("runs/cache")
    seed: int = 0
    csv: Path | None = None


@dataclass(frozen=True)
class _Features:
    """One trunk's of everything."""

    scored: ScoredFeatures
    ladders: LadderFeatures
    outside: list[torch.Tensor]


def measure_label_free_trunk(config: LabelFreeTrunkConfig) -> Table:
    """Two rows: ImageNet's trunk as it came, and after CLIP taught it.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
        ClipTowerError: CLIP's weights are missing.
        RunError, TrainingStopped: the run cannot be begun or go on.
    """
    photos = read_ranked_photos(config.mos_folder, config.pristine, config.outside, config.limit, config.seed)

    def features(student: Student) -> _Features:
        trunk = FrozenTrunk(StudentFeatures(student), INPUT_SPEC)
        return _Features(
            scored_features(photos.scored, trunk, config.cache),
            ladder_features(photos.copies, trunk, config.cache),
            [scored_features(one, trunk, config.cache).features for one in photos.outside.values()],
        )

    torch.manual_seed(config.seed)
    before = features(Student().eval())
    after = features(_trained(photos, before, config))
    kinds = kinds_of_photos(before.scored.features, config.seed)
    names = np.unique(photos.scored.sources)
    outside = [*photos.outside, "change outside"] if photos.outside else []
    columns = [
        *(f"out {name}" for name in names),
        "mean out",
        "change out",
        "in",
        "kinds",
        "change kinds",
        "ladders",
        *outside,
    ]
    taught = int((~photos.held_out).sum() + (~photos.unlearnt).sum())
    table = Table(
        "trunk",
        columns,
        f"{photos}; the trunk saw {config.steps.steps * config.steps.batch} windows of {taught} photos and copies. "
        f"Means over {config.seeds} fits, seeds from {config.seed}; {RESAMPLES} resamples.",
    )
    left_out = [photos.scored.sources == name for name in names], [kinds == number for number in np.unique(kinds)]
    seeds = range(config.seed, config.seed + config.seeds)
    found = {
        title: [_scores(one, photos, left_out, seed) for seed in seeds]
        for title, one in (("as it came", before), ("taught by CLIP", after))
    }
    first = next(iter(found.values()))
    for title, fits in found.items():
        rows = [_cells(*pair, photos, left_out, config.seed) for pair in zip(fits, first)]
        table.rows[title] = mean_over_fits(rows)
    for place, what in enumerate(columns):
        if what.startswith("change"):
            table.note += f" {what}, fit by fit: {', '.join(f'{row[place].value:+.3f}' for row in rows)}."
    return table


def _trained(photos: RankedPhotos, before: _Features, config: LabelFreeTrunkConfig) -> Student:
    file = config.run / "trunk.safetensors"
    if file.is_file():
        return load_student(file)
    clip = Int8ClipFeatures()
    teaching, learnt = torch.from_numpy(~photos.held_out), torch.from_numpy(~photos.unlearnt)
    of_teacher = torch.cat(
        [
            scored_features(photos.scored, clip, config.cache).features[teaching],
            ladder_features(photos.copies, clip, config.cache).features[learnt],
        ]
    )
    own = torch.cat([before.scored.features[teaching], before.ladders.features[learnt]])
    unasked = normalize(of_teacher[:, :_ANY_WIDTH], dim=1)
    copies = [copy for copy, out in zip(photos.copies, photos.unlearnt) if not out]
    lesson = prepare_lesson(photos.scored.take(~photos.held_out), copies, own, unasked, INPUT_SPEC, of_teacher)
    # What is held out is not in it: figures on more of it would cost more than the steps.
    lesson = replace(lesson, held_out=np.zeros(len(own), dtype=bool))
    loss = DistillationConfig(
        features=1.0,
        **_NO_TERM,
        confident=False,
        privileged=False,
        trunk_rate=1.0,
        frozen_stages=config.frozen_stages,
        components=config.components,
        window=config.window,
    )
    how = DistilConfig(loss=loss, steps=config.steps, keep_start=0.0)
    student = Student().eval()
    folder = RunFolder(config.run, asdict(how) | {"seed": config.seed, "photos": photos.scored.digest()})
    distil(student, lesson, torch.ones(len(PromptSet().texts()), _ANY_WIDTH), "antonyms", folder, config.seed, how)
    save_tensors(student.state_dict(), file, {})
    return student.eval()


Scores = tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray, list[np.ndarray]]


def _scores(own: _Features, photos: RankedPhotos, left_out: tuple[list[np.ndarray], ...], seed: int) -> Scores:
    """Of each source and of each kind left out, and of held-out photos, copies and sets outside by one more head."""
    ladders = own.ladders.without(photos.unlearnt)

    def head(seen: np.ndarray, asked: list[torch.Tensor]) -> list[np.ndarray]:
        fitted = fit_hidden_units(own.scored.take(seen), ladders, HiddenUnitsConfig(), seed)
        return [score_of(features, fitted).numpy() for features in asked]

    sources, kinds = (
        [head(~part, [own.scored.features[part]])[0] for part in tqdm(parts, desc="heads")] for parts in left_out
    )
    asked = [own.scored.features[photos.held_out], own.ladders.features[photos.unlearnt], *own.outside]
    held_out, copies, *outside = head(~photos.held_out, asked)
    return sources, kinds, held_out, copies, outside


def _cells(
    own: Scores, first: Scores, photos: RankedPhotos, left_out: tuple[list[np.ndarray], ...], seed: int
) -> list[Cell]:
    mos, (sources, kinds, held_out, copies, outside) = photos.scored.mos, own

    def left(scores: list[np.ndarray], before: list[np.ndarray], parts: list[np.ndarray]) -> tuple[list[float], Cell]:
        opinions = [mos[part] for part in parts]
        return [srcc(*pair) for pair in zip(scores, opinions)], change(opinions, before, scores, seed)

    by_source, moved = left(sources, first[0], left_out[0])
    by_kind, moved_too = left(kinds, first[1], left_out[1])
    cells: list[Cell] = [*by_source, float(np.mean(by_source)), moved, photos.mean_within(held_out)]
    cells += [float(np.mean(by_kind)), moved_too, mean_falling(photos.judged, copies)]
    opinions = [one.mos for one in photos.outside.values()]
    cells += [srcc(score, of_set) for score, of_set in zip(outside, opinions)]
    return cells + ([change(opinions, first[4], outside, seed)] if outside else [])
