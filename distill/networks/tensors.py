"""Weights as safetensors: written whole or not at all, and read only by the network that they belong to."""

from __future__ import annotations

from pathlib import Path

import torch
from pocketiqa.files import atomic_file
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write tensors as safetensors, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Cloned, because a graph may share one tensor between names and safetensors stores each name's own.
    own = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    with atomic_file(path, "wb") as file:
        file.write(save(own, metadata))


def tensor_names(path: Path) -> set[str]:
    """Names in a safetensors file; none where it is no such file, which :func:`load_tensors` says."""
    try:
        with safe_open(path, "pt") as file:
            return set(file.keys())
    except SafetensorError:
        return set()


def load_tensors(module: nn.Module, path: Path) -> None:
    """Fill a module from safetensors, every tensor and no other.

    Raises:
        ValueError: the file is no safetensors, or its names or shapes are not the module's.
    """
    try:
        loaded = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None
    # The module's own state carries the format versions that safetensors does not; without them BatchNorm and
    # the observers take a file for one of an older format and ask for tensors that do not exist.
    state = module.state_dict()
    different = [name for name in state.keys() | loaded.keys() if _shape(state, name) != _shape(loaded, name)]
    if different:
        raise ValueError(
            f"{path} does not hold this network's weights: {len(different)} tensors differ in name or shape, "
            f"for example {min(different)!r}, {_sides(state, loaded, min(different))}"
        )
    state.update(loaded)
    module.load_state_dict(state)


def _shape(tensors: dict[str, torch.Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None


def _sides(state: dict[str, torch.Tensor], loaded: dict[str, torch.Tensor], name: str) -> str:
    network, file = _shape(state, name), _shape(loaded, name)
    if network is None:
        return "which the network does not have"
    return "which the file does not have" if file is None else f"{tuple(network)} in the network, {tuple(file)} there"
