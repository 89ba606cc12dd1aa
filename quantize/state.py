"""A quantized network on disk: its folded weights and each fake quantization's range, as safetensors.

A weight that becomes int8 is stored as its integers, a quarter of its float bytes; what they round away is in the float
network beside it.

Ranges are named by the network's own modules, not by the graph's counters, so that a change elsewhere in the
network leaves a trained state usable.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import torch
from pocketiqa.files import atomic_file
from pocketiqa.promises import Promise
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torchao.quantization.pt2e import FakeQuantizeBase

from distill.contract import QualityNetwork
from distill.networks.tensors import save_tensors
from quantize.graph import module_of
from quantize.prepare import Prepared, enable_fake_quant, enable_observers, prepare, rounds, take_range
from quantize.quantizer import NetworkQuantizer

# The int8 states that this repository ships, by the network's name.
SHIPPED = {"lite0": Path(__file__).parent / "weights" / "student_int8.safetensors"}
_BOUNDS = ("min_val", "max_val")


def save_prepared(prepared: Prepared, path: Path, record: dict[str, object]) -> None:
    """Write the state, and beside it a JSON record of how it came about.

    Args:
        prepared: calibrated and frozen.
        path: ends in ``.safetensors``; the record's path ends in ``.json``.
        record: JSON-ready. ``weights_sha256`` names the float weights, ``float_modules`` lists the modules whose
            own operators stayed float, ``promise`` is what the state was found to keep; the file carries the three.
    """
    ranges = labelled_fake_quantizers(prepared)
    tensors = {
        f"{label}:{bound}": getattr(fake_quant.activation_post_process, bound)
        for label, fake_quant in ranges.items()
        for bound in _BOUNDS
    }
    constants = [node for node in prepared.graph.nodes if node.op == "get_attr"]
    read_as_float = {node.target for node in constants if not all(rounds(prepared, user) for user in node.users)}
    weights = {
        name: _integers(weight, ranges[name]) if name in ranges and name not in read_as_float else weight
        for name, weight in _weights(prepared).items()
    }
    metadata = {
        "weights_sha256": str(record["weights_sha256"]),
        "float_modules": ",".join(record["float_modules"]),
        "promise": json.dumps(record["promise"], allow_nan=False),
    }
    save_tensors(weights | tensors, path, metadata)
    with atomic_file(path.with_suffix(".json")) as file:
        file.write(json.dumps(record, indent=2, allow_nan=False) + "\n")


def load_prepared(network: QualityNetwork, path: Path, weights_sha256: str) -> Prepared:
    """The prepared graph of ``network`` with the state at ``path``, rounding and frozen.

    Args:
        network: the float network with its weights; it is not changed.
        path: from ``python -m quantize``.
        weights_sha256: of the float weights' file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the state belongs to another float network, or to another stack of packages.
    """
    metadata = _metadata(path)
    made_from = metadata.get("weights_sha256")
    if made_from != weights_sha256:
        raise ValueError(
            f"{path.name} was quantized from other float weights (sha256 {str(made_from)[:12]}…, these have "
            f"{weights_sha256[:12]}…); quantize these with: python -m quantize --images DIR"
        )
    prepared = prepare(network, NetworkQuantizer(network, filter(None, metadata["float_modules"].split(","))))
    loaded = load_file(path)
    weights, ranges = _weights(prepared), labelled_fake_quantizers(prepared)
    expected = {*weights, *(f"{label}:{bound}" for label in ranges for bound in _BOUNDS)}
    wrong = expected ^ set(loaded) or {name for name in weights if weights[name].shape != loaded[name].shape}
    if wrong:
        raise ValueError(
            f"{path.name} does not fit the graph that this stack prepares: {len(wrong)} tensors differ, for example "
            f"{min(wrong)!r}; install the versions pinned in pyproject.toml, or quantize anew"
        )
    with torch.no_grad():
        for label, fake_quant in ranges.items():
            for bound in _BOUNDS:
                setattr(fake_quant.activation_post_process, bound, loaded[f"{label}:{bound}"])
            take_range(fake_quant)
        for name, weight in weights.items():
            is_integer = loaded[name].dtype == torch.int8
            weight.copy_(loaded[name] * _scale_of(ranges[name], weight) if is_integer else loaded[name])
    enable_observers(prepared, False)
    enable_fake_quant(prepared, True)
    return prepared


def promise_of(path: Path) -> Promise:
    """What the int8 state at ``path`` was found to keep of its float network.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a state of ``python -m quantize``.
    """
    return Promise.from_dict(json.loads(_metadata(path)["promise"]))


def labelled_fake_quantizers(prepared: Prepared) -> dict[str, FakeQuantizeBase]:
    """Every fake quantization by what it rounds: a weight's name, or a module's name and its operator.

    A module that runs an operator twice gets ``add`` and ``add2``.
    """
    found, seen = {}, Counter()
    for node in prepared.graph.nodes:
        # By its own name: operators may share one fake quantization, which a list of modules would give once.
        if rounds(prepared, node):
            rounded = node.args[0]
            if rounded.op == "call_function":
                operator = getattr(rounded.target, "overloadpacket", rounded.target)
                label = f"{module_of(rounded)}.{operator.__name__.rstrip('_')}"
            else:
                label = str(rounded.target)
            seen[label] += 1
            found[label if seen[label] == 1 else f"{label}{seen[label]}"] = prepared.get_submodule(node.target)
    return found


def _integers(weight: torch.Tensor, fake_quant: FakeQuantizeBase) -> torch.Tensor:
    """The int8 of a weight, of its shape, as the converted graph holds it: per output channel, symmetric."""
    with torch.no_grad():
        return (weight * (1 / _scale_of(fake_quant, weight))).round().clamp(-127, 127).to(torch.int8)


def _scale_of(fake_quant: FakeQuantizeBase, weight: torch.Tensor) -> torch.Tensor:
    """Its scales, in a shape that multiplies ``weight``."""
    shape = [1] * weight.ndim
    shape[fake_quant.ch_axis] = -1
    return fake_quant.scale.reshape(shape)


def _metadata(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise FileNotFoundError(f"no quantized network at {path}; make one with: python -m quantize --images DIR")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None
    if missing := {"weights_sha256", "float_modules", "promise"} - metadata.keys():
        raise ValueError(f"{path} holds no quantized network: it lacks {min(missing)}; python -m quantize writes one")
    return metadata


def _weights(prepared: Prepared) -> dict[str, torch.Tensor]:
    return dict(prepared.named_parameters())
