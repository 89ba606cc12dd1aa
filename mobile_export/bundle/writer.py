"""A bundle while it is filled: artifacts, golden photos, input tensors, and the manifest that lists them all."""

from __future__ import annotations

import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from pocketiqa.bundle import Manifest, Variant, entries_of
from pocketiqa.check_input import INPUTS
from pocketiqa.manifest import FileEntry
from pocketiqa.preprocess import preprocess

from distill.networks.student import ATTRIBUTES, INPUT_SPEC, OUTPUTS
from mobile_export.bundle.golden import WALL
from mobile_export.bundle.model_card import model_card
from mobile_export.integration import write_integration
from mobile_export.lower.executorch import LoweredProgram
from mobile_export.verify.ladder import Ladder

MINIMUM_RUNTIME = "executorch 1.3"
_EXPORTERS = ("torch", "torchao", "executorch", "coremltools", "timm")
_MAP_SIDE = INPUT_SPEC.height // 32


class BundleWriter:
    """Writes into ``root`` and remembers what it wrote.

    Attributes:
        root: the bundle's folder.
        name, version: of the student.
        notes: what was not built or not verified, and why, in words.
        sizes: bytes and delegated subgraphs (None where that is no word) of each variant.
    """

    def __init__(self, root: Path, name: str, version: str) -> None:
        self.root, self.name, self.version = root, name, version
        self.files: dict[str, FileEntry] = {}
        self.variants: dict[str, Variant] = {}
        self.golden: dict[str, dict[str, list[float]]] = {}
        self.notes: list[str] = []
        self.sizes: dict[str, tuple[int, int | None]] = {}

    def metadata(self, variant: str, backend: str) -> dict[str, object]:
        """What an artifact carries inside, so that it explains itself without its bundle."""
        return {
            "name": self.name,
            "version": self.version,
            "variant": variant,
            "backend": backend,
            "input": INPUT_SPEC.to_dict(),
            "outputs": _outputs(),
        }

    def path(self, name: str) -> Path:
        """A file or package of the bundle, its folder made."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add_program(self, variant: str, name: str, backend: str, lowered: LoweredProgram) -> Path:
        """Write a lowered program and list it."""
        path = self.path(name)
        path.write_bytes(lowered.buffer)
        self.files[name] = FileEntry.of(
            path, variant=variant, backend=backend, delegation=lowered.delegation.to_dict()
        )
        self.variants[variant] = Variant(name, backend)
        self.sizes[variant] = (len(lowered.buffer), lowered.delegation.subgraphs)
        return path

    def add_package(self, variant: str, name: str) -> None:
        """List a package that was written to ``path(name)``, every inner file with its own hash."""
        entries = entries_of(self.root / name, f"{name}/", variant=variant, backend="coreml")
        self.files |= entries
        self.variants[variant] = Variant(name, "coreml")
        self.sizes[variant] = (sum(entry.bytes for entry in entries.values()), None)

    def add_file(self, name: str) -> None:
        """List a file that was written to ``path(name)`` and is no variant."""
        self.files[name] = FileEntry.of(self.root / name)

    def add_golden(self, photos: list[Path], ladder: Ladder) -> None:
        """Copy the golden photos, with what each program scored: float32 in the fewest digits that give it back."""
        for row, photo in enumerate(photos):
            name = f"golden/{photo.name}"
            shutil.copyfile(photo, self.path(name))
            self.add_file(name)
            self.golden[name] = {
                variant: [float(str(np.float32(value))) for value in ladder.outputs[f"{variant} .pte"][row]]
                for variant in ("fp32", "fp16", "int8")
                if f"{variant} .pte" in ladder.outputs
            }

    def add_inputs(self, photos: list[Path]) -> None:
        """Golden tensors, uint8 before the division by 255 (which loses nothing), and the photos of those that are
        not golden photos already: what an app's own preprocessing is checked against."""
        for photo in [WALL, *photos]:
            tensor = preprocess(photo, INPUT_SPEC)
            name = f"{INPUTS}{photo.stem}.npy"
            np.save(self.path(name), np.round(tensor * 255).astype(np.uint8))
            self.add_file(name)
        shutil.copyfile(WALL, self.path(f"{INPUTS}{WALL.name}"))
        self.add_file(f"{INPUTS}{WALL.name}")

    def write_manifest(
        self, training: dict[str, Any], quantization: dict[str, Any], ladder: Ladder, report: str | None
    ) -> None:
        """Write the model card, the files for apps and, last, the manifest; ``report`` is the page, if any."""
        card = model_card(self.name, self.version, training, quantization, ladder.rungs, self.notes)
        self.path("README.md").write_text(card)
        self.add_file("README.md")
        if report is not None:
            self.path("report.html").write_text(report)
            self.add_file("report.html")
        manifest = Manifest(
            name=self.name,
            version=self.version,
            input=INPUT_SPEC,
            outputs=_outputs(),
            files=self.files,
            variants=self.variants,
            golden=self.golden,
            git_commit=_git_commit(),
            exporter={package: _version(package) for package in _EXPORTERS},
            minimum_runtime=MINIMUM_RUNTIME,
            training=training,
            licence="Apache-2.0",
            calibration=quantization.get("calibration", {}),
            parity=[rung.to_dict() for rung in ladder.rungs],
            notes=self.notes,
        )
        for name in write_integration(manifest, self.root):
            self.add_file(name)
        manifest.write(self.root / "manifest.json")


def _outputs() -> dict[str, object]:
    unit = [0, 1]
    return {
        OUTPUTS[0]: {"range": unit},
        "attributes": {"names": list(ATTRIBUTES), "range": unit},
        "map": {"shape": [_MAP_SIDE, _MAP_SIDE], "range": unit},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git_commit() -> str:
    """Of the checkout that built the bundle, or '' outside one."""
    result = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip()
