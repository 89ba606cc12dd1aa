"""What a bundle is made from: a network, its float weights and its int8 state, each from a file of the user's own or
from what this repository ships."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pocketiqa.files import sha256_of
from pocketiqa.promises import ANY_NETWORK, Promise

from distill.contract import ContractError, QualityNetwork
from distill.networks.registry import load_network, weights_of
from mobile_export.graphs import Graphs, int8_graphs
from quantize.state import SHIPPED, promise_of

VERSION = "0.1.0"


@dataclass(frozen=True)
class Sources:
    """A network with its weights, and the files that they are in.

    Attributes:
        network: in evaluation mode.
        weights: its safetensors; ``weights_sha256`` is their hash.
        int8: its int8 state; None where it is not wanted.
        is_shipped: whether this repository ships the network: its programs must be one subgraph.
    """

    network: QualityNetwork
    weights: Path
    weights_sha256: str
    int8: Path | None
    is_shipped: bool = False

    @classmethod
    def of(cls, network: str, weights: Path | None, int8: Path | None, with_int8: bool) -> Sources:
        """Find and load.

        Args:
            network: a registered name, or ``FILE.py:FUNCTION``.
            weights, int8: files; by default what this repository ships for that name.
            with_int8: whether an int8 state is wanted.

        Raises:
            ContractError: no such network, one against the contract, or nothing is shipped for it.
            FileNotFoundError: no such file.
        """
        path = weights_of(network, weights)
        state = _int8_of(network, int8) if with_int8 else None
        return cls(load_network(network, path), path, sha256_of(path), state, network in SHIPPED)

    @property
    def promise(self) -> Promise:
        """What the int8 state was found to keep."""
        return ANY_NETWORK if self.int8 is None else promise_of(self.int8)

    @property
    def training(self) -> dict[str, Any]:
        """The record beside the float weights; empty where there is none."""
        return _record(self.weights)

    @property
    def gate(self) -> Path | None:
        """The default gate beside the int8 state, ``NAME.gate.json`` of ``pocketiqa fit-gate``; None where there is
        none."""
        path = None if self.int8 is None else self.int8.with_suffix(".gate.json")
        return path if path and path.is_file() else None

    @property
    def quantization(self) -> dict[str, Any]:
        """The record beside the int8 state; empty where there is none."""
        return {} if self.int8 is None else _record(self.int8)

    def graphs(self, exported: torch.export.ExportedProgram) -> Graphs:
        """Every graph that artifacts are lowered from; ``exported`` is the float one.

        Raises:
            ValueError: the int8 state belongs to other weights.
        """
        int8 = None if self.int8 is None else int8_graphs(self.network, self.int8, self.weights_sha256)
        return Graphs(self.network, exported, int8)


def default_bundle(name: str) -> Path:
    """Where the build writes the bundle of a network of that name, unless told otherwise."""
    return Path("dist") / f"pocketiqa-{name}-{VERSION}"


def _int8_of(network: str, int8: Path | None) -> Path:
    path = int8 or SHIPPED.get(network)
    if path is None:
        raise ContractError(
            f"{network} comes without an int8 state; make one with python -m quantize --network {network}, and give it "
            "with --int8 FILE.safetensors, or leave int8 out: --skip int8 coreml_w8a8"
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"no int8 state at {path}; make one with: python -m quantize --network {network} --images DIR --out {path}"
        )
    return path


def _record(tensors: Path) -> dict[str, Any]:
    path = tensors.with_suffix(".json")
    return json.loads(path.read_text()) if path.is_file() else {}
