"""How near a program comes to a core's peaks: what its layers do, which operator is which layer, and the bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pocketiqa.bundle import Bundle
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.operators import WHOLE
from benchmarks.result_file import RecordError
from benchmarks.roofline.join import joined
from benchmarks.roofline.layers import Layer, layers_of, layers_of_graph
from benchmarks.roofline.measure import described, measure
from benchmarks.roofline.peaks import kernels_in, products
from benchmarks.roofline.record import Peaks, RooflineRecord
from benchmarks.roofline.table import text
from distill.networks.student import Student

PEAKS = Peaks({"int8": 200e9, "fp32": 50e9}, {1_000_000: 80e9, 16_000_000: 40e9}, ["AVX-512"])
CONVOLUTION = Layer("convolution", "Conv2d", True, 2_000_000, 1000)
PADDING = Layer("padding", "StaticConstantPad", False, 0, 3_000_000)
ADDITION = Layer("addition", "Add", False, 0, 800)


def graph(kind: str, output: list[int], filter_dims: list[int], int8: bool, **node: int) -> dict:
    """An XNNPACK graph of one layer with a bias, whose input is 1×5×5×4."""
    value, weight, bias = ("qint8", "qcint8", "qcint32") if int8 else ("fp32",) * 3
    tensors = [(value, [1, 5, 5, 4]), (weight, filter_dims), (bias, output[-1:]), (value, output)]
    node = {"input1_id": 0, "filter_id": 1, "bias_id": 2, "output_id": 3, **node}
    return {
        "xvalues": [
            {"xvalue_union": {"tensor_value": {"datatype": f"xnn_datatype_{dtype}", "dims": dims, "id_out": number}}}
            for number, (dtype, dims) in enumerate(tensors)
        ],
        "xnodes": [{"xnode_union_type": f"XNN{kind}", "xnode_union": node}],
    }


KERNEL = {"kernel_height": 3, "kernel_width": 3, "subsampling_height": 2, "group_input_channels": 4, "groups": 1}


def test_a_convolution_multiplies_each_output_by_a_kernel_of_all_input_channels() -> None:
    # 3×3 outputs of 8 channels, each of 3×3 positions of 4 channels.
    (layer,) = layers_of_graph(graph("Conv2d", [1, 3, 3, 8], [8, 3, 3, 4], int8=True, **KERNEL))
    assert (layer.macs, layer.int8) == (3 * 3 * 8 * 3 * 3 * 4, True)
    assert layer.bytes == 5 * 5 * 4 + 8 * 3 * 3 * 4 + 8 * 4 + 3 * 3 * 8  # a bias takes four bytes a channel
    assert layer.name == "convolution 3×3/2 4→8, int8, 1×3×3×8"


def test_a_depthwise_convolution_multiplies_each_output_by_one_channel() -> None:
    node = {**KERNEL, "group_input_channels": 1, "groups": 4}
    (layer,) = layers_of_graph(graph("DepthwiseConv2d", [1, 3, 3, 4], [1, 3, 3, 4], int8=False, **node))
    assert (layer.macs, layer.int8) == (3 * 3 * 4 * 3 * 3, False)
    assert layer.bytes == 4 * (5 * 5 * 4 + 3 * 3 * 4 + 4 + 3 * 3 * 4)
    assert layer.name == "depthwise 3×3/2 4, fp32, 1×3×3×4"


def test_a_linear_layer_multiplies_each_output_by_every_input() -> None:
    (layer,) = layers_of_graph(graph("FullyConnected", [1, 10], [10, 100], int8=False))
    assert layer.macs == 1000


def test_the_shipped_program_multiplies_as_often_as_its_network_does() -> None:
    network = Student(pretrained=False).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(network.example())
    assert sum(layer.macs for layer in layers_of(Bundle.open().read_variant("int8"))) == counter.get_total_flops() // 2


@given(st.lists(st.sampled_from([CONVOLUTION, PADDING, ADDITION])), st.sets(st.integers(0, 20)), st.booleans())
def test_no_layer_and_no_operator_is_dropped(layers: list[Layer], merged: set[int], another: bool) -> None:
    names = {"Conv2d": "Fully Connected (NC, QS8, QC8W) GEMM", "StaticConstantPad": "Constant Pad (ND, X8)",
             "Add": "Add (ND)"}  # fmt: skip
    operators = [f"{names[each.kind]} #{i}" for i, each in enumerate(layers) if i not in merged]
    operators += ["Softmax (NC, F32) #1"] * another
    pairs = joined(layers, operators)
    assert [layer for layer, _ in pairs if layer] == layers
    assert [name for _, name in pairs if name] == operators
    assert all(name.startswith(names[layer.kind]) for layer, name in pairs if layer and name)


def test_a_padding_that_its_convolution_does_is_named_without_a_time() -> None:
    times = {"Fully Connected (NC, QS8, QC8W) GEMM #1": [0.02, 0.03, 0.02], WHOLE: [0.04, 0.05, 0.04]}
    found = described([PADDING, CONVOLUTION], times, PEAKS, "executorch")
    padding, convolution = found.layers
    assert (padding.layer, padding.operator, padding.ms, padding.bound_ms) == ("padding", None, None, 0)
    assert convolution.ms == 0.02 and convolution.share == pytest.approx(0.5)
    assert found.share.value == pytest.approx(found.bound_ms / 0.04) == pytest.approx(0.25)
    assert found.share.low <= found.share.value <= found.share.high


def test_the_bound_is_set_by_the_products_or_by_the_bytes_whichever_takes_longer() -> None:
    assert PEAKS.bound_ms(200_000_000, 1000, "int8") == (1.0, "int8")
    assert PEAKS.bound_ms(200_000_000, 1000, "fp32") == (4.0, "fp32")
    assert PEAKS.bound_ms(1000, 40_000_000, "int8") == (1.0, "bytes")
    # What is smaller than every copy that was measured comes as fast as the smallest.
    assert PEAKS.bound_ms(0, 80_000, "fp32") == (pytest.approx(0.001), "bytes")


def test_a_measured_program_reaches_a_share_of_its_bound_that_is_written_with_its_layers(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.__main__ import main

    path = tmp_path / "roofline.json"
    call = ["roofline", "--bundle", str(tiny_bundle), "--rounds", "5", "--json", str(path)]
    monkeypatch.setattr("sys.argv", ["benchmarks", *call])
    assert main() == 0
    record, printed = RooflineRecord.read(path), capsys.readouterr().out
    named = [one.layer for one in record.layers if one.layer]
    assert named == [layer.name for layer in layers_of(Bundle.open(tiny_bundle).read_variant("int8"))]
    assert {one.limit for one in record.layers if one.macs} <= {"int8", "fp32", "bytes"}
    assert 0 < record.share.low <= record.share.value <= record.share.high
    assert all(one.share > 0 for one in record.layers if one.ms and one.layer)
    assert set(record.peaks.products) == {"int8", "fp32"} and min(record.peaks.copies.values()) > 0
    assert f"tiny 0.0.1 int8 reaches {record.share.value:.3f}" in printed
    untimed = [one.layer for one in record.layers if one.ms is None]
    assert all(name in printed for name in untimed)
    assert record == RooflineRecord.read(path) and text(record) in printed


def test_a_program_that_gives_nothing_to_xnnpack_is_refused() -> None:
    from executorch.exir import to_edge

    program = to_edge(torch.export.export(torch.nn.ReLU(), (torch.ones(2),))).to_executorch().buffer
    with pytest.raises(ValueError, match="gives nothing to XNNPACK"):
        measure(program, np.ones(2, np.float32), 5)


def test_a_file_of_another_kind_is_no_roofline(tmp_path: Path) -> None:
    (tmp_path / "perf.json").write_text('{"schema": "pocketiqa-perf", "schema_version": 2}')
    with pytest.raises(RecordError, match="not a pocketiqa-roofline file"):
        RooflineRecord.read(tmp_path / "perf.json")


def test_the_kernels_that_ran_are_named_and_reorders_are_not() -> None:
    verbose = (
        "onednn_verbose,v1,info,cpu,isa:Intel AVX-512 with Intel DL Boost\n"
        "onednn_verbose,v1,primitive,info,template:operation,engine,primitive,implementation,prop_kind\n"
        "onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src:f32\n"
        "onednn_verbose,v1,primitive,exec,cpu,gemm_api,,undef,src_s8::blocked:ab:f0\n"
        "onednn_verbose,v1,primitive,exec,cpu,inner_product,brg_matmul:avx512_core,forward_training,src:f32\n"
    )
    assert kernels_in(verbose) == [
        "Intel AVX-512 with Intel DL Boost", "gemm_api", "inner_product brg_matmul:avx512_core",
    ]  # fmt: skip
    assert kernels_in("") == []


def test_the_products_that_are_timed_are_right() -> None:
    for name, probe in products().items():
        product = probe.run()
        product = product.to_dense() if product.is_mkldnn else product
        assert product.shape == (768, 768) and probe.work == 768**3
        assert product.dtype == (torch.int32 if name == "int8" else torch.float32)
