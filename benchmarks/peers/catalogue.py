"""Who is measured beside our int8 program: where each runs, and what its authors or others say of its accuracy.

Published SRCC is on LIVE-in-the-Wild, a set that none of these networks was trained on; the weights here are
random wherever a download would be needed, because latency does not depend on them. Sources: IQA-PyTorch's
``tests/NR_benchmark_results.csv`` (commit 0d00073); QualiCLIP: Agnolucci et al., 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

# ``factory`` is the environment that runs this command; the others are made by `benchmarks.peers.environments`.
STUDENT, OTHER = "this student", "another network"


@dataclass(frozen=True)
class Peer:
    """One row of the table.

    Attributes:
        name: as in the table and for ``--peers``.
        environment: in which it runs.
        loader: a function of `benchmarks.peers.loaders`, and perhaps its argument after a colon.
        group: the same student in another runtime, or another network.
        srcc: published, None where there is no figure for exactly this network.
    """

    name: str
    environment: str
    loader: str
    group: str = OTHER
    srcc: float | None = None


BASELINE = Peer("ours, int8 .pte", "factory", "program:int8.pte", STUDENT)
PEERS = (
    BASELINE,
    Peer("ours, fp32 .pte", "factory", "program:fp32.pte", STUDENT),
    Peer("ours, int8 .pte without torch", "torch-free", "program:int8.pte", STUDENT),
    Peer("ours, int8 .onnx in ONNX Runtime", "factory", "program:int8.onnx@onnxruntime", STUDENT),
    Peer("ours, int8 .onnx in OpenVINO", "factory", "program:int8.onnx@openvino", STUDENT),
    Peer("ours, int8 .tflite in LiteRT", "litert", "program:int8.tflite@ai-edge-litert", STUDENT),
    Peer("student, ONNX Runtime fp32", "networks", "onnx:student.onnx", STUDENT),
    Peer("student, ONNX Runtime int8", "networks", "onnx:student_int8.onnx", STUDENT),
    Peer("student, OpenVINO fp32", "networks", "openvino:student.onnx", STUDENT),
    Peer("student, OpenVINO int8", "networks", "openvino:student_int8.onnx", STUDENT),
    Peer("student, LiteRT fp32", "litert", "litert:student.tflite", STUDENT),
    Peer("student, LiteRT int8", "litert", "litert:student_int8.tflite", STUDENT),
    Peer("student, torch eager", "factory", "student:eager", STUDENT),
    Peer("student, torch.compile", "factory", "student:compiled", STUDENT),
    Peer("packaged teacher's trunk (Lite2), whole photo", "factory", "lite2_trunk"),
    Peer("CLIP ViT-B/32, 224×224", "factory", "open_clip:ViT-B-32"),
    Peer("CLIP RN50, 224×224", "factory", "open_clip:RN50"),
    Peer("CLIP RN50 trunk, whole photo", "factory", "open_clip_trunk:RN50"),
    Peer("clipiqa", "networks", "pyiqa:clipiqa", srcc=0.6955),
    Peer("qualiclip", "networks", "pyiqa:qualiclip", srcc=0.725),
    Peer("topiq_nr", "networks", "pyiqa:topiq_nr", srcc=0.8106),
    Peer("musiq", "networks", "pyiqa:musiq", srcc=0.7889),
    Peer("dbcnn", "networks", "pyiqa:dbcnn", srcc=0.7642),
    Peer("nima", "networks", "pyiqa:nima", srcc=0.5071),
    Peer("hyperiqa", "networks", "pyiqa:hyperiqa", srcc=0.7440),
    Peer("maniqa", "networks", "pyiqa:maniqa"),
    Peer("brisque", "networks", "pyiqa:brisque", srcc=0.3128),
    Peer("niqe", "networks", "pyiqa:niqe", srcc=0.4505),
)


def choose(names: str | None) -> list[Peer]:
    """The peers of a list of names or parts of names, separated by semicolons; all without one.

    Raises ``ValueError`` for a part that no name has.
    """
    parts = [part.strip() for part in names.split(";")] if names else [""]
    for part in parts:
        if not any(part in peer.name for peer in PEERS):
            raise ValueError(f"--peers {part!r}: no such peer; there are: {'; '.join(p.name for p in PEERS)}")
    return [peer for peer in PEERS if peer is not BASELINE and any(part in peer.name for part in parts)]
