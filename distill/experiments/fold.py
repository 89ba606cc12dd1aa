"""One source of photos left out: teacher and student fitted without it, and what ranks them.

``trained_trunks.py`` goes on from here with steps that train the trunks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from distill.data.degraded_photos import DegradedPhoto, render
from distill.data.mos_sets.photo_set import MosSet
from distill.data.training_photos import network_input
from distill.heads.attributes import AttributesConfig, fit_attributes
from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units
from distill.heads.projection import ProjectionConfig, fit_projection
from distill.networks.student import INPUT_SPEC, Linear, Student, StudentFeatures, stack_heads
from distill.teacher.packaged import Lite2Features, embed_views
from distill.teacher.prompt_scores import Scoring, prompt_scores
from distill.teacher.teacher import Teacher, TeacherConfig
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.frozen_trunk import FrozenTrunk

SCORING: Scoring = TeacherConfig().scoring
_VIEWS = len(INPUT_SPEC.views)


@dataclass(frozen=True)
class Photos:
    """Scored photos and severity ladders, and both frozen trunks' features of all of them.

    Attributes:
        mos_set: scored photos of several sources.
        copies: severity ladders of pristine photos.
        held_out: mask of the copies that nothing learns.
        features: of each trunk, of the scored photos and of the copies.
    """

    mos_set: MosSet
    copies: list[DegradedPhoto]
    held_out: np.ndarray
    features: dict[type[nn.Module], tuple[ScoredFeatures, LadderFeatures]]


class Fold:
    """The packaged teacher and the student, fitted to every source but one.

    Attributes:
        source: the one.
        seen: the scored photos of the others.
        copies: the copies that teach.
        ranked: scored photos of the source that was left out.
        judged: copies that nothing learned.
        text: the teacher's prompts, unit embeddings N×D.
        features: the student's of the scored photos and then of the copies, n×d.
        embedding: the teacher's of all of them, n×D of length 1.
        teacher_features: what its projection reads, n×d.
    """

    def __init__(
        self,
        source: str,
        photos: Photos,
        ranked: int,
        judged: int,
        seed: int,
        pseudo_labels: float,
        load_teacher: Callable[[TeacherConfig], Teacher],
    ) -> None:
        """Fit both.

        Args:
            source: is left out.
            photos: all of them.
            ranked: photos of the source, at most.
            judged: held-out pristine photos with their copies, at most.
            seed: of the choice of photos, and of what starts at random.
            pseudo_labels: share of the teacher's scores in what the student's heads are fitted to.
            load_teacher: makes teachers.
        """
        self.source, self._seed, self._load_teacher = source, seed, load_teacher
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

        def features(trunk: type[nn.Module]) -> tuple[ScoredFeatures, LadderFeatures]:
            scored, ladders = photos.features[trunk]
            return scored.take(use), ladders.without(held_out)

        self._for_teacher = features(Lite2Features)
        self.text = load_teacher(TeacherConfig()).text().detach()
        self._projection = self._project(self.text)
        embedding = [embed_views(part.features, *self._projection) for part in self._for_teacher]
        scored, ladders = features(StudentFeatures)
        labels = prompt_scores(embedding[0], self.text, SCORING).score
        targets = scored.blended(labels, pseudo_labels)
        attributes = fit_attributes(ladders, targets.features, AttributesConfig())
        self._heads = stack_heads(fit_hidden_units(targets, ladders, HiddenUnitsConfig(), seed), attributes)
        self.features = torch.cat([scored.features, ladders.features])
        self.embedding = torch.cat(embedding)
        self.teacher_features = torch.cat([part.features for part in self._for_teacher])

    def student(self) -> Student:
        """A new one with the fitted heads."""
        student = Student()
        student.heads.set_linear(*self._heads)
        return student.eval()

    def teacher(self, context_tokens: int) -> Teacher:
        """A new one with the fitted projection; a learnable context has its own, since it starts at random."""
        torch.manual_seed(self._seed)
        teacher = self._load_teacher(TeacherConfig(context_tokens=context_tokens))
        own_text = teacher.text().detach()
        teacher.take_projection(*(self._project(own_text) if context_tokens else self._projection))
        return teacher

    def outputs(self, network: nn.Module) -> np.ndarray:
        """The first outputs of ``network``, n×d, of the ranked photos and then of the judged copies."""
        program = FrozenTrunk(network, INPUT_SPEC)
        photos = (network_input(path, INPUT_SPEC) for path in self.ranked.paths)
        copies = (render(copy, INPUT_SPEC) for copy in self.judged)
        return np.stack([program(views) for part in (photos, copies) for views in part])

    def _project(self, text: torch.Tensor) -> Linear:
        return fit_projection(*self._for_teacher, _VIEWS, text, SCORING, ProjectionConfig())
