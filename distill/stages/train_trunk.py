"""Train the student's trunk from a live CLIP teacher: on a GPU in ten minutes, on a CPU only to see it run.

    python -m distill trunk --mos-set biq2021 --mos-folder DIR --pristine DIR [DIR …] --photos DIR [DIR …] --run DIR
    python -m distill student … --trunk DIR

The first line decodes all photos, makes their degraded copies, fits people's scores to what CLIP's tower knows, and
trains the trunk. The run's folder then holds ``trunk.safetensors`` (a student with heads that know nothing),
``scores.csv`` (the teacher's score of every undistorted photo) and ``trunk.json`` (figures). The second line fits heads
to the trunk.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pocketiqa.files import atomic_file

from distill.data.degraded_photos import DegradedPhoto, pristine_photos, severity_ladders
from distill.data.enough import check_opinions, defined
from distill.data.fill_pool import SIDES, by_side, fill_pool, one_copy_each
from distill.data.intervals import srcc_within
from distill.data.mos_sets import MOS_SETS, VALIDATION_SHARE, MosSet, MosSetError, split_by_hash
from distill.data.photo_pool import PhotoPool
from distill.data.smoke_photos import write_smoke_photos
from distill.data.training_photos import check_photos
from distill.networks.folding import folded_batchnorms
from distill.networks.student import Student, load_student
from distill.networks.tensors import save_tensors
from distill.stages.live_distillation import LiveConfig, LiveDistillation
from distill.stages.trunk_run import RECORD, SCORES, WEIGHTS
from distill.teacher.clip_features import BlockStatistics, clip_trunk
from distill.teacher.clip_tower import SHA256
from distill.teacher.clip_tower import WEIGHTS as TOWER_WEIGHTS
from distill.teacher.components import principal_components
from distill.teacher.kernel_ridge import fit_kernel_ridge
from distill.teacher.live import LiveTeacher
from distill.teacher.pool_features import features_of_pool, statistics_of
from distill.training.distributed import Process, this_process
from distill.training.run_folder import RunFolder
from distill.training.trainer import TrainerConfig, train

_BASIS_PHOTOS = 12_000  # more do not change the first few hundred components
_BATCH = 64


@dataclass(frozen=True)
class TrunkConfig:
    """What the trunk is trained on, and how.

    Attributes:
        mos_folder: where the MOS set lies.
        pristine: folders of undistorted photos; their severity ladders are made in advance.
        photos: folders of any photos, without scores.
        mos_set: name of the MOS set.
        preset: ``smoke`` runs to the end in a minute, on photos that packages carry.
        run: folder of the run.
        start: a student whose trunk is trained further; by default it is ImageNet's.
        kinds_per_photo: severity ladders of each pristine photo.
        limit: use only so many photos of each folder and of the MOS set; for a trial run.
        seed: of every draw.
        workers: processes that decode and degrade; by default one for each processor.
        trunk: how the trunk learns.
    """

    mos_folder: Path | None = None
    pristine: list[Path] = field(default_factory=list)
    photos: list[Path] = field(default_factory=list)
    mos_set: Literal[tuple(MOS_SETS)] = "biq2021"
    preset: Literal["full", "smoke"] = "full"
    run: Path = Path("runs/trunk")
    start: Path | None = None
    kinds_per_photo: int = 2
    limit: int | None = None
    seed: int = 0
    workers: int = os.cpu_count() or 1
    trunk: LiveConfig = field(default_factory=LiveConfig)


def smoke(config: TrunkConfig) -> TrunkConfig:
    """The same run in small: a few photos, two steps."""
    pristine, scored = write_smoke_photos(config.run / "photos")
    steps = TrainerConfig(steps=2, batch=2, rate=1e-4, average=0.5, every=2, workers=0)
    return replace(
        config,
        mos_folder=scored,
        pristine=[pristine],
        mos_set="own",
        kinds_per_photo=1,
        workers=0,
        trunk=replace(config.trunk, components=8, steps=steps),
    )


def train_trunk(config: TrunkConfig) -> dict[str, object]:
    """Train and write a trunk; returns its figures on held-out photos, which are also written.

    Raises:
        MosSetError: a data folder is missing or empty, scores teach nothing, or photos cannot be used.
        ClipTowerError: CLIP's weights are missing.
        RunError: the run's folder holds another run.
        TrainingStopped: training broke off; the same command goes on.
    """
    if config.preset == "smoke":
        config = smoke(config)
    if config.mos_folder is None or not config.pristine:
        raise MosSetError("a trunk is trained on scores and on undistorted photos: give --mos-folder and --pristine")
    mos_set = MOS_SETS[config.mos_set](config.mos_folder, "train")
    if config.limit is not None:
        mos_set = mos_set.take(np.arange(len(mos_set)) < config.limit)
    held_out = split_by_hash(mos_set.paths, VALIDATION_SHARE)
    check_opinions(mos_set, held_out, within_a_source=True)
    pristine = pristine_photos(config.pristine)[: config.limit]
    others = pristine_photos(config.photos)[: config.limit]
    check_photos([*mos_set.paths, *pristine, *others])
    with this_process() as process:
        copies = severity_ladders(pristine, config.kinds_per_photo, config.seed) + one_copy_each(others, config.seed)
        pools = _fill(mos_set, copies, config, process.device)
        teacher, figures = _teach(pools, mos_set, held_out, config, process)
        torch.manual_seed(config.seed)
        student = Student().eval() if config.start is None else load_student(config.start)
        folder = RunFolder(config.run / "trunk", dataclasses.asdict(config.trunk) | {"seed": config.seed})
        masks = [np.repeat(held_out, 2), *(np.zeros(len(pool), dtype=bool) for pool in pools[1:])]
        with folded_batchnorms(student.trunk):
            stage = LiveDistillation(student, teacher, pools, masks, config.trunk)
            train(stage, config.trunk.steps, folder, config.seed, process)
            figures |= {name: defined(round(value, 4)) for name, value in stage.validate().items()}
            stage.cpu()
    save_tensors(student.state_dict(), config.run / WEIGHTS, {})
    record = {
        "teacher": {"model": "clip-b16", "weights": TOWER_WEIGHTS, "sha256": SHA256},
        "photos": sum(len(pool.undistorted) for pool in pools),
        "copies": sum(len(pool) for pool in pools),
        "trunk": dataclasses.asdict(config.trunk),
        "seed": config.seed,
        "validation": figures,
    }
    with atomic_file(config.run / RECORD) as stream:
        stream.write(json.dumps(record, indent=2, allow_nan=False) + "\n")
    return figures


def _fill(mos_set: MosSet, copies: list[DegradedPhoto], config: TrunkConfig, device: torch.device) -> list[PhotoPool]:
    """The scored photos with a copy each, and then ``copies`` of others by the size that they reach."""
    pools = [fill_pool(one_copy_each(mos_set.paths, config.seed), SIDES[0], device, config.workers)]
    return pools + [fill_pool(own, side, device, config.workers) for side, own in by_side(copies).items()]


def _teach(
    pools: list[PhotoPool], mos_set: MosSet, held_out: np.ndarray, config: TrunkConfig, process: Process
) -> tuple[LiveTeacher, dict[str, object]]:
    """The teacher, and its figures on the held-out photos."""
    scored, rows = pools[0], 2 * np.arange(len(mos_set))
    mos = torch.from_numpy(mos_set.mos).float().to(process.device)
    fitted = torch.from_numpy(~held_out).to(process.device)
    tower = clip_trunk().to(process.device)
    known = features_of_pool(tower, scored, rows)
    ridge = fit_kernel_ridge(known[fitted], mos[fitted], sources=mos_set.sources[~held_out])
    components = principal_components(_of_all(pools, tower, config.seed), config.trunk.components, config.seed)
    half = torch.bfloat16 if process.device.type == "cuda" else torch.float32
    teacher = LiveTeacher(partial(statistics_of, tower.to(half)), components, ridge)
    scores = [_scores_of_undistorted(teacher, pool) for pool in pools]
    teacher.standardize(torch.cat(scores))
    _write_scores(pools, scores, config.run / SCORES)
    judged = scores[0][:, 0].cpu().numpy()[held_out]
    within = srcc_within(judged, mos_set.mos[held_out], mos_set.sources[held_out])
    return teacher, {"components explain": round(components.explained, 4), "held out": len(judged), "within": within}


def _of_all(pools: list[PhotoPool], tower: BlockStatistics, seed: int) -> torch.Tensor:
    """Statistics of photos drawn from all pools alike, degraded ones too."""
    sizes = [len(pool) for pool in pools]
    drawn = np.random.default_rng(seed).permutation(sum(sizes))[:_BASIS_PHOTOS]
    parts, first = [], 0
    for pool, size in zip(pools, sizes):
        own = drawn[(drawn >= first) & (drawn < first + size)] - first
        first += size
        if len(own):
            parts.append(features_of_pool(tower, pool, own))
    return torch.cat(parts)


def _scores_of_undistorted(teacher: LiveTeacher, pool: PhotoPool) -> torch.Tensor:
    rows = torch.tensor(pool.undistorted, device=pool.pixels.device)
    return torch.cat([teacher.scores(pool.pixels[chosen].float() / 255) for chosen in rows.split(_BATCH)])


def _write_scores(pools: list[PhotoPool], scores: list[torch.Tensor], file: Path) -> None:
    with atomic_file(file, newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["name", "score"])
        for pool, own in zip(pools, scores):
            for row, score in zip(pool.undistorted, own[:, 0].tolist()):
                writer.writerow([pool.names[row], f"{score:.4f}"])
