"""What every network of the line is: its input, its outputs, and the layers that int8 leaves float.

``quantize``, ``mobile_export``, ``benchmarks`` and the SDK know nothing else of a network. A network of your own
becomes one by ``distill.networks.adapter.quality_network``, or by a subclass:

    class MyNetwork(QualityNetwork):
        name = "mine"
        input = PreprocessSpec(height=224, width=224)
        float_layers = ("classifier",)

        def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (torch.sigmoid(self.classifier(self.body(views))),)
"""

from __future__ import annotations

import re

import torch
from pocketiqa.preprocess import PreprocessSpec
from torch import nn


class ContractError(ValueError):
    """A network is not what the contract asks for; the message says what it gave and what is wanted."""


class QualityNetwork(nn.Module):
    """A network that scores one photo.

    The forward pass takes float32 V×3×H×W in [0, 1] (``input.shape``; mean and deviation are the network's business)
    and returns a tuple: ``quality``, 1×(1 + attributes) in [0, 1], the score first, higher is better; and, where
    ``map_shape`` is given, ``map``, 1×h×w in [0, 1], local quality over the whole view.

    Attributes:
        name: a word for the bundle's name: letters, digits and ``. _ + -``.
        input: how a photo becomes the input tensor.
        attributes: names of the quality vector's entries after the score; none by default.
        map_shape: (h, w) of the map, or None where there is none.
        float_layers: dotted names of modules that int8 leaves float, each with all that is below it. What is computed
            in the network's own ``forward``, outside any module, stays float as well.
        heads_name: dotted name of the module whose linear layers and 1×1 convolutions give the logits, as a sum of
            their means over positions. They stay float, as does the pooling before them, and are fitted anew to the
            int8 layers; one of them needs a bias. None where the outputs are no such sum: then they stay as they are.
    """

    name: str
    input: PreprocessSpec
    attributes: tuple[str, ...] = ()
    map_shape: tuple[int, int] | None = None
    float_layers: tuple[str, ...] = ()
    heads_name: str | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the quality vector's entries."""
        return ("score", *self.attributes)

    @property
    def weights_module(self) -> nn.Module:
        """What the weights file fills: the network itself, or a part of it."""
        return self

    def logits_of(self, rows: torch.Tensor) -> torch.Tensor:
        """Logits n×(1 + attributes) of ``quality`` from the rows n×r that ``heads_name``'s layers give."""
        return rows

    def with_exact_input(self) -> QualityNetwork:
        """The same function over an input whose 256 pixel values int8 holds exactly, where a network knows a way.

        It is what int8 is made from. By default the network itself; ``distill.networks.exact_input`` is the student's.
        """
        return self

    def example(self) -> torch.Tensor:
        """A random input, float32 of ``input.shape`` in [0, 1], to export the network with."""
        return torch.rand(self.input.shape)


@torch.no_grad()
def check_network(network: nn.Module) -> QualityNetwork:
    """Run a network once, and hold its outputs and its heads against the contract.

    Returns:
        ``network`` itself, in evaluation mode.

    Raises:
        ContractError: it is no ``QualityNetwork``, names a layer that it has not, or gives other outputs than it says.
    """
    if not isinstance(network, QualityNetwork):
        raise ContractError(
            f"the network is a {type(network).__name__}; the line takes a QualityNetwork: wrap yours with "
            "distill.networks.adapter.quality_network"
        )
    if not re.fullmatch(r"[A-Za-z0-9._+-]+", network.name):
        raise ContractError(f"the network's name is {network.name!r}; letters, digits and . _ + - are allowed")
    modules = dict(network.named_modules())
    for layer in (*network.float_layers, *filter(None, [network.heads_name])):
        if layer not in modules:
            raise ContractError(
                f"{network.name} has no layer {layer!r} to keep float; its layers are "
                + ", ".join(name for name, _ in network.named_children())
            )
    views = network.eval().example()
    read: dict[nn.Module, list[torch.Tensor]] = {}
    heads = _heads(network)
    hooks = [head.register_forward_hook(lambda head, _, rows: read.setdefault(head, []).append(rows)) for head in heads]
    try:
        found = network(views)
    except Exception as error:
        raise ContractError(
            f"{network.name} does not take its own input, float32 {tuple(views.shape)}: {type(error).__name__}: {error}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    _check_outputs(network, found)
    if network.heads_name is not None:
        _check_heads(network, found[0], heads, read)
    return network


def _check_outputs(network: QualityNetwork, found: object) -> None:
    wanted = [(1, len(network.outputs))] + ([(1, *network.map_shape)] if network.map_shape else [])
    shapes = [tuple(one.shape) for one in found] if isinstance(found, tuple) else type(found).__name__
    if shapes != wanted:
        raise ContractError(
            f"{network.name} gives {shapes}, the contract wants a tuple of {wanted}: quality (score, then "
            f"{len(network.attributes)} attributes)" + (" and the map" if network.map_shape else "")
        )
    for name, values in zip(("quality", "map"), found):
        if not bool(((values >= 0) & (values <= 1)).all()):
            raise ContractError(
                f"{network.name} gives {name} of {values.min():.3g} to {values.max():.3g}; it must lie in [0, 1]: end "
                "with a sigmoid"
            )


def _heads(network: QualityNetwork) -> list[nn.Module]:
    if network.heads_name is None:
        return []
    below = network.get_submodule(network.heads_name).modules()
    return [module for module in below if isinstance(module, (nn.Linear, nn.Conv2d))]


def _check_heads(
    network: QualityNetwork, quality: torch.Tensor, heads: list[nn.Module], read: dict[nn.Module, list[torch.Tensor]]
) -> None:
    """The logits must be the sum of the heads' means over positions, or a fit of the heads would miss them."""
    cure = f"name other heads_name than {network.heads_name!r}, or None, and the heads stay as they are"
    if not any(head.bias is not None for head in heads):
        raise ContractError(f"{network.name}'s heads have no linear layer or 1×1 convolution with a bias; {cure}")
    rows = [given.flatten(2).mean(2) if given.ndim == 4 else given.flatten(1, -2).mean(1) if given.ndim == 3 else given
            for head in heads for given in read.get(head, [])]  # fmt: skip
    fits = len(rows) == len(heads) and all(one.shape == rows[0].shape and len(one) == 1 for one in rows)
    if not fits or not torch.allclose(torch.sigmoid(network.logits_of(sum(rows))), quality, atol=1e-3):
        raise ContractError(
            f"{network.name}'s quality is not the sigmoid of logits_of the sum of what its heads' layers give; {cure}"
        )
