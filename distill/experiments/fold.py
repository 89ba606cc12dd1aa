"""One source of photos left out: teacher and student fitted without it, and what ranks them.

``trained_trunks.py`` goes on from here with steps that train the trunks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pocketiqa.preprocess import preprocess
from torch import nn

from distill.data.degraded_photos import DegradedPhoto, render, severity_ladders
from distill.data.mos_sets import MosSet, split_by_hash
from distill.data.training_photos import read_photo
from distill.experiments.ablation import KINDS_PER_PHOTO, without
from distill.heads.frozen_features import FrozenTrunk, StudentFeatures, ladders_of, opinions_of
from distill.heads.hidden_units import HingeConfig, fit_hinges
from distill.heads.linear import HeadConfig, Ladders, Opinions, fit_heads
from distill.heads.projection import ProjectionConfig, embed_views, fit_projection
from distill.networks.student import INPUT_SPEC, Student
from distill.stages.distil_student import DistilConfig, prepare_lesson
from distill.stages.distillation import Lesson
from distill.teacher.packaged import Lite2Features
from distill.teacher.teacher import Scoring, Teacher, TeacherConfig, load_teacher, read_prompts

SCORING: Scoring = TeacherConfig().scoring
_VIEWS = len(INPUT_SPEC.views)


@dataclass(frozen=True)
class Photos:
    """Scored photos and ladders, and both frozen trunks' features of all of them.

    Attributes:
        mos_set: scored photos of several sources.
        copies: of ladders of pristine photos.
        held_out: mask of the copies that nothing learns.
        features: of each trunk, of the scored photos and of the copies.
    """

    mos_set: MosSet
    copies: list[DegradedPhoto]
    held_out: np.ndarray
    features: dict[type[nn.Module], tuple[Opinions, Ladders]]


def photos_and_features(mos_set: MosSet, pristine: list[Path], seed: int, cache: Path) -> Photos:
    """Features come from ``cache`` where they are there; a tenth of the pristine photos is held out."""
    features = {}
    for module in (StudentFeatures, Lite2Features):
        trunk = FrozenTrunk(module())
        on_ladders = ladders_of(pristine, KINDS_PER_PHOTO, seed, trunk, cache)
        features[module] = opinions_of(mos_set, trunk, cache), on_ladders
    copies = severity_ladders(pristine, KINDS_PER_PHOTO, seed)
    return Photos(mos_set, copies, split_by_hash([copy.photo for copy in copies], 0.1), features)


class Fold:
    """The packaged teacher and the student, fitted to every source but one.

    Attributes:
        source: the one.
        seen: the scored photos of the others.
        copies: the copies that teach.
        ranked: scored photos of the source that was left out.
        judged: copies that nothing learned.
    """

    def __init__(self, source: str, photos: Photos, ranked: int, judged: int, seed: int) -> None:
        """Fit both.

        Args:
            source: is left out.
            photos: all of them.
            ranked: photos of the source, at most.
            judged: held-out pristine photos with their copies, at most.
            seed: of the choice of photos, and of what starts at random.
        """
        self.source, self._seed = source, seed
        mos_set, held_out = photos.mos_set, photos.held_out
        use = mos_set.sources != source
        self.seen = mos_set.take(use)
        self.copies = [copy for copy, out in zip(photos.copies, held_out) if not out]
        chosen = np.random.default_rng(seed).permutation(np.flatnonzero(~use))[:ranked]
        self.ranked = mos_set.take(np.isin(np.arange(len(mos_set)), chosen))
        # By name: where a machine keeps its photos must not choose them.
        unlearnt = {copy.photo for copy, out in zip(photos.copies, held_out) if out}
        shown = sorted(unlearnt, key=lambda photo: photo.name)[:judged]
        self.judged = [copy for copy in photos.copies if copy.photo in shown]

        def features(trunk: type[nn.Module]) -> tuple[Opinions, Ladders]:
            opinions, copies = photos.features[trunk]
            return opinions.take(use), without(copies, held_out)

        self._for_teacher = features(Lite2Features)
        self.text = load_teacher(TeacherConfig()).text().detach()
        self._projection = self._project(self.text)
        embedding = [embed_views(part.features, *self._projection) for part in self._for_teacher]
        opinions, copies = features(StudentFeatures)
        told = read_prompts(embedding[0], self.text, SCORING).score
        targets = opinions.blended(told, DistilConfig().told)
        self._heads = fit_hinges(targets, copies, fit_heads(targets, copies, HeadConfig()), HingeConfig(), seed)
        lesson = prepare_lesson(
            self.seen, self.copies, torch.cat([opinions.features, copies.features]), torch.cat(embedding)
        )
        # What ranks is the source left out; figures on the others would cost more than the steps do.
        self.lesson: Lesson = replace(lesson, held_out=np.zeros(len(lesson.copies), dtype=bool))

    def student(self) -> Student:
        """A new one with the fitted heads."""
        student = Student()
        student.heads.set_linear(*self._heads)
        return student.eval()

    def teacher(self, context_tokens: int) -> Teacher:
        """A new one with the fitted projection; a learnable context has its own, since it starts at random."""
        torch.manual_seed(self._seed)
        teacher = load_teacher(TeacherConfig(context_tokens=context_tokens))
        own_text = teacher.text().detach()
        teacher.take_projection(*(self._project(own_text) if context_tokens else self._projection))
        return teacher

    def outputs(self, network: nn.Module) -> np.ndarray:
        """The first outputs of ``network``, n×d, of the ranked photos and then of the judged copies."""
        program = FrozenTrunk(network)
        photos = (preprocess(read_photo(path), INPUT_SPEC) for path in self.ranked.paths)
        copies = (render(copy, INPUT_SPEC) for copy in self.judged)
        return np.stack([program(views) for part in (photos, copies) for views in part])

    def _project(self, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return fit_projection(*self._for_teacher, _VIEWS, text, SCORING, ProjectionConfig())
