"""litert-torch, which holds torch back: run as a program, in the environment that ``litert_environment`` makes.

    python -P litert_converter.py PROGRAM.pt2 METADATA.json OUT.tflite

PROGRAM.pt2 is an exported program with one input; METADATA.json an object whose values, strings, become metadata of the
file. Nothing of this checkout is imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import litert_torch
import torch
import torch.ao.quantization.fx._decomposed  # registers the operators that round
from litert_converter.mlir import ir
from litert_torch._convert.litert_converter import LazyModelExporter
from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
from litert_torch.quantize.quant_config import QuantConfig


class Named(torch.nn.Module):
    """A quality network with a name for its input and each of its outputs, which become those of the signature."""

    def __init__(self, network: torch.nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, photo: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(zip(self.names, self.network(photo)))


def main(program: Path, metadata: Path, out: Path) -> None:
    exported = torch.export.load(program)
    (photo,) = (node for node in exported.graph.nodes if node.name in exported.graph_signature.user_inputs)
    names = ("quality", "map")[: len(exported.graph_signature.user_outputs)]
    network = Named(exported.module(), names)
    network.training = False  # eval() asks the exported program, which refuses
    rounds = any("quantize_per_tensor" in str(node.target) for node in exported.graph.nodes)
    # Says that the graph rounds already, with its own scales; nothing is calibrated.
    quantizer = PT2EQuantizer().set_global(get_symmetric_quantization_config())
    quantized = QuantConfig(pt2e_quantizer=quantizer) if rounds else None
    example = {"photo": torch.zeros(tuple(photo.meta["val"].shape))}
    model = litert_torch.convert(network, sample_kwargs=example, quant_config=quantized)
    add_metadata(model._exporter, json.loads(metadata.read_text()))
    model.export(str(out))


def add_metadata(exporter: LazyModelExporter, values: dict[str, str]) -> None:
    operation = exporter._module_op
    with operation.context:
        given = {name: ir.StringAttr.get(value) for name, value in values.items()}
        operation.attributes["tfl.metadata"] = ir.DictAttr.get(given)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
