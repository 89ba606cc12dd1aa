"""Which file of a bundle is for which phone: the runtime, what it asks of the phone, what ran the file here.

A runtime's needs are those that its own documentation or package states; where it states none, this says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mobile_export.artifacts import ARTIFACTS
from mobile_export.verify.ladder import ParityCheck


@dataclass(frozen=True)
class Target:
    """What a runtime is taken for.

    Attributes:
        runtime: its name, and the first version that runs the files.
        use: where.
        needs: of the phone.
        here: what runs the file on the machine that builds the bundle.
        never: where nobody ran it.
    """

    runtime: str
    use: str
    needs: str
    here: str
    never: str


TARGETS = {
    "xnnpack": Target(
        "ExecuTorch 1.3",
        "Android, iOS, embedded Linux: the processor",
        "Android: arm64-v8a or x86_64 (its AAR); iOS 17 (its Swift package)",
        "ExecuTorch",
        "on a phone",
    ),
    "onnx": Target(
        "ONNX Runtime 1.17 (opset 20), OpenVINO 2026",
        "servers, Windows, React Native, browsers (onnxruntime-web)",
        "what the app's ONNX Runtime asks for",
        "ONNX Runtime",
        "on a phone, in Windows",
    ),
    "coreml": Target(
        "Core ML; for the .pte ExecuTorch's Core ML backend",
        "iPhone, iPad, Mac: also the Neural Engine and the GPU",
        "iOS 17, macOS 14",
        "a reference interpreter",
        "in Apple's Core ML",
    ),
    "coreai": Target(
        "Core AI 1.0", "iPhone, iPad, Mac", "iOS 27, macOS 27", "Apple's runtime for Linux", "on an Apple device"
    ),
    "litert": Target(
        "LiteRT (ai-edge-litert 2)",
        "Android, iOS, browsers (litert.js)",
        "what the app's LiteRT asks for",
        "LiteRT",
        "on a phone",
    ),
}


def phones(built: Collection[str], checks: Sequence[ParityCheck]) -> list[dict[str, str]]:
    """A row a variant of the bundle: ``name``, ``path``, ``runtime``, ``use``, ``needs``, ``ran``, ``never``.

    Args:
        built: names of the artifacts that the bundle has.
        checks: of the ladder; what ran a file here is read from them.
    """
    rows = []
    for name, artifact in ARTIFACTS.items():
        if name not in built or not artifact.is_variant:
            continue
        target = TARGETS[artifact.runtime]
        steps = dict.fromkeys(check.candidate for check in checks if check.about == name and check.holds is not None)
        ran = [step.removeprefix(artifact.step).removeprefix(" in ") or target.here for step in steps]
        rows.append(
            {
                "name": name,
                "path": artifact.path,
                "runtime": target.runtime,
                "use": target.use,
                "needs": target.needs,
                "ran": ", ".join(ran) or "nothing",
                "never": target.never,
            }
        )
    return rows
