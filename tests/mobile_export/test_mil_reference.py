import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mil_package import IOS17, ct, mb, normal, outcome, package, save
from torch.nn import functional as F

from mobile_export.verify.mil_reference import MilError, MilProgram, UnknownOperator, coreml_predict

WEIGHT_FILE = "Data/com.apple.CoreML/weights/weight.bin"
PRECISIONS = ("float32", "float16")


IMAGE = (2, 4, 9, 11)
CONV, DEPTHWISE, BIAS = normal(6, 4, 3, 3, seed=1), normal(8, 1, 3, 3, seed=2), normal(6, seed=3)
MATRIX, COLUMN = normal(5, 11, seed=4), normal(1, 4, 1, 1, seed=5)
MEAN, VARIANCE, GAMMA = normal(4, seed=6), np.abs(normal(4, seed=7)) + 0.1, normal(4, seed=8)
T = torch.from_numpy

# operator, what the package computes, what torch computes
OPERATORS = {
    "conv valid": (
        lambda x: mb.conv(x=x, weight=CONV, bias=BIAS, pad_type="valid"),
        lambda x: F.conv2d(x, T(CONV), T(BIAS)),
    ),
    "conv custom, strided and dilated": (
        lambda x: mb.conv(
            x=x, weight=CONV, pad_type="custom", pad=[0, 2, 1, 3], strides=[2, 1], dilations=[1, 2]
        ),
        lambda x: F.conv2d(F.pad(x, (1, 3, 0, 2)), T(CONV), stride=(2, 1), dilation=(1, 2)),
    ),
    "conv same, strided": (
        lambda x: mb.conv(x=x, weight=CONV, pad_type="same", strides=[2, 2]),
        lambda x: F.conv2d(x, T(CONV), stride=2, padding=1),
    ),
    "conv same, uneven border after": (
        lambda x: mb.conv(x=x, weight=CONV[..., :2, :2], pad_type="same"),
        lambda x: F.conv2d(F.pad(x, (0, 1, 0, 1)), T(CONV[..., :2, :2])),
    ),
    "conv same_lower, uneven border before": (
        lambda x: mb.conv(x=x, weight=CONV[..., :2, :2], pad_type="same_lower"),
        lambda x: F.conv2d(F.pad(x, (1, 0, 1, 0)), T(CONV[..., :2, :2])),
    ),
    "conv in groups": (
        lambda x: mb.conv(x=x, weight=DEPTHWISE, pad_type="custom", pad=[1, 1, 1, 1], groups=4),
        lambda x: F.conv2d(x, T(DEPTHWISE), padding=1, groups=4),
    ),
    "linear": (
        lambda x: mb.linear(x=x, weight=MATRIX, bias=MATRIX[:, 0]),
        lambda x: F.linear(x, T(MATRIX), T(MATRIX[:, 0].copy())),
    ),
    "matmul transposed": (
        lambda x: mb.matmul(x=x, y=MATRIX, transpose_y=True),
        lambda x: x @ T(MATRIX).T,
    ),
    "clip": (lambda x: mb.clip(x=x, alpha=-0.5, beta=0.75), lambda x: x.clamp(-0.5, 0.75)),
    "relu": (lambda x: mb.relu(x=x), F.relu),
    "relu6": (lambda x: mb.relu6(x=mb.mul(x=x, y=9.0)), lambda x: F.relu6(9 * x)),
    "sigmoid": (lambda x: mb.sigmoid(x=x), torch.sigmoid),
    "sigmoid_hard": (lambda x: mb.sigmoid_hard(x=x, alpha=0.4, beta=0.5), lambda x: (0.4 * x + 0.5).clamp(0, 1)),
    "sigmoid_hard as torch's hardsigmoid": (
        lambda x: mb.sigmoid_hard(x=mb.mul(x=x, y=4.0), alpha=1 / 6, beta=0.5),
        lambda x: F.hardsigmoid(4 * x),
    ),
    "thresholded_relu": (lambda x: mb.thresholded_relu(x=x, alpha=-0.4), lambda x: torch.where(x >= -0.4, x, 0)),
    "thresholded_relu and sigmoid_hard as torch's hardswish": (
        lambda x: mb.mul(x=mb.thresholded_relu(x=x, alpha=-3.0), y=mb.sigmoid_hard(x=x, alpha=1 / 6, beta=0.5)),
        F.hardswish,
    ),
    "silu": (lambda x: mb.silu(x=x), F.silu),
    "gelu": (lambda x: mb.gelu(x=x, mode="EXACT"), F.gelu),
    "gelu by tanh": (lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION"), lambda x: F.gelu(x, approximate="tanh")),
    "gelu by sigmoid": (
        lambda x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        lambda x: x * torch.sigmoid(1.702 * x),
    ),
    "abs": (lambda x: mb.abs(x=x), torch.abs),
    "softmax": (lambda x: mb.softmax(x=x, axis=1), lambda x: x.softmax(1)),
    "add": (lambda x: mb.add(x=x, y=COLUMN), lambda x: x + T(COLUMN)),
    "sub from a constant": (lambda x: mb.sub(x=COLUMN, y=x), lambda x: T(COLUMN) - x),
    "mul": (lambda x: mb.mul(x=x, y=COLUMN), lambda x: x * T(COLUMN)),
    "real_div": (lambda x: mb.real_div(x=x, y=COLUMN), lambda x: x / T(COLUMN)),
    "batch_norm": (
        lambda x: mb.batch_norm(x=x, mean=MEAN, variance=VARIANCE, gamma=GAMMA, beta=MEAN, epsilon=1e-3),
        lambda x: F.batch_norm(x, T(MEAN), T(VARIANCE), T(GAMMA), T(MEAN), eps=1e-3),
    ),
    "layer_norm over the last axis": (
        lambda x: mb.layer_norm(x=x, axes=[-1], gamma=MATRIX[0], beta=MATRIX[1], epsilon=1e-6),
        lambda x: F.layer_norm(x, (11,), T(MATRIX[0]), T(MATRIX[1]), eps=1e-6),
    ),
    "layer_norm over channels": (
        lambda x: mb.layer_norm(x=x, axes=[1], gamma=GAMMA, beta=MEAN, epsilon=1e-3),
        lambda x: F.layer_norm(x.movedim(1, -1), (4,), T(GAMMA), T(MEAN), eps=1e-3).movedim(-1, 1),
    ),
    "pad with a constant": (
        lambda x: mb.pad(x=x, pad=[1, 0, 2, 3], mode="constant", constant_val=0.5),
        lambda x: F.pad(x, (2, 3, 1, 0), value=0.5),
    ),
    "pad by reflection": (
        lambda x: mb.pad(x=x, pad=[0, 0, 0, 0, 1, 0, 2, 3], mode="reflect"),
        lambda x: F.pad(x, (2, 3, 1, 0), mode="reflect"),
    ),
    "pad by replication": (
        lambda x: mb.pad(x=x, pad=[1, 0, 2, 3], mode="replicate"),
        lambda x: F.pad(x, (2, 3, 1, 0), mode="replicate"),
    ),
    "avg_pool counting its padding": (
        lambda x: mb.avg_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]),
        lambda x: F.avg_pool2d(x, 3, 2, 1),
    ),
    "avg_pool without its padding": (
        lambda x: mb.avg_pool(
            x=x,
            kernel_sizes=[3, 3],
            strides=[2, 2],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            exclude_padding_from_average=True,
            ceil_mode=True,
        ),
        lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
    ),
    "avg_pool same, uneven border": (
        lambda x: mb.avg_pool(x=x, kernel_sizes=[2, 2], pad_type="same", exclude_padding_from_average=True),
        lambda x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1), mode="replicate"), 2, 1),
    ),
    "max_pool": (
        lambda x: mb.max_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]),
        lambda x: F.max_pool2d(x, 3, 2, 1),
    ),
    "max_pool with a last partial window": (
        lambda x: mb.max_pool(x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid", ceil_mode=True),
        lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True),
    ),
    "reduce_mean": (
        lambda x: mb.reduce_mean(x=x, axes=[2, 3], keep_dims=True),
        lambda x: x.mean((2, 3), keepdim=True),
    ),
    "reduce_sum": (lambda x: mb.reduce_sum(x=x, axes=[-1]), lambda x: x.sum(-1)),
    "reshape": (lambda x: mb.reshape(x=x, shape=[2, -1, 11]), lambda x: x.reshape(2, -1, 11)),
    "transpose": (lambda x: mb.transpose(x=x, perm=[0, 2, 3, 1]), lambda x: x.permute(0, 2, 3, 1)),
    "expand_dims": (
        lambda x: mb.expand_dims(x=mb.reduce_sum(x=x, axes=[1]), axes=[0, -1]),
        lambda x: x.sum(1)[None, ..., None],
    ),
    "squeeze": (
        lambda x: mb.squeeze(x=mb.reduce_sum(x=x, axes=[1, 2], keep_dims=True), axes=[1, 2]),
        lambda x: x.sum((1, 2)),
    ),
    "concat": (
        lambda x: mb.concat(values=[x, mb.relu(x=x)], axis=1),
        lambda x: torch.cat([x, x.relu()], 1),
    ),
    "concat interleaved": (
        lambda x: mb.concat(values=[x, mb.relu(x=x)], axis=1, interleave=True),
        lambda x: torch.stack([x, x.relu()], 2).flatten(1, 2),
    ),
    "split into equal parts": (
        lambda x: mb.concat(values=mb.split(x=x, num_splits=2, axis=1)[::-1], axis=1),
        lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    ),
    "split by sizes": (
        lambda x: mb.mul(x=mb.split(x=x, split_sizes=[3, 8], axis=-1)[0], y=2.0),
        lambda x: 2 * x[..., :3],
    ),
    "slice_by_index": (
        lambda x: mb.slice_by_index(
            x=x,
            begin=[1, 0, 7, -2],
            end=[0, 3, 0, 0],
            stride=[1, 1, -2, 1],
            begin_mask=[False, True, False, False],
            end_mask=[False, False, True, True],
            squeeze_mask=[True, False, False, False],
        ),
        lambda x: x[1, :3, [7, 5, 3, 1]][..., -2:],
    ),
    "cast through integers": (
        lambda x: mb.cast(x=mb.cast(x=mb.mul(x=x, y=10.0), dtype="int32"), dtype="fp32"),
        lambda x: (10 * x).trunc(),
    ),
    "upsample_nearest_neighbor": (
        lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        lambda x: F.interpolate(x, scale_factor=(2, 3)),
    ),
    "upsample_bilinear": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2.0, scale_factor_width=3.0, align_corners=False
        ),
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear", align_corners=False),
    ),
    "upsample_bilinear with aligned corners": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2.0, scale_factor_width=2.0, align_corners=True
        ),
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    ),
}


