"""Canaries for the traps of PT2E and XNNPACK that the factory works around.

Each test first shows the trap on a tiny network with the stock tools. When one of these first halves fails, the
toolchain has changed and a workaround may go.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from pocketiqa.runtime import load_program
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e

from distill.networks.backbone import make_batchnorm_quantization_safe

EXAMPLE = (torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)),)


def conv_bn(eps: float) -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=eps), nn.ReLU6())
    network[1].running_var.fill_(0.01)
    return network.eval()


def stock_quantizer(is_qat: bool) -> XNNPACKQuantizer:
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True, is_qat=is_qat))


def batchnorm_eps(prepared: torch.fx.GraphModule) -> set[float]:
    nodes = [node for node in prepared.graph.nodes if "batch_norm" in str(node.target)]
    assert nodes
    return {argument for node in nodes for argument in node.args if isinstance(argument, float) and argument < 0.01}


def test_prepare_qat_rewrites_the_eps_of_batchnorm_and_the_cure_makes_it_harmless() -> None:
    rewritten = prepare_qat_pt2e(
        torch.export.export(conv_bn(1e-3).train(), EXAMPLE).module(), stock_quantizer(is_qat=True)
    )
    assert batchnorm_eps(rewritten) == {1e-5}
    before = conv_bn(1e-3)
    cured = make_batchnorm_quantization_safe(conv_bn(1e-3))
    assert torch.allclose(before(*EXAMPLE), cured(*EXAMPLE), atol=1e-6)
    assert cured[1].eps == 1e-5


def test_a_train_mode_export_keeps_a_step_counter_and_the_cure_drops_it() -> None:
    def counts(network: nn.Module) -> bool:
        graph = torch.export.export(network.train(), EXAMPLE).graph_module.graph
        return any("add_" in str(node.target) for node in graph.nodes)

    assert counts(conv_bn(1e-5))
    assert not counts(make_batchnorm_quantization_safe(conv_bn(1e-5)))


def test_an_int8_linear_head_gives_few_different_scores() -> None:
    torch.manual_seed(0)
    head = nn.Sequential(nn.Linear(16, 1), nn.Sigmoid()).eval()
    inputs = [torch.rand(1, 16) for _ in range(400)]

    def distinct(quantizer: XNNPACKQuantizer) -> int:
        prepared = prepare_pt2e(torch.export.export(head, (inputs[0],)).module(), quantizer)
        for x in inputs:
            prepared(x)
        converted = convert_pt2e(prepared)
        return len({converted(x).item() for x in inputs})

    stock = stock_quantizer(is_qat=False)
    floating = stock_quantizer(is_qat=False)
    floating.set_filter_function(lambda node: node.target != torch.ops.aten.linear.default)
    assert distinct(stock) < 256 < distinct(floating)


@pytest.fixture(scope="module")
def conv_program() -> bytes:
    torch.manual_seed(0)
    network = nn.Conv2d(3, 4, 3).eval()
    edge = to_edge_transform_and_lower(torch.export.export(network, EXAMPLE), partitioner=[XnnpackPartitioner()])
    return edge.to_executorch().buffer


def test_our_runtime_gives_a_channels_last_array_the_scores_of_its_contiguous_copy(conv_program: bytes) -> None:
    contiguous = EXAMPLE[0].numpy()
    channels_last = np.ascontiguousarray(contiguous.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert not channels_last.flags.c_contiguous
    program = load_program(conv_program, prefer="executorch")
    assert np.array_equal(program.run(channels_last)[0], program.run(contiguous)[0])


def test_the_stock_runtime_reads_a_channels_last_tensor_wrongly_or_refuses_it(conv_program: bytes) -> None:
    program = Runtime.get().load_program(conv_program)
    method = program.load_method("forward")
    expected = method.execute(list(EXAMPLE))[0].clone()
    try:
        wrong = method.execute([EXAMPLE[0].to(memory_format=torch.channels_last)])[0]
    except RuntimeError:
        return
    assert not torch.allclose(wrong, expected, atol=1e-4)
