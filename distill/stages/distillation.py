"""Stage C: the student takes over the teacher, image side and text side, on photos with and without scores.

After "Visual-language model knowledge distillation for IQA" (arXiv 2507.15680), in our reading: the student's
features are projected into the teacher's embedding space, and the projection is asked the teacher's own prompts, so
that the student learns what the teacher sees (embedding) and says (grades and pairs). Beside them the score, and
which of two photos is better. The projection and every auxiliary head are dropped afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from pocketiqa.parity import srcc
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from distill.data.degraded_photos import DegradedPhoto
from distill.degradations.degrade import KINDS, LEVELS
from distill.networks.student import WIDTH, Student, quality_of
from distill.stages.distillation_losses import (
    confidence,
    embedding_cosine,
    embedding_mse,
    grade_divergence,
    pair_divergence,
    privileged_scores,
)
from distill.teacher.teacher import Reading, Scoring, read_prompts
from distill.training.losses import fidelity_loss, masked_mse, plcc_loss, weighted_mean
from distill.training.trainer import Objective

_CLASSES = 1 + len(KINDS) * len(LEVELS)
# Of standardized features' unit variance: enough where photos are fewer than features.
_RIDGE = 0.1


@dataclass(frozen=True)
class DistillationConfig:
    """Weights of stage C's terms; 0 switches one off.

    Attributes:
        opinions: squared error and correlation with people's scores, where a photo has one.
        attributes: squared error of the attributes on degraded photos.
        embedding: squared error to the teacher's embedding (of order 1e-3, hence its weight).
        cosine: angle to the teacher's embedding.
        grades: divergence from the teacher's grades.
        pairs: divergence from the teacher's antonym pairs.
        score: squared error to the teacher's score.
        ranking: which of two photos the teacher prefers.
        confident: weigh each photo by the teacher's confidence.
        privileged: let the teacher's scores fall along each ladder, as if it saw the reference (after CKDN).
        kinds: an auxiliary head that names kind and level of a degradation (after CONTRIQUE).
        keep_features: stay near the features that the student started with.
        trunk_rate: the trunk's share of the learning rate, which the projection has whole; 0 freezes it.
        heads_rate: the heads' share; 0 keeps them as they were fitted. On raw features a step of the rate is large, and
            undoes what the fit's penalty was chosen for.
        frozen_stages: so many of the trunk's stages, from the first, stay as they are, and its stem with them.
    """

    opinions: float = 1.0
    attributes: float = 1.0
    embedding: float = 100.0
    cosine: float = 0.0
    grades: float = 0.1
    pairs: float = 0.1
    score: float = 1.0
    ranking: float = 1.0
    confident: bool = True
    privileged: bool = True
    kinds: float = 0.0
    keep_features: float = 1.0
    trunk_rate: float = 0.05
    heads_rate: float = 0.0
    frozen_stages: int = 0


@dataclass(frozen=True)
class Lesson:
    """Everything stage C knows about n photos, and how to see them.

    Attributes:
        copies: photo and degradation of each row.
        views: from a row to the student's input, float32 V×3×H×W in [0, 1].
        features: the student's own at its start, n×d.
        embedding: the teacher's, n×D of length 1.
        mos: people's scores n in [0, 1], NaN where there is none.
        attributes: targets n×6 in [0, 1], NaN where unknown.
        sources: n names; a batch is of one source.
        held_out: mask n; these photos validate and teach nothing.
    """

    copies: list[DegradedPhoto]
    views: Callable[[int], np.ndarray]
    features: torch.Tensor
    embedding: torch.Tensor
    mos: torch.Tensor
    attributes: torch.Tensor
    sources: np.ndarray
    held_out: np.ndarray


class DistillationStage(Objective):
    """Rows are a ``Lesson``'s."""

    def __init__(
        self, student: Student, lesson: Lesson, text: torch.Tensor, scoring: Scoring, config: DistillationConfig
    ) -> None:
        """Take what is taught.

        Raises:
            ValueError: neither trunk nor heads would learn.
        """
        super().__init__()
        if not (config.trunk_rate or config.heads_rate):
            raise ValueError(
                "neither trunk nor heads would learn: give --distil.loss.trunk-rate or --distil.loss.heads-rate above "
                "0, or no steps"
            )
        self.student, self.config = student, config
        self._lesson, self._scoring = lesson, scoring
        width = len(student.heads.local) * WIDTH
        self.projection = _probe(lesson)
        self.kind_head = nn.Linear(width, _CLASSES)
        self.register_buffer("text", text)
        student.trunk.requires_grad_(config.trunk_rate > 0)
        student.heads.requires_grad_(config.heads_rate > 0)
        if config.frozen_stages:
            student.trunk.stem.requires_grad_(False)
            student.trunk.stages[: config.frozen_stages].requires_grad_(False)
        # In a list, so that it is no part of what is trained or saved.
        self._start = [deepcopy(student).requires_grad_(False).eval()]
        told = read_prompts(lesson.embedding, text, scoring)
        self._score = _privileged(lesson.copies, told) if config.privileged else told.score

    def groups(self) -> list[list[int]]:
        """The training rows of each source."""
        sources, held_out = self._lesson.sources, self._lesson.held_out
        groups = [np.flatnonzero((sources == name) & ~held_out).tolist() for name in np.unique(sources)]
        return [rows for rows in groups if rows]

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        """``views`` B×V×3×H×W, half of the photos mirrored, and every target of these rows."""
        lesson = self._lesson
        views = torch.stack([torch.from_numpy(lesson.views(row)) for row in rows])
        mirrored = torch.rand(len(rows), generator=torch.Generator().manual_seed(seed)) < 0.5
        views[mirrored] = views[mirrored].flip(-1)
        return {
            "views": views,
            "embedding": lesson.embedding[rows],
            "score": self._score[rows],
            "mos": lesson.mos[rows],
            "attributes": lesson.attributes[rows],
            "kind": torch.tensor([_class_of(lesson.copies[row], lesson.mos[row]) for row in rows]),
        }

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The terms whose weight is not 0, each weighted."""
        config = self.config
        # A CPU trains depthwise convolutions faster in this order.
        flat = batch["views"].flatten(0, 1).contiguous(memory_format=torch.channels_last)
        features = self.student.features(flat).reshape(len(batch["views"]), -1)
        quality = quality_of(features, *self.student.heads.linear())
        told = read_prompts(batch["embedding"], self.text, self._scoring)
        says = read_prompts(normalize(self.projection(features), dim=1), self.text, self._scoring)
        trust = confidence(told.grades) if config.confident else torch.ones_like(told.score)

        def taught(by_photo: torch.Tensor) -> torch.Tensor:
            return weighted_mean(by_photo, trust)

        score = quality[:, 0]
        known = ~batch["mos"].isnan()
        terms = {
            "opinions": lambda: _agreement(score[known], batch["mos"][known]),
            "attributes": lambda: masked_mse(quality[:, 1:], batch["attributes"]),
            "embedding": lambda: taught(embedding_mse(says.embedding, told.embedding)),
            "cosine": lambda: taught(embedding_cosine(says.embedding, told.embedding)),
            "grades": lambda: taught(grade_divergence(says.grades, told.grades)),
            "pairs": lambda: taught(pair_divergence(says.pairs, told.pairs)),
            "score": lambda: taught((score - batch["score"]).square()),
            "ranking": lambda: fidelity_loss(score, batch["score"], trust),
            "kinds": lambda: _named(self.kind_head(features), batch["kind"]),
            "keep_features": lambda: self._drift(flat, features),
        }
        return {name: getattr(config, name) * term() for name, term in terms.items() if getattr(config, name)}

    def parameter_groups(self, rate: float) -> list[dict[str, object]]:
        """Trunk and heads learn at rates of their own."""
        shares = {"student.trunk.": self.config.trunk_rate, "student.heads.": self.config.heads_rate, "": 1.0}
        groups: dict[str, list[nn.Parameter]] = {part: [] for part in shares}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                groups[next(part for part in shares if name.startswith(part))].append(parameter)
        return [{"params": group, "lr": rate * shares[part]} for part, group in groups.items() if group]

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

    def _drift(self, views: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        start = self._start[0].to(views.device)
        with torch.no_grad():
            before = start.features(views).reshape(features.shape)
        return ((features - before).square().sum(1) / before.square().sum(1)).mean()


def _probe(lesson: Lesson) -> nn.Linear:
    """From the student's features to the teacher's embedding, by ridge regression over the photos that teach.

    A projection that knows nothing would pull the trunk about in the first steps.
    """
    rows = torch.from_numpy(~lesson.held_out)
    features, embedding = lesson.features[rows], lesson.embedding[rows]
    mean, scale = features.mean(0), 1 / (features.std(0) + 1e-4)
    standard, middle = (features - mean) * scale, embedding.mean(0)
    gram = standard.t() @ standard / len(standard) + _RIDGE * torch.eye(features.shape[1])
    weight = torch.linalg.solve(gram, standard.t() @ (embedding - middle) / len(standard)).t() * scale
    projection = nn.Linear(features.shape[1], embedding.shape[1])
    with torch.no_grad():
        projection.weight.copy_(weight)
        projection.bias.copy_(middle - weight @ mean)
    return projection


def _agreement(score: torch.Tensor, mos: torch.Tensor) -> torch.Tensor:
    if len(score) < 2:
        return score.sum() * 0
    return (score - mos).square().mean() + 0.1 * plcc_loss(score, mos)


def _class_of(copy: DegradedPhoto, mos: torch.Tensor) -> int:
    """0 for a pristine photo, else one number a kind and level; -1 where people scored faults that nobody named."""
    if not mos.isnan():
        return -1
    return 0 if copy.level == 0 else 1 + KINDS.index(copy.kind) * len(LEVELS) + copy.level - 1


def _named(logits: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    known = kind >= 0
    return cross_entropy(logits[known], kind[known]) if known.any() else logits.sum() * 0


def _privileged(copies: list[DegradedPhoto], told: Reading) -> torch.Tensor:
    """The teacher's scores, falling from every clean photo along each of its ladders."""
    score = told.score.clone()
    trust = confidence(told.grades).numpy() + 1e-3
    clean = {copy.photo: row for row, copy in enumerate(copies) if copy.level == 0}
    ladders: dict[tuple, list[int]] = {}
    for row, copy in enumerate(copies):
        if copy.level:
            ladders.setdefault((copy.photo, copy.kind), []).append(row)
    for (photo, _), rows in ladders.items():
        rows.sort(key=lambda row: copies[row].level)
        whole = ([clean[photo]] if photo in clean else []) + rows
        falling = privileged_scores(told.score[whole].numpy(), trust[whole])
        score[rows] = torch.from_numpy(falling[-len(rows) :]).float()
    return score
