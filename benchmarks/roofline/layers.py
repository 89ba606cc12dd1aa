"""The layers of a ``.pte``: multiply-accumulates and bytes of each, read from the program itself.

    for layer in layers_of(bundle.read_variant("int8")):
        print(layer.name, layer.macs, layer.bytes)

A program holds its graph for XNNPACK with every value's shape and type, so no network is needed.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Bytes of a value, by the end of its XNNPACK type; int4 packs two.
_WIDTHS = {"fp32": 4, "int32": 4, "pfp32": 4, "fp16": 2, "bf16": 2, "int8": 1, "uint8": 1, "int4": 0.5}
_INPUTS = re.compile(r"(input\d*|filter|bias|query|key|value|scale|mask)_id")
_ABSENT = 0xFFFFFFFF


@dataclass(frozen=True)
class Layer:
    """One operator of a program.

    Attributes:
        name: what it is, for people: kernel, channels, type and output size.
        kind: its type in XNNPACK's graph without ``XNN``, as ``Conv2d``.
        int8: whether it multiplies int8 by int8.
        macs: multiply-accumulates of one run; 0 where it multiplies nothing by weights.
        bytes: of its inputs, weights and output, each once.
    """

    name: str
    kind: str
    int8: bool
    macs: int
    bytes: int


def layers_of(program: bytes) -> list[Layer]:
    """Every operator that a program gives to XNNPACK, in the order in which they run; operators outside it are not in
    the list.

    Raises:
        ValueError: XNNPACK runs nothing of this program.
    """
    # It takes seconds, and --help needs none of it.
    from executorch.exir._serialize._program import deserialize_pte_binary

    opened = deserialize_pte_binary(program).program
    delegates = [each for plan in opened.execution_plan for each in plan.delegates if each.id == "XnnpackBackend"]
    if not delegates:
        raise ValueError("the program gives nothing to XNNPACK; the roofline knows XNNPACK's operators alone")
    graphs = [_graph(bytes(opened.backend_delegate_data[each.processed.index].data)) for each in delegates]
    return [layer for graph in graphs for layer in layers_of_graph(graph)]


def layers_of_graph(graph: dict) -> list[Layer]:
    """The layers of an XNNPACK graph, as JSON by executorch's ``xnnpack/serialization/schema.fbs``."""
    tensors = [value["xvalue_union"] for value in graph["xvalues"]]
    values = {each["id_out"]: each for each in (tensor.get("tensor_value", tensor) for tensor in tensors)}
    return [_layer(node["xnode_union_type"].removeprefix("XNN"), node["xnode_union"], values)
            for node in graph["xnodes"]]  # fmt: skip


def _layer(kind: str, node: dict, values: dict[int, dict]) -> Layer:
    inputs = [values[number] for key, number in node.items() if _INPUTS.fullmatch(key) and number != _ABSENT]
    output = values[node["output_id"]]
    size = "×".join(map(str, output["dims"])) or "1"
    macs, what = 0, kind
    if "filter_id" in node:
        # Output channels stand first in a filter, in a depthwise one last; the rest is what one output value reads.
        weights, outputs = values[node["filter_id"]]["dims"], output["dims"][-1]
        macs = math.prod(output["dims"]) * math.prod(weights) // outputs
        what = _described(kind, node, outputs) if "kernel_height" in node else f"{kind} {weights[-1]}→{outputs}"
    elif kind == "BatchMatrixMultiply":
        macs = math.prod(output["dims"]) * inputs[0]["dims"][-1]
    kinds = [_type(each) for each in inputs[:2]]
    dtype = _type(output) if not macs else "int8" if all(each.endswith("int8") for each in kinds) else "fp32"
    return Layer(f"{what}, {dtype.lstrip('qc')}, {size}", kind, macs > 0 and dtype == "int8", macs,
                 round(sum(_bytes(each) for each in [*inputs, output])))  # fmt: skip


def _described(kind: str, node: dict, outputs: int) -> str:
    stride = f"/{node['subsampling_height']}" if node["subsampling_height"] > 1 else ""
    kernel = f"{node['kernel_height']}×{node['kernel_width']}{stride}"
    if kind == "DepthwiseConv2d":
        return f"depthwise {kernel} {outputs}"
    return f"convolution {kernel} {node['group_input_channels'] * node['groups']}→{outputs}"


def _type(value: dict) -> str:
    return value["datatype"].removeprefix("xnn_datatype_")


def _bytes(value: dict) -> float:
    widths = [width for ending, width in _WIDTHS.items() if _type(value).endswith(ending)]
    return math.prod(value["dims"]) * (widths[0] if widths else 4)


def _graph(delegate: bytes) -> dict:
    """The graph in a delegate's bytes, as JSON of executorch's own schema."""
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader, _get_schema_bytes
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    header = XNNHeader.from_bytes(delegate[: XNNHeader.EXPECTED_LENGTH])
    with tempfile.TemporaryDirectory() as folder:
        schema, binary = Path(folder) / "schema.fbs", Path(folder) / "graph.bin"
        schema.write_bytes(_get_schema_bytes())
        binary.write_bytes(delegate[header.flatbuffer_offset :][: header.flatbuffer_size])
        _flatc_decompile(folder, str(schema), str(binary), ["--raw-binary"])
        text = binary.with_suffix(".json").read_bytes()
    # flatc writes the bounds of a clamp as inf, which is no JSON.
    return json.loads(re.sub(rb"-?\b(inf|nan)\b(?=[,\s}])", b"null", text))
