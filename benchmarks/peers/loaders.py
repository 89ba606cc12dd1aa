"""Each kind of peer as a function without arguments that scores the one photo, and what is known about it.

Runs in the peer's own environment, so every import stands where it is needed. ``folder`` holds what
`benchmarks.peers.material` wrote: the programs, the photo and the student's input made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class LoadedPeer:
    """A peer ready to score.

    Attributes:
        run: scores the photo; returns the student's score where it is the student, else None.
        runtime: what runs it, with its version.
        file_bytes: size of its file, None where it has none here.
        network: its torch module and input, for counting; None where there is no torch module.
    """

    run: Callable[[], float | None]
    runtime: str
    file_bytes: int | None = None
    network: tuple[object, object] | None = None


def program(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """A program of the bundle in this environment: ``FILE`` in the SDK's own choice of runtime, or ``FILE@RUNTIME``."""
    from pocketiqa.runtime import load_program

    file, _, runtime = argument.partition("@")
    if not (folder / file).exists():
        raise FileNotFoundError(f"the bundle has no {file}; build one with python -m mobile_export --all")
    loaded = load_program(folder / file, threads=threads, prefer=runtime or None)
    x = np.load(folder / "input.npy")
    quality = next(i for i, output in enumerate(loaded.outputs) if len(output["shape"]) == 2)  # a map has three
    return LoadedPeer(lambda: float(loaded.run(x)[quality].flat[0]), loaded.runtime_name, _size(folder / file))


def onnx(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(folder / argument), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: np.load(folder / "input.npy")}
    return LoadedPeer(
        lambda: float(session.run(None, feed)[0].flat[0]),
        f"onnxruntime {onnxruntime.__version__}",
        _size(folder / argument),
    )


def openvino(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """OpenVINO's CPU plugin, which reads ONNX files; float32 unless the file is quantized."""
    import openvino

    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(folder / argument), "CPU", options)
    x = np.load(folder / "input.npy")
    version = openvino.__version__.split("-")[0]
    return LoadedPeer(lambda: float(compiled([x])[0].flat[0]), f"openvino {version}", _size(folder / argument))


def litert(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """LiteRT, which runs float and int8 operators with XNNPACK as ExecuTorch does."""
    from importlib.metadata import version

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(folder / argument), num_threads=threads)
    interpreter.allocate_tensors()
    (input_,) = interpreter.get_input_details()
    # The quality vector is 1×k; a map has three dimensions.
    quality = next(output for output in interpreter.get_output_details() if len(output["shape"]) == 2)
    x = np.load(folder / "input.npy")
    if input_["dtype"] == np.int8:
        scale, zero = input_["quantization"]
        x = np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)

    def run() -> float:
        interpreter.set_tensor(input_["index"], x)
        interpreter.invoke()
        value = float(interpreter.get_tensor(quality["index"]).flat[0])
        scale, zero = quality["quantization"]
        return (value - zero) * scale if scale else value

    return LoadedPeer(run, f"ai-edge-litert {version('ai-edge-litert')}", _size(folder / argument))


def student(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """The float student in torch, eager or compiled."""
    import torch

    from benchmarks.peers.material import float_student

    torch.set_num_threads(threads)
    network = float_student(folder)
    forward = torch.compile(network) if argument == "compiled" else network
    x = torch.from_numpy(np.load(folder / "input.npy"))
    return LoadedPeer(_scoring(lambda: float(forward(x)[0].flatten()[0])), _torch(), network=(network, x))


def lite2_trunk(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """What the packaged teacher computes of a photo at its own size, but for one small projection."""
    import torch

    from distill.networks.backbone import lite2_backbone

    torch.set_num_threads(threads)
    network, x = lite2_backbone(), _photo(folder)
    return LoadedPeer(_scoring(lambda: network(x)), _torch(), network=(network, x))


def open_clip(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """CLIP's image tower at its own 224×224, with random weights."""
    import open_clip as package
    import torch

    torch.set_num_threads(threads)
    tower = package.create_model(argument, pretrained=None).visual.eval()
    x = torch.nn.functional.interpolate(_photo(folder), (224, 224), mode="bilinear", antialias=True)
    return LoadedPeer(_scoring(lambda: tower(x)), _torch(f"open_clip {package.__version__}"), network=(tower, x))


def open_clip_trunk(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """The convolutional part of CLIP's ResNet over the whole photo, as quality models use it."""
    import open_clip as package
    import torch

    torch.set_num_threads(threads)
    tower = package.create_model(argument, pretrained=None).visual.eval()
    tower.attnpool = torch.nn.AdaptiveAvgPool2d(1)
    x = _photo(folder)
    return LoadedPeer(_scoring(lambda: tower(x)), _torch(f"open_clip {package.__version__}"), network=(tower, x))


def pyiqa(folder: Path, argument: str, threads: int) -> LoadedPeer:
    """A published metric with its own preprocessing and crops, with random weights."""
    from importlib.metadata import version

    import torch

    from benchmarks.peers.random_weights import random_metric

    torch.set_num_threads(threads)
    metric, x = random_metric(argument), _photo(folder)
    return LoadedPeer(_scoring(lambda: metric(x)), _torch(f"pyiqa {version('pyiqa')}"), network=(metric, x))


def _scoring(forward: Callable[[], object]) -> Callable[[], float | None]:
    import torch

    def run() -> float | None:
        with torch.inference_mode():
            result = forward()
        return result if isinstance(result, float) else None

    return run


def _photo(folder: Path) -> object:
    import torch

    return torch.from_numpy(np.load(folder / "photo.npy")).permute(2, 0, 1)[None].contiguous().float() / 255


def _torch(package: str = "") -> str:
    import torch

    return f"{package}, torch {torch.__version__}".strip(", ")


def _size(path: Path) -> int:
    return path.stat().st_size
