"""The student's float weights as files of other runtimes; runs in those runtimes' environments.

    python -m benchmarks.peers.convert onnx FOLDER       # student.onnx, student_int8.onnx
    python -m benchmarks.peers.convert litert FOLDER     # student.tflite, student_int8.tflite

The int8 files are quantized by each runtime's own tool after training, calibrated on the golden photos.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def convert_to_onnx(folder: Path) -> None:
    """Float with torch's exporter, int8 with ONNX Runtime's static quantizer, weights per channel."""
    import torch
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    network, inputs = _student(folder)
    torch.onnx.export(network, (inputs[0],), folder / "student.onnx", dynamo=True, external_data=False)
    quant_pre_process(folder / "student.onnx", folder / "prepared.onnx")

    class Photos(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(inputs)

        def get_next(self) -> dict | None:
            x = next(self.rest, None)
            return None if x is None else {_input_name(folder / "student.onnx"): x.numpy()}

    quantize_static(
        folder / "prepared.onnx", folder / "student_int8.onnx", Photos(), quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,  # seven bits: on x86 without VNNI sums of eight-bit products saturate
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Add", "Clip"],  # as ours: pooling and heads stay float
    )  # fmt: skip


def convert_to_litert(folder: Path) -> None:
    """Float with litert-torch, int8 with ai-edge-quantizer's static recipe."""
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    network, inputs = _student(folder)
    litert_torch.convert(network, (inputs[0],)).export(str(folder / "student.tflite"))
    interpreter = Interpreter(str(folder / "student.tflite"))
    ((signature, parts),) = interpreter.get_signature_list().items()
    (name,) = parts["inputs"]
    tool = quantizer.Quantizer(str(folder / "student.tflite"))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    statistics = tool.calibrate({signature: [{name: x.numpy()} for x in inputs]})
    tool.quantize(statistics).export_model(str(folder / "student_int8.tflite"), overwrite=True)


def _student(folder: Path) -> tuple[object, list]:
    import torch

    from benchmarks.peers.material import float_student

    inputs = [torch.from_numpy(x) for x in np.load(folder / "calibration.npy")]
    return float_student(folder), inputs


def _input_name(path: Path) -> str:
    import onnx

    return onnx.load(path).graph.input[0].name


if __name__ == "__main__":
    {"onnx": convert_to_onnx, "litert": convert_to_litert}[sys.argv[1]](Path(sys.argv[2]))
