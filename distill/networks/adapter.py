"""A network of the user's own as a quality network: normalization before it, a sigmoid behind it.

In a file of one's own, for ``--network FILE.py:build``:

    def build():
        body = timm.create_model("mobilenetv3_small_100", num_classes=1)
        return quality_network(body, name="mobilenetv3", size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pocketiqa.preprocess import PreprocessSpec
from torch import nn

from distill.contract import ContractError, QualityNetwork

# Of the photos that most ImageNet networks were trained on, RGB in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class AdaptedNetwork(QualityNetwork):
    """``body`` with the contract's input and outputs; its last linear layer stays float."""

    def __init__(
        self,
        body: nn.Module,
        name: str,
        spec: PreprocessSpec,
        mean: Sequence[float],
        std: Sequence[float],
        attributes: tuple[str, ...],
        float_layers: tuple[str, ...],
    ) -> None:
        super().__init__()
        self.body = body
        self.name, self.input, self.attributes = name, spec, attributes
        head = _last_linear(body, 1 + len(attributes))
        self.heads_name = f"body.{head}"
        self.float_layers = (self.heads_name, *(f"body.{layer}" for layer in float_layers))
        for buffer, values in (("mean", mean), ("std", std)):
            self.register_buffer(buffer, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)

    @property
    def weights_module(self) -> nn.Module:
        """The user's own network: its ``state_dict`` is what the weights file holds."""
        return self.body

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.sigmoid(self.body((views - self.mean) / self.std)),)


def quality_network(
    body: nn.Module,
    *,
    name: str,
    size: int | tuple[int, int],
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    attributes: tuple[str, ...] = (),
    float_layers: tuple[str, ...] = (),
) -> QualityNetwork:
    """A network whose last layer is linear and gives logits, as one that the line takes.

    Args:
        body: takes float32 1×3×H×W, normalized by ``mean`` and ``std``, and returns logits 1×(1 + attributes), the
            score's first.
        name: a word for the bundle.
        size: the side of the square input in pixels, or (height, width); the whole photo is resized to it.
        mean, std: of each channel, R, G, B, for pixels in [0, 1].
        attributes: names of the logits after the score's.
        float_layers: dotted names of ``body``'s further modules that int8 leaves float.

    Raises:
        ContractError: ``body`` ends in no linear layer of 1 + attributes outputs.
    """
    height, width = (size, size) if isinstance(size, int) else size
    return AdaptedNetwork(body, name, PreprocessSpec(height, width), mean, std, attributes, float_layers)


def _last_linear(body: nn.Module, outputs: int) -> str:
    linear = [(name, module) for name, module in body.named_modules() if isinstance(module, nn.Linear)]
    if not linear or linear[-1][1].out_features != outputs:
        found = f"its last one has {linear[-1][1].out_features}" if linear else "it has none"
        raise ContractError(
            f"the network must end in a linear layer of {outputs} outputs (the score and {outputs - 1} attributes); "
            f"{found}: build it with num_classes={outputs}"
        )
    return linear[-1][0]
