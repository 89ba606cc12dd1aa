"""A quantized student on disk: its folded weights and each rounding's range, as safetensors.

Ranges are named by the student's own modules, not by the graph's counters, so that a change elsewhere in the
network leaves a trained state usable.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torchao.quantization.pt2e import FakeQuantizeBase

from distill.networks.student import Student
from distill.networks.tensors import save_tensors
from quantize.prepare import Prepared, prepare, set_observing, set_rounding
from quantize.quantizer import StudentQuantizer, module_of

SHIPPED = Path(__file__).parent / "weights" / "student_int8.safetensors"
_BOUNDS = ("min_val", "max_val")


def save_prepared(prepared: Prepared, path: Path, record: dict[str, object]) -> None:
    """Write the state beside a JSON record of how it came about; ``record["student_sha256"]`` names its float
    student and ``record["float_modules"]`` what stayed float.
    """
    tensors = {
        f"{label}:{bound}": getattr(place.activation_post_process, bound)
        for label, place in places(prepared).items()
        for bound in _BOUNDS
    }
    metadata = {
        "student_sha256": str(record["student_sha256"]),
        "float_modules": ",".join(record.get("float_modules", [])),
    }
    save_tensors(_weights(prepared) | tensors, path, metadata)
    path.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


def load_prepared(student: Student, path: Path, student_sha256: str) -> Prepared:
    """The prepared graph of ``student`` with the state at ``path``, rounding and frozen.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the state belongs to another float student, or to another stack of packages.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no quantized student at {path}; make one with: python -m quantize --images DIR")
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    made_from = metadata.get("student_sha256")
    if made_from != student_sha256:
        raise ValueError(
            f"{path.name} was quantized from another float student (sha256 {str(made_from)[:12]}…, this one has "
            f"{student_sha256[:12]}…); quantize this one with: python -m quantize --images DIR"
        )
    float_modules = frozenset(filter(None, metadata.get("float_modules", "").split(",")))
    prepared = prepare(student, StudentQuantizer(float_modules))
    loaded = load_file(path)
    weights, ranges = _weights(prepared), places(prepared)
    expected = {*weights, *(f"{label}:{bound}" for label in ranges for bound in _BOUNDS)}
    wrong = expected ^ set(loaded) or {name for name in weights if weights[name].shape != loaded[name].shape}
    if wrong:
        raise ValueError(
            f"{path.name} does not fit the graph that this stack prepares: {len(wrong)} tensors differ, for example "
            f"{min(wrong)!r}; install the versions pinned in pyproject.toml, or quantize anew"
        )
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(loaded[name])
        for label, place in ranges.items():
            for bound in _BOUNDS:
                setattr(place.activation_post_process, bound, loaded[f"{label}:{bound}"])
            scale, zero_point = place.calculate_qparams()
            place.scale, place.zero_point = scale, zero_point.to(place.zero_point.dtype)
    set_observing(prepared, False)
    set_rounding(prepared, True)
    return prepared


def places(prepared: Prepared) -> dict[str, FakeQuantizeBase]:
    """Every rounding in the graph by what it rounds: a weight's name, or a module's name and its operator."""
    found = {}
    for node in prepared.graph.nodes:
        # By its own name: operators may share one rounding, which a list of modules would give once.
        if node.op == "call_module" and isinstance(prepared.get_submodule(node.target), FakeQuantizeBase):
            rounded = node.args[0]
            if rounded.op == "call_function":
                label = f"{module_of(rounded)}.{rounded.target.overloadpacket.__name__.rstrip('_')}"
            else:
                label = str(rounded.target)
            found[label] = prepared.get_submodule(node.target)
    return found


def _weights(prepared: Prepared) -> dict[str, torch.Tensor]:
    return dict(prepared.named_parameters())
