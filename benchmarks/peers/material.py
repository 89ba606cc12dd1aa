"""What every peer reads: our programs, the float student, one photo and the student's inputs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import preprocess

from distill.networks.registry import load_network, weights_of

if TYPE_CHECKING:
    from distill.contract import QualityNetwork

# Networks that take a photo at its own size are compared at this one, width and height.
PHOTO_SIZE = (512, 384)


def write_material(bundle: Bundle, photo: Image.Image, network: str, weights: Path | None, folder: Path) -> None:
    """Fill ``folder``.

    It gets the programs ``int8.pte`` and ``fp32.pte``, and ``int8.onnx`` and ``int8.tflite`` where the bundle has them;
    the float student that they were made of; the arrays ``photo`` (uint8 H×W×3 of ``PHOTO_SIZE``), ``input`` (the
    student's, float32) and ``calibration`` (one input a golden photo, float32).

    Args:
        network, weights: of the student, as ``distill.networks.registry.load_network`` takes them.

    Raises:
        BundleError: the bundle lacks a program, or a file is not what its hash promises.
        ContractError, FileNotFoundError: no such network or weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for variant in ("int8", "fp32"):
        (folder / f"{variant}.pte").write_bytes(bundle.read_variant(variant))
    for variant, ending in (("onnx_int8", "onnx"), ("litert_int8", "tflite")):
        if bundle.has(variant):
            (folder / f"int8.{ending}").write_bytes(bundle.read_variant(variant))
    shutil.copy(weights_of(network, weights), folder / "student.safetensors")
    name, colon, function = network.rpartition(":")
    (folder / "network.json").write_text(json.dumps(f"{Path(name).absolute()}:{function}" if colon else network))
    spec = bundle.manifest.input
    fitted = np.asarray(ImageOps.fit(photo, PHOTO_SIZE))
    np.save(folder / "photo.npy", fitted)
    np.save(folder / "input.npy", preprocess(fitted, spec))
    np.save(folder / "calibration.npy", np.stack([preprocess(bundle.read(name), spec) for name in bundle.golden]))


def float_student(folder: Path) -> QualityNetwork:
    """The float student of a folder that `write_material` filled."""
    return load_network(json.loads((folder / "network.json").read_text()), folder / "student.safetensors")
