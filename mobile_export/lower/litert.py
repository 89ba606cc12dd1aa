"""Writing LiteRT files, ``.tflite``, from exported graphs with litert-torch, and running them in LiteRT.

The conversion runs in an environment of its own, ``litert_environment``. An int8 graph keeps its own scales, zero
points and int8 weights; nothing is calibrated. Biases become int32 in steps of input scale times weight scale, as
LiteRT's kernels want them. The same graph gives the same bytes.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pocketiqa.errors import RuntimeUnavailable, one_line
from pocketiqa.runtimes.program import METADATA_KEY
from pocketiqa.standard_error import quiet_runtimes

from distill.contract import ContractError
from mobile_export.lower.coreml import INPUT_NAME, OUTPUT_NAMES, with_plain_scalars
from mobile_export.lower.litert_environment import LITERT_TORCH, converter_python
from mobile_export.lower.request import NotBuilt, Request, Run

_CONVERTER = Path(__file__).with_name("litert_converter.py")
_LIMIT = 1200  # seconds; a conversion takes twenty
# What LiteRT computes in int8 in the scale of its inputs; negation commutes with each.
_IN_ONE_SCALE = (torch.ops.aten.cat.default, torch.ops.aten.avg_pool2d.default)
_UNKNOWN = re.compile(r"Lowering not found: ([\w.]+)")


def write_litert(request: Request) -> None:
    """Write a float or a converted int8 graph.

    The model has the signature ``serving_default`` with the input ``photo``, the output ``quality`` and, where the
    network has one, ``map``; it carries the artifact's metadata as JSON.

    Raises:
        NotBuilt: there is no environment with litert-torch, and none can be made.
        ContractError: litert-torch does not take an operator of the graph.
    """
    python = converter_python()
    metadata = {METADATA_KEY: json.dumps(request.metadata, sort_keys=True, ensure_ascii=False, allow_nan=False)}
    with tempfile.TemporaryDirectory() as folder:
        given, described, found = (Path(folder) / name for name in ("graph.pt2", "metadata.json", "model.tflite"))
        torch.export.save(as_litert_takes_it(request.graph), given)
        described.write_text(json.dumps(metadata, allow_nan=False))
        # -P: the folder of the program holds modules with names of packages.
        command = [python, "-P", _CONVERTER, given, described, found]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT)
        if unknown := _UNKNOWN.search(done.stderr + done.stdout):
            raise ContractError(
                f"LiteRT does not take {unknown[1]}. Express it in other operators in the network, or leave the files "
                "for LiteRT out"
            )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise NotBuilt(f"{LITERT_TORCH} failed: {one_line(last)}")
        request.path.write_bytes(found.read_bytes())


def open_litert(path: Path) -> Run:
    """The quality vector that LiteRT gives on the processor, through XNNPACK, as apps run it."""
    return _open(path, "AUTO")


def open_litert_without_delegate(path: Path) -> Run:
    """The same of LiteRT's own kernels, which round in fixed point."""
    return _open(path, "BUILTIN_WITHOUT_DEFAULT_DELEGATES")


def _open(path: Path, kernels: str) -> Run:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with quiet_runtimes():
            kind = OpResolverType[kernels]
            run = Interpreter(str(path), experimental_op_resolver_type=kind).get_signature_runner()
    except (RuntimeError, ValueError) as error:
        raise RuntimeUnavailable(f"LiteRT does not load {path.name}: {one_line(error)}") from error

    def quality(views: np.ndarray) -> np.ndarray:
        with quiet_runtimes():
            return run(**{INPUT_NAME: np.ascontiguousarray(views)})[OUTPUT_NAMES[0]]

    return quality


def as_litert_takes_it(exported: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """An int8 graph that rounds float weights where it had int8 ones, and is float at both ends; a float graph itself.

    litert-torch takes no int8 weights; the float ones are what the codes stand for, so rounding gives the same codes
    back. Where the photo is rounded at once, or a score comes out of a rounding, the file's ends would become int8: a
    ReLU, which neither photos nor scores feel, stands between. Where the graph pools or joins rounded values in float,
    litert-torch would do so in int8, with one scale for all: the values are negated before and after, which is exact
    and done in float.
    """
    quantized = torch.ops.quantized_decomposed
    back: dict[object, Callable] = {
        quantized.dequantize_per_channel.default: quantized.quantize_per_channel.default,
        quantized.dequantize_per_tensor.default: quantized.quantize_per_tensor.default,
    }
    if not any(node.target in back for node in exported.graph.nodes):
        return exported
    module = with_plain_scalars(exported).module()
    graph = module.graph
    for node in list(graph.nodes):
        if node.target not in back or node.args[0].op != "get_attr":
            continue
        codes, *given = node.args
        values = [getattr(module, one.target) if isinstance(one, torch.fx.Node) else one for one in node.args]
        name = f"{codes.target}_float"
        module.register_buffer(name, node.target(*values))
        with graph.inserting_before(node):
            rounded = graph.call_function(back[node.target], (graph.get_attr(name), *given))
        node.replace_input_with(codes, rounded)
    photo = next(node for node in graph.nodes if node.op == "placeholder")
    end = next(node for node in graph.nodes if node.op == "output")
    rounded = [(user, photo) for user in photo.users if user.target in back.values()]
    rounded += [(end, node) for node in end.all_input_nodes if node.target in back]
    for user, node in rounded:
        with graph.inserting_before(user):
            user.replace_input_with(node, graph.call_function(torch.ops.aten.relu.default, (node,)))
    for node in [node for node in graph.nodes if node.target in _IN_ONE_SCALE]:
        if not any(user.target in back.values() for user in node.users):
            _negate_around(graph, node)
    graph.eliminate_dead_code()
    module.recompile()
    return torch.export.export(module, (torch.zeros(tuple(photo.meta["val"].shape)),))


def _negate_around(graph: torch.fx.Graph, node: torch.fx.Node) -> None:
    negate = torch.ops.aten.neg.default
    for value in node.all_input_nodes:
        with graph.inserting_before(node):
            node.replace_input_with(value, graph.call_function(negate, (value,)))
    with graph.inserting_after(node):
        back = graph.call_function(negate, (node,))
    node.replace_all_uses_with(back, delete_user_cb=lambda user: user is not back)
