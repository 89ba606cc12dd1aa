"""Networks by name, or by a file of the user's own: ``lite0``, ``my_network.py:build``."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from distill.contract import ContractError, QualityNetwork, check_network
from distill.networks.student import SHIPPED_STUDENT, Student
from distill.networks.tensors import load_tensors, tensor_names

Build = Callable[[], QualityNetwork]
# Each builder makes the network without weights; a state dict fills them.
_BUILDERS: dict[str, Build] = {"lite0": lambda: Student(pretrained=False)}
DEFAULT_NETWORK = "lite0"
# Weights that this repository carries.
_SHIPPED_WEIGHTS: dict[str, Path] = {"lite0": SHIPPED_STUDENT}


def register_network(name: str, build: Build) -> None:
    """Give a network a name that every command's ``--network`` takes.

    Raises:
        ValueError: the name is taken.
    """
    if name in _BUILDERS:
        raise ValueError(f"there is a network {name!r} already; give yours another name")
    _BUILDERS[name] = build


def load_network(network: str, weights: Path | None = None) -> QualityNetwork:
    """A network with its weights, checked against the contract, in evaluation mode.

    Args:
        network: a registered name, or ``FILE.py:FUNCTION``, whose function takes nothing and returns the network.
        weights: safetensors of the ``state_dict`` of the network, or of the one that it wraps; by default what this
            repository ships for that name.

    Raises:
        ContractError: no such network, a file of the user's own that cannot be run, or a network that is not what the
            contract asks for.
        FileNotFoundError: no such file.
        ValueError: the weights are not this network's.
    """
    built = check_network(_builder(network)())
    path = weights_of(network, weights)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; train a student with: python -m distill student")
    whole = tensor_names(path) == set(built.state_dict())
    load_tensors(built if whole else built.weights_module, path)
    return built.eval()


def weights_of(network: str, weights: Path | None) -> Path:
    """Where a network's weights are.

    Raises:
        ContractError: none were named, and this repository ships none for it.
    """
    if weights is not None:
        return weights
    if network not in _SHIPPED_WEIGHTS:
        raise ContractError(f"{network} comes without weights; give them with --weights FILE.safetensors")
    return _SHIPPED_WEIGHTS[network]


def _builder(network: str) -> Build:
    if network in _BUILDERS:
        return _BUILDERS[network]
    file, colon, function = network.rpartition(":")
    if not colon or not file.endswith(".py"):
        raise ContractError(
            f"no network {network!r}; it is one of {', '.join(sorted(_BUILDERS))}, or FILE.py:FUNCTION of your own"
        )
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; --network takes FILE.py:FUNCTION, whose function returns the network")
    build = getattr(_module_from(path), function, None)
    if not callable(build):
        raise ContractError(f"{path} has no function {function!r}; it must return the network and take nothing")
    return lambda: _own(build, path)


def _module_from(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # dataclasses look their module up there
    sys.path.append(str(path.parent.resolve()))  # for files beside it that it imports
    _own(lambda: spec.loader.exec_module(module), path)
    return module


def _own(call: Callable[[], object], path: Path) -> Any:
    """What the user's code returns; what it raises becomes a sentence with the line in their file."""
    try:
        return call()
    except ContractError:
        raise
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        raise ContractError(f"{place}: {type(error).__name__}: {error}") from error
