"""Stage C: the student takes over the teacher, image side and text side, on photos with and without scores.

After "Visual-language model knowledge distillation for IQA" (arXiv 2507.15680), in our reading: the student's
features are projected into the teacher's embedding space, and the projection is asked the teacher's own prompts, so
that the student learns what the teacher sees (embedding) and says (grades and pairs). Beside them the score, and
which of two photos is better. The projections and every auxiliary head are dropped afterwards. The student's own heads
stay as they were fitted, and are fitted again afterwards: steps on raw features undo what the fit's penalty was chosen
for.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from pocketiqa.parity import srcc
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from distill.degradations.degrade import KINDS, LEVELS
from distill.heads.embedding import fit_embedding
from distill.networks.student import WIDTH, Student, quality_of
from distill.stages.distillation_losses import (
    confidence,
    embedding_mse,
    grade_divergence,
    pair_divergence,
    privileged_scores,
)
from distill.stages.lesson import Lesson
from distill.teacher.components import principal_components
from distill.teacher.prompt_scores import PromptScores, Scoring, prompt_scores
from distill.training.losses import fidelity_loss, masked_mse, plcc_loss, weighted_mean
from distill.training.trainer import Objective

_REDUCTION = 32  # of the trunk's last stage
_CLASSES = 1 + len(KINDS) * len(LEVELS)


@dataclass(frozen=True)
class DistillationConfig:
    """Weights of stage C's terms; 0 switches one off.

    Attributes:
        opinions: squared error and correlation with people's scores, where a photo has one.
        attributes: squared error of the attributes on degraded photos.
        features: squared error to the principal components of the teacher's features, before its projection.
        embedding: squared error to the teacher's embedding (of order 1e-3, hence its weight).
        grades: divergence from the teacher's grades.
        pairs: divergence from the teacher's antonym pairs.
        score: squared error to the teacher's score.
        ranking: which of two photos the teacher prefers.
        kinds: an auxiliary head that names kind and level of a degradation (after CONTRIQUE).
        keep_features: stay near the features that the student started with.
        confident: weigh each photo by the teacher's confidence.
        privileged: let the teacher's scores fall along each ladder, as if it saw the reference (after CKDN).
        trunk_rate: the trunk's share of the learning rate, which the projection has whole.
        frozen_stages: so many of the trunk's stages, from the first, stay as they are, and its stem with them.
        components: how many of them.
        window: side in pixels, a multiple of 32, of the windows that the trunk sees of each view, drawn anew in every
            step; None for the views as the student sees them.
    """

    opinions: float = 1.0
    attributes: float = 1.0
    features: float = 0.0
    embedding: float = 100.0
    grades: float = 0.1
    pairs: float = 0.1
    score: float = 1.0
    ranking: float = 1.0
    kinds: float = 0.0
    keep_features: float = 1.0
    confident: bool = True
    privileged: bool = True
    trunk_rate: float = 0.05
    frozen_stages: int = 0
    components: int = 128
    window: int | None = None


class DistillationStage(Objective):
    """Rows are a ``Lesson``'s."""

    def __init__(
        self, student: Student, lesson: Lesson, text: torch.Tensor, scoring: Scoring, config: DistillationConfig
    ) -> None:
        """Take what is taught.

        Raises:
            ValueError: the trunk would not learn, a window does not suit it, or what a term needs is not there.
        """
        super().__init__()
        if not config.trunk_rate > 0:
            raise ValueError(
                f"the trunk would not learn at --distil.loss.trunk-rate {config.trunk_rate:g}: give a share above 0, "
                "or --distil.steps.steps 0 for no steps"
            )
        if config.window is not None and (config.window < _REDUCTION or config.window % _REDUCTION):
            raise ValueError(f"--distil.loss.window is {config.window}; it must be a multiple of {_REDUCTION}")
        self.student, self.config = student, config
        self._lesson, self._scoring = lesson, scoring
        teaching = torch.from_numpy(~lesson.held_out)
        self.projection = fit_embedding(lesson.features[teaching], lesson.embedding[teaching])
        if config.features:
            if lesson.teacher_features is None:
                raise ValueError("the lesson has no teacher's features, and --distil.loss.features asks for them")
            basis = principal_components(lesson.teacher_features[teaching], config.components)
            self._components = basis.of(lesson.teacher_features)
            self.to_components = fit_embedding(lesson.features[teaching], self._components[teaching])
            self.register_buffer("component_weights", basis.weights)
        self.kind_head = nn.Linear(len(student.heads.local) * WIDTH, _CLASSES)
        self.register_buffer("text", text)
        student.trunk.requires_grad_(True)
        student.heads.requires_grad_(False)
        if config.frozen_stages:
            student.trunk.stem.requires_grad_(False)
            student.trunk.stages[: config.frozen_stages].requires_grad_(False)
        # In a list, so that it is no part of what is trained or saved.
        self._start = [deepcopy(student).requires_grad_(False).eval()]
        taught = prompt_scores(lesson.embedding, text, scoring)
        self._score = _falling_along(lesson.ladders, taught) if config.privileged else taught.score

    def groups(self) -> list[list[int]]:
        """The training rows of each source."""
        sources, held_out = self._lesson.sources, self._lesson.held_out
        groups = [np.flatnonzero((sources == name) & ~held_out).tolist() for name in np.unique(sources)]
        return [rows for rows in groups if rows]

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        """``views`` B×V×3×H×W, or windows of them, half of the photos mirrored, and every target of these rows."""
        lesson, window = self._lesson, self.config.window
        random = np.random.default_rng(seed)
        pixels = [lesson.views(row) if window is None else lesson.windows(row, window, random) for row in rows]
        views = torch.from_numpy(np.stack(pixels))
        mirrored = torch.rand(len(rows), generator=torch.Generator().manual_seed(seed)) < 0.5
        views[mirrored] = views[mirrored].flip(-1)
        known = {"components": self._components[rows]} if self.config.features else {}
        return known | {
            "views": views,
            "embedding": lesson.embedding[rows],
            "score": self._score[rows],
            "mos": lesson.mos[rows],
            "attributes": lesson.attributes[rows],
            "kind": lesson.kinds[rows],
        }

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The terms whose weight is not 0, each weighted."""
        config = self.config
        # A CPU trains depthwise convolutions faster in this order.
        flat = batch["views"].flatten(0, 1).contiguous(memory_format=torch.channels_last)
        features = self.student.features(flat).reshape(len(batch["views"]), -1)
        quality = quality_of(features, *self.student.heads.linear())
        teacher = prompt_scores(batch["embedding"], self.text, self._scoring)
        student = prompt_scores(normalize(self.projection(features), dim=1), self.text, self._scoring)
        trust = confidence(teacher.grades) if config.confident else torch.ones_like(teacher.score)

        def trusted(by_photo: torch.Tensor) -> torch.Tensor:
            return weighted_mean(by_photo, trust)

        score = quality[:, 0]
        known = ~batch["mos"].isnan()
        terms = {
            "opinions": lambda: _agreement(score[known], batch["mos"][known]),
            "attributes": lambda: masked_mse(quality[:, 1:], batch["attributes"]),
            "features": lambda: self._component_error(features, batch["components"]),
            "embedding": lambda: trusted(embedding_mse(student.embedding, teacher.embedding)),
            "grades": lambda: trusted(grade_divergence(student.grades, teacher.grades)),
            "pairs": lambda: trusted(pair_divergence(student.pairs, teacher.pairs)),
            "score": lambda: trusted((score - batch["score"]).square()),
            "ranking": lambda: fidelity_loss(score, batch["score"], trust),
            "kinds": lambda: _named(self.kind_head(features), batch["kind"]),
            "keep_features": lambda: self._drift(flat, features),
        }
        return {name: getattr(config, name) * term() for name, term in terms.items() if getattr(config, name)}

    def parameter_groups(self, rate: float) -> list[dict[str, object]]:
        """The trunk learns at a share of the rate."""
        learnt = [(name.startswith("student.trunk."), p) for name, p in self.named_parameters() if p.requires_grad]
        trunk, others = ([p for inside, p in learnt if inside is part] for part in (True, False))
        return [{"params": trunk, "lr": rate * self.config.trunk_rate}, {"params": others, "lr": rate}]

    def train(self, mode: bool = True) -> DistillationStage:
        """BatchNorm keeps the statistics that the trunk was trained with."""
        super().train(mode)
        self.student.eval()
        return self

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """On held-out photos: SRCC with people within each source that has scores, and with the teacher over all."""
        lesson = self._lesson
        rows = np.flatnonzero(lesson.held_out)
        if len(rows) < 3:
            return {}
        device = self.text.device
        inputs = (torch.from_numpy(lesson.views(row)).to(device) for row in rows)
        scores = np.array([self.student(views)[0][0, 0].item() for views in inputs])
        figures = {"srcc teacher": srcc(scores, self._score[rows].numpy())}
        for name in np.unique(lesson.sources[rows]):
            inside = (lesson.sources[rows] == name) & ~lesson.mos[rows].isnan().numpy()
            if inside.sum() > 2:
                figures[f"srcc {name}"] = srcc(scores[inside], lesson.mos[rows[inside]].numpy())
        return figures

    def _component_error(self, features: torch.Tensor, components: torch.Tensor) -> torch.Tensor:
        return ((self.to_components(features) - components).square() * self.component_weights).mean()

    def _drift(self, views: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        start = self._start[0].to(views.device)
        with torch.no_grad():
            before = start.features(views).reshape(features.shape)
        return ((features - before).square().sum(1) / before.square().sum(1)).mean()


def _agreement(score: torch.Tensor, mos: torch.Tensor) -> torch.Tensor:
    if len(score) < 2:
        return score.sum() * 0
    return (score - mos).square().mean() + 0.1 * plcc_loss(score, mos)


def _named(logits: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    known = kind >= 0
    return cross_entropy(logits[known], kind[known]) if known.any() else logits.sum() * 0


def _falling_along(ladders: list[list[int]], teacher: PromptScores) -> torch.Tensor:
    """The teacher's scores, falling from every clean photo along each of its ladders."""
    score = teacher.score.clone()
    trust = confidence(teacher.grades).numpy() + 1e-3
    for rows in ladders:
        falling = privileged_scores(teacher.score[rows].numpy(), trust[rows])
        score[rows[1:]] = torch.from_numpy(falling[1:]).float()
    return score