@pytest.fixture
def conv_package(tmp_path: Path) -> Path:
    return package(
        tmp_path, IMAGE, lambda x: mb.relu(x=mb.conv(x=x, weight=CONV, bias=BIAS, pad_type="valid"))
    )


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    body, expected = OPERATORS[name]
    x = normal(*IMAGE)
    path = package(tmp_path, IMAGE, body)
    assert name.split()[0].rstrip(",") in MilProgram.read(path).operators.values()
    np.testing.assert_allclose(outcome(path, x), expected(T(x)).numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_quantize_rounds_ties_to_even_and_saturates(dtype: str, tmp_path: Path) -> None:
    zero, low, high = (np.int8(3), -128, 127) if dtype == "int8" else (np.uint8(130), 0, 255)
    x = np.array([-1e4, -2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 3.4, 1e4], np.float32) * np.float32(0.5)
    path = package(
        tmp_path,
        x.shape,
        lambda v: mb.cast(
            x=mb.quantize(input=v, scale=np.float32(0.5), zero_point=zero, output_dtype=dtype), dtype="fp32"
        ),
    )
    steps = np.array([-(10**6), -2, -2, 0, 0, 0, 2, 2, 3, 10**6])
    assert outcome(path, x).tolist() == np.clip(steps + zero.astype(int), low, high).tolist()


def test_quantize_then_dequantize_along_an_axis_equals_torchs_fake_quantization(tmp_path: Path) -> None:
    x, scale = normal(*IMAGE), np.array([0.1, 0.02, 0.5, 0.01], np.float32)
    zero = np.array([0, 5, -7, 100], np.int8)
    path = package(
        tmp_path,
        IMAGE,
        lambda v: mb.dequantize(
            input=mb.quantize(input=v, scale=scale, zero_point=zero, axis=1, output_dtype="int8"),
            scale=scale,
            zero_point=zero,
            axis=1,
        ),
    )
    expected = torch.fake_quantize_per_channel_affine(T(x), T(scale), T(zero.astype(np.int32)), 1, -128, 127)
    np.testing.assert_allclose(outcome(path, x), expected.numpy(), atol=1e-6)


def test_half_precision_rounds_every_float16_result_and_float32_rounds_none(tmp_path: Path) -> None:
    x = normal(*IMAGE)

    @mb.program(input_specs=[mb.TensorSpec(IMAGE)], opset_version=IOS17)
    def program(x):
        return mb.cast(x=mb.mul(x=mb.cast(x=x, dtype="fp16"), y=np.float16(3)), dtype="fp32")

    model = ct.convert(program, minimum_deployment_target=IOS17, skip_model_load=True)
    program = MilProgram.read(save(model, tmp_path))
    run = {precision: program.run({"x": x}, precision)[program.outputs[0]] for precision in PRECISIONS}
    np.testing.assert_array_equal(run["float16"], (T(x).half() * 3).float().numpy())
    np.testing.assert_array_equal(run["float32"], x * 3)


def test_attention_is_what_torch_computes(tmp_path: Path) -> None:
    x, scale = normal(1, 12, 8), 8**-0.5
    weight = normal(24, 8, seed=9)

    def body(x):
        query, key, value = mb.split(x=mb.linear(x=x, weight=weight), num_splits=3, axis=2)
        attention = mb.softmax(x=mb.matmul(x=mb.mul(x=query, y=np.float32(scale)), y=key, transpose_y=True), axis=-1)
        return mb.matmul(x=attention, y=value)

    path = package(tmp_path, x.shape, body)
    expected = F.scaled_dot_product_attention(*F.linear(T(x), T(weight)).chunk(3, 2))
    np.testing.assert_allclose(outcome(path, x), expected.numpy(), rtol=1e-5, atol=1e-5)


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    path = package(tmp_path, (4,), lambda x: mb.cumsum(x=x, axis=0, name="running_total"))
    with pytest.raises(UnknownOperator, match="'cumsum', which computes 'running_total'"):
        MilProgram.read(path)


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.0])
def test_a_truncated_weight_file_is_refused(kept: float, conv_package: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(conv_package, tmp_path / "damaged.mlpackage")
    data = (damaged / WEIGHT_FILE).read_bytes()
    (damaged / WEIGHT_FILE).write_bytes(data[: int(kept * len(data))])
    with pytest.raises(MilError, match=r"is damaged|not a weight file"):
        MilProgram.read(damaged)


def test_a_package_without_its_weights_or_manifest_is_refused(conv_package: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(conv_package, tmp_path / "damaged.mlpackage")
    (damaged / WEIGHT_FILE).unlink()
    with pytest.raises(MilError, match="no file inside the package"):
        MilProgram.read(damaged)
    (damaged / "Manifest.json").unlink()
    with pytest.raises(MilError, match="no Manifest"):
        MilProgram.read(damaged)


def test_wrong_inputs_are_refused(conv_package: Path) -> None:
    program = MilProgram.read(conv_package)
    x = normal(*IMAGE)
    for wrong in ({}, {"image": x}, {"x": x.transpose(0, 2, 3, 1)}):
        with pytest.raises(MilError, match="takes inputs"):
            program.run(wrong)
    with pytest.raises(MilError, match="float32, float16"):
        program.run({"x": x}, precision="float64")


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML exists here")
def test_core_ml_itself_is_refused_where_there_is_none(conv_package: Path) -> None:
    with pytest.raises(RuntimeError, match="macOS only"):
        coreml_predict(conv_package, {})


def test_a_trace_ends_in_what_run_returns(conv_package: Path) -> None:
    program = MilProgram.read(conv_package)
    x = {"x": normal(*IMAGE)}
    trace, outputs = dict(program.trace(x)), program.run(x)
    assert list(program.operators.values()) == ["conv", "relu"]
    assert list(trace) == list(program.operators)
    np.testing.assert_array_equal(trace[program.outputs[0]], outputs[program.outputs[0]])
