"""One source of photos left out: teacher and student fitted without it, and what ranks them.

``trained_trunks.py`` goes on from here with steps that train the trunks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from distill.data.degraded_photos import DegradedPhoto, render
from distill.data.mos_sets.photo_set import MosSet
from distill.data.training_photos import network_input
from distill.heads.attributes import AttributesConfig, fit_attributes
from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units
from distill.heads.projection import ProjectionConfig, fit_projection
from distill.networks.student import Linear, Student, stack_heads
from distill.teacher.packaged import embed_views
from distill.teacher.prompt_scores import Scoring, prompt_scores
from distill.teacher.teacher import Teacher, TeacherConfig
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.frozen_features import PooledFeatures

SCORING: Scoring = TeacherConfig().scoring


@dataclass(frozen=True)
class Photos:
    """Scored photos and severity ladders, and both frozen trunks' features of all of them.

    Attributes:
        mos_set: scored photos of several sources.
        copies: severity ladders of pristine photos.
        held_out: mask of the copies that nothing learns.
        student: its trunk's features of the scored photos and of the copies.
        teacher: the same of the teacher's.
    """

    mos_set: MosSet
    copies: list[DegradedPhoto]
    held_out: np.ndarray
    student: tuple[ScoredFeatures, LadderFeatures]
    teacher: tuple[ScoredFeatures, LadderFeatures]


class Fold:
    """The packaged teacher and the student, fitted to every source but one when they are first asked for.

    Attributes:
        source: the one.
        seen: the scored photos of the others.
        copies: the copies that teach.
        ranked: scored photos of the source that was left out.
        judged: copies that nothing learned.
        text: the teacher's prompts, unit embeddings N×D.
    """

    def __init__(
        self,
        source: str,
        photos: Photos,
        ranked: int,
        judged: int,
        seed: int,
        pseudo_labels: float,
        make_teacher: Callable[[int], Teacher],
        make_student: Callable[[], Student] = Student,
    ) -> None:
        """Choose the photos.

        Args:
            source: is left out.
            photos: all of them.
            ranked: photos of the source, at most.
            judged: held-out pristine photos with their copies, at most.
            seed: of the choice of photos, and of what starts at random.
            pseudo_labels: share of the teacher's scores in what the student's heads are fitted to.
            make_teacher: makes the packaged teacher whose features ``photos`` has, with so many learnable words.
            make_student: makes the student whose trunk's features it has; the heads are fitted here.
        """
        self.source = source
        self._photos, self._seed, self._pseudo_labels = photos, seed, pseudo_labels
        self._make_teacher, self._make_student = make_teacher, make_student
        mos_set, held_out = photos.mos_set, photos.held_out
        self._use = mos_set.sources != source
        self.seen = mos_set.take(self._use)
        self.copies = [copy for copy, out in zip(photos.copies, held_out) if not out]
        chosen = np.random.default_rng(seed).permutation(np.flatnonzero(~self._use))[:ranked]
        self.ranked = mos_set.take(np.isin(np.arange(len(mos_set)), chosen))
        # By name: where a machine keeps its photos must not choose them.
        unlearnt = {copy.photo for copy, out in zip(photos.copies, held_out) if out}
        shown = sorted(unlearnt, key=lambda photo: photo.name)[:judged]
        self.judged = [copy for copy in photos.copies if copy.photo in shown]
        packaged = make_teacher(0)
        self.text, self._views = packaged.text().detach(), len(packaged.input.views)

    def student(self) -> Student:
        """A new one with the fitted heads."""
        student = self._make_student()
        student.heads.set_linear(*self._heads)
        return student.eval()

    def teacher(self, context_tokens: int) -> Teacher:
        """A new one with the fitted projection; a learnable context has its own, since it starts at random."""
        torch.manual_seed(self._seed)
        teacher = self._make_teacher(context_tokens)
        own_text = teacher.text().detach()
        teacher.take_projection(*(self._project(own_text) if context_tokens else self._projection))
        return teacher

    def outputs(self, network: PooledFeatures) -> np.ndarray:
        """What ``network`` gives, n×d, for the ranked photos and then for the judged copies."""
        photos = (network_input(path, network.input) for path in self.ranked.paths)
        copies = (render(copy, network.input) for copy in self.judged)
        return np.stack([network(views) for part in (photos, copies) for views in part])

    @property
    def features(self) -> torch.Tensor:
        """The student's of the scored photos and then of the copies, n×d."""
        return torch.cat([part.features for part in self._learnt(self._photos.student)])

    @property
    def teacher_features(self) -> torch.Tensor:
        """What the teacher's projection reads of all of them, n×d; not held, since CLIP's are a gigabyte."""
        return torch.cat([part.features for part in self._learnt(self._photos.teacher)])

    @cached_property
    def embedding(self) -> torch.Tensor:
        """The teacher's of all of them, n×D of length 1."""
        return torch.cat([embed_views(part.features, *self._projection) for part in self._learnt(self._photos.teacher)])

    @cached_property
    def _projection(self) -> Linear:
        return self._project(self.text)

    @cached_property
    def _heads(self) -> Linear:
        scored, ladders = self._learnt(self._photos.student)
        labels = prompt_scores(self.embedding[: len(self.seen)], self.text, SCORING).score
        targets = scored.blended(labels, self._pseudo_labels)
        attributes = fit_attributes(ladders, targets.features, AttributesConfig())
        return stack_heads(fit_hidden_units(targets, ladders, HiddenUnitsConfig(), self._seed), attributes)

    def _project(self, text: torch.Tensor) -> Linear:
        """Within the prompts' span, which is all that the fit's losses see: 31 rows to fit in the place of 384."""
        span = torch.linalg.svd(text.t(), full_matrices=False).U
        learnt = self._learnt(self._photos.teacher)
        weight, bias = fit_projection(*learnt, self._views, text @ span, SCORING, ProjectionConfig())
        return span @ weight, span @ bias

    def _learnt(self, features: tuple[ScoredFeatures, LadderFeatures]) -> tuple[ScoredFeatures, LadderFeatures]:
        scored, ladders = features
        return scored.take(self._use), ladders.without(self._photos.held_out)
