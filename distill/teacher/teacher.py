"""The teacher: a CLIP-style model asked about quality, by antonym pairs and by graded words.

    teacher = load_teacher(TeacherConfig("RN50:openai"))      # ``load.py``
    scores = teacher(images)        # float32 B×3×H×W in [0, 1], at any resolution

Only the image tower is ever trained, and the prompts' context where that is asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import nn

from distill.teacher.any_resolution import accept_any_resolution
from distill.teacher.prompt_context import PromptContext
from distill.teacher.prompt_scores import PromptScores, Scoring, prompt_scores
from distill.teacher.prompts import PromptSet
from distill.teacher.two_towers import TwoTowers


@dataclass(frozen=True)
class TeacherConfig:
    """Which teacher, and how it is asked.

    Attributes:
        model: a name as in ``towers.py``: ``lite2``, ``clip-b16``, ``RN50:openai``, ``local-dir:FOLDER``, …
        scoring: by antonym pairs, by grades, or the mean of both.
        context_tokens: learnable words before every prompt; 0 leaves the prompts as they are written.
    """

    model: str = "lite2"
    scoring: Scoring = "both"
    context_tokens: int = 0


class Teacher(nn.Module):
    """Two towers, one set of prompts, one interface."""

    def __init__(self, towers: TwoTowers, config: TeacherConfig) -> None:
        super().__init__()
        self.config, self.input = config, towers.input
        self._projection_is_fitted = False
        accept_any_resolution(towers.model.visual)
        self.towers = towers.model.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(towers.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(towers.std).view(1, 3, 1, 1))
        texts = PromptSet().texts()
        if config.context_tokens:
            self.context = PromptContext(self.towers, towers.tokenize, texts, config.context_tokens)
        else:
            self.context = None
            with torch.no_grad():
                self.register_buffer("fixed_text", self.towers.encode_text(towers.tokenize(texts), normalize=True))

    @property
    def visual(self) -> nn.Module:
        """The image tower: what stages A and B train."""
        return self.towers.visual

    def take_projection(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """A packaged tower's projection, D×d and D, as it was fitted; stages A and B then leave it as it is.

        The fit's penalty makes its weights so small that a few steps of a rate useful to the tower would undo it.
        """
        projection = self.visual.head.proj
        with torch.no_grad():
            projection.weight.copy_(weight)
            projection.bias.copy_(bias)
        self._projection_is_fitted = True

    def unfreeze(self) -> None:
        """Let the image tower learn, under its fitted projection where it has one."""
        self.visual.requires_grad_(True)
        if self._projection_is_fitted:
            self.visual.head.proj.requires_grad_(False)

    def learnt(self) -> nn.ModuleDict:
        """The parts that training changes; the text tower is the package's or the download's."""
        parts = {"visual": self.visual}
        return nn.ModuleDict(parts if self.context is None else parts | {"context": self.context})

    def text(self) -> torch.Tensor:
        """Unit embeddings N×D of the prompts; with a gradient where their context is learnt."""
        return self.fixed_text if self.context is None else self.context()

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Unit embeddings B×D of ``images``, float32 B×3×H×W in [0, 1]."""
        return nn.functional.normalize(self.visual((images - self.mean) / self.std), dim=-1)

    def forward(self, images: torch.Tensor) -> PromptScores:
        return prompt_scores(self.embed(images), self.text(), self.config.scoring)

    def train(self, mode: bool = True) -> Teacher:
        """Gradients are another matter: the towers stay in evaluation mode, their BatchNorm statistics as learnt."""
        super().train(mode)
        self.towers.eval()
        return self

    def fingerprint(self) -> str:
        """sha256 of all that its scores depend on, so that one teacher's targets are never taken for another's."""
        digest = hashlib.sha256(repr(self.config).encode())
        for name, tensor in [*sorted(self.visual.state_dict().items()), ("text", self.text().detach())]:
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()
