"""Train a teacher: stage A on pristine photos, stage B on mean opinion scores.

    python -m distill teacher --teacher.model RN50:openai --pristine DIR --mos-folder DIR --run runs/teacher

Several processes: ``torchrun --nproc_per_node N -m distill teacher …``. A run that was stopped goes on where its last
checkpoint was. Its ``teacher.safetensors`` is what ``python -m distill student --teacher RUN`` distils.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pocketiqa.parity import srcc

from distill.data.degraded_photos import pristine_photos, severity_ladders
from distill.data.enough import check_opinions, defined
from distill.data.mos_sets import MOS_SETS, VALIDATION_SHARE, MosSet, MosSetError, split_by_hash
from distill.data.smoke_photos import write_smoke_photos
from distill.data.training_photos import check_photos
from distill.heads.projection import ProjectionConfig, fit_projection
from distill.stages.alignment import AlignmentConfig, AlignmentStage
from distill.stages.opinions import OpinionConfig, OpinionStage
from distill.teacher.load import load_teacher, save_trained_teacher
from distill.teacher.packaged import PACKAGED, embed_views
from distill.teacher.packaged_features import packaged_features
from distill.teacher.prompt_scores import prompt_scores
from distill.teacher.teacher import Teacher, TeacherConfig
from distill.training.distributed import this_process
from distill.training.feature_sets import ladder_features, scored_features
from distill.training.features import ScoredFeatures
from distill.training.run_folder import RunFolder
from distill.training.trainer import TrainerConfig, train


@dataclass(frozen=True)
class TeacherRunConfig:
    """What the teacher is trained on, and how.

    Attributes:
        run: folder of the run.
        pristine: folders of undistorted photos, for stage A and the probe.
        mos_set: names of MOS sets, for stage B.
        mos_folder: where each of them lies.
        preset: ``smoke`` runs both stages to their end in a minute, on photos that packages carry.
        keep_start: share of the starting image tower in the final one (WiSE-FT), 0 to 1.
        seed: of every draw.
        cache: where the features of a packaged teacher's frozen trunk are kept.
        teacher: which one.
        kinds_per_photo: degradation ladders of each pristine photo, for the probe.
        probe: a packaged teacher's projection, fitted to scores and ladders before any stage; 0 iterations leave it
            out.
        alignment: stage A's losses.
        alignment_steps: stage A's steps and rates.
        opinions: stage B's losses.
        opinion_steps: stage B's steps and rates.
    """

    run: Path
    pristine: list[Path] = field(default_factory=list)
    mos_set: list[Literal[tuple(MOS_SETS)]] = field(default_factory=list)
    mos_folder: list[Path] = field(default_factory=list)
    preset: Literal["full", "smoke"] = "full"
    keep_start: float = 0.0
    seed: int = 0
    kinds_per_photo: int = 2
    cache: Path = Path("runs/cache")
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    probe: ProjectionConfig = field(default_factory=ProjectionConfig)
    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    alignment_steps: TrainerConfig = field(default_factory=lambda: TrainerConfig(rate=1e-6))
    opinions: OpinionConfig = field(default_factory=OpinionConfig)
    opinion_steps: TrainerConfig = field(default_factory=lambda: TrainerConfig(rate=5e-6, batch=16))


def smoke(config: TeacherRunConfig) -> TeacherRunConfig:
    """The same run in small: a few photos, three steps a stage, every switch on."""
    pristine, scored = write_smoke_photos(config.run / "photos")
    steps = TrainerConfig(steps=3, batch=2, rate=1e-4, every=3)
    return replace(
        config,
        pristine=[pristine],
        mos_set=["own"],
        mos_folder=[scored],
        cache=config.run / "cache",
        probe=ProjectionConfig(iterations=5),
        alignment=AlignmentConfig(crop=96, levels=2, attributes=1.0, symmetric=1.0),
        alignment_steps=steps,
        opinions=OpinionConfig(height=96, width=96),
        opinion_steps=replace(steps, batch=4),
    )


def train_teacher(config: TeacherRunConfig) -> dict[str, float | None]:
    """Train, write ``teacher.safetensors`` into the run's folder, and return its validation figures; one that is not
    defined is None.

    Raises:
        MosSetError: a data folder is missing, sets and folders do not pair up, scores teach nothing, or photos
            cannot be read.
        TeacherError: there is no such teacher.
        RunError: the folder holds another run.
        TrainingStopped: the run broke off.
    """
    if config.preset == "smoke":
        config = smoke(config)
    if len(config.mos_set) != len(config.mos_folder):
        raise MosSetError(
            f"{len(config.mos_set)} --mos-set and {len(config.mos_folder)} --mos-folder; give a folder for every set"
        )
    photos = pristine_photos(config.pristine)
    mos_sets = [MOS_SETS[name](folder, "train") for name, folder in zip(config.mos_set, config.mos_folder)]
    if config.alignment_steps.steps and not photos:
        raise MosSetError("stage A needs undistorted photos: give --pristine, or --alignment-steps.steps 0 for none")
    if config.opinion_steps.steps and not mos_sets:
        raise MosSetError("stage B needs scores: give --mos-set and --mos-folder, or --opinion-steps.steps 0 for none")
    for mos_set in mos_sets:
        check_opinions(mos_set, split_by_hash(mos_set.paths, VALIDATION_SHARE))
    folders = {stage: RunFolder(config.run / stage, dataclasses.asdict(config)) for stage in ("alignment", "opinions")}
    check_photos([*photos, *(path for mos_set in mos_sets for path in mos_set.paths)])
    # Every process, and every restart, must draw the same weights where the model begins with random ones.
    torch.manual_seed(config.seed)
    teacher = load_teacher(config.teacher)
    figures = {}
    if config.teacher.model in PACKAGED and mos_sets and config.probe.iterations:
        figures = _fit_projection(teacher, mos_sets, photos, config)
    start = {name: tensor.clone() for name, tensor in teacher.learnt().state_dict().items()}
    with this_process() as process:
        if config.alignment_steps.steps:
            stage = AlignmentStage(teacher, photos, config.alignment)
            train(stage, config.alignment_steps, folders["alignment"], config.seed, process)
        trained = config.alignment_steps.steps or config.opinion_steps.steps
        if mos_sets and (trained or not figures):
            stage = OpinionStage(teacher, mos_sets, config.opinions)
            if config.opinion_steps.steps:
                train(stage, config.opinion_steps, folders["opinions"], config.seed, process)
            figures = stage.validate()
        figures = {name: defined(figure) for name, figure in figures.items()}
        _keep_start(teacher, start, config.keep_start)
        if process.rank == 0:
            save_trained_teacher(teacher.cpu(), config.run, figures)
    return figures


def _fit_projection(
    teacher: Teacher, mos_sets: list[MosSet], photos: list[Path], config: TeacherRunConfig
) -> dict[str, float]:
    """Fit a packaged teacher's projection to people's scores and to ladders, on features of its frozen trunk.

    Returns:
        SRCC within each source, on photos that were held out.
    """
    trunk = packaged_features(config.teacher.model)
    sets = [scored_features(mos_set, trunk, config.cache) for mos_set in mos_sets]
    sources = [np.char.add(f"{mos_set.name} ", mos_set.sources.astype(str)) for mos_set in mos_sets]
    scored = ScoredFeatures(
        torch.cat([one.features for one in sets]), torch.cat([one.mos for one in sets]), np.concatenate(sources)
    )
    held_out = split_by_hash([path for mos_set in mos_sets for path in mos_set.paths], VALIDATION_SHARE)
    copies = severity_ladders(photos, config.kinds_per_photo, config.seed)
    ladders = ladder_features(copies, trunk, config.cache) if copies else None
    text, scoring = teacher.text().detach(), config.teacher.scoring
    views = len(trunk.input.views)
    fitted = fit_projection(scored.take(~held_out), ladders, views, text, scoring, config.probe)
    teacher.take_projection(*fitted)
    rest = scored.take(held_out)
    score = prompt_scores(embed_views(rest.features, *fitted), text, scoring).score.numpy()
    rows = {str(name): rest.sources == name for name in np.unique(rest.sources)}
    return {f"srcc {name}": srcc(score[own], rest.mos[own].numpy()) for name, own in rows.items() if own.sum() > 2}


@torch.no_grad()
def _keep_start(teacher: Teacher, start: dict[str, torch.Tensor], share: float) -> None:
    if share:
        for name, tensor in teacher.learnt().state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(start[name].to(tensor.device), share)
