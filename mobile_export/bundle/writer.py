"""A bundle while it is filled: artifacts, golden photos, input tensors, and the manifest that lists them all."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from pocketiqa.bundle import Bundle, Manifest, Variant, entries_of
from pocketiqa.check_input import INPUTS
from pocketiqa.errors import BundleError
from pocketiqa.gate import SCORE, Gate
from pocketiqa.manifest import FileEntry
from pocketiqa.preprocess import preprocess

from distill.contract import QualityNetwork
from mobile_export.artifacts import ARTIFACTS, Artifact
from mobile_export.bundle.golden import WALL
from mobile_export.bundle.model_card import hub_config, model_card
from mobile_export.graphs import FLOAT
from mobile_export.integration import write_integration
from mobile_export.integration.web_page import write_web
from mobile_export.lower.request import Delegation
from mobile_export.sources import VERSION, Sources
from mobile_export.verify.decisions import check_decisions
from mobile_export.verify.ladder import ParityCheck, ParityLadder

GATE = "gate.json"
MINIMUM_RUNTIME = (
    "executorch 1.3; for .onnx: onnxruntime 1.17 (opset 20); for .aimodel: iOS 27, macOS 27; for .tflite: LiteRT 2"
)
_EXPORTERS = ("torch", "torchao", "executorch", "coremltools", "onnx", "onnxscript", "coreai-torch", "timm")


class BundleWriter:
    """Writes into ``root`` and remembers what it wrote.

    Attributes:
        root: the bundle's folder.
        sources: what the bundle is made from.
        notes: what was not built or not verified, and why, in words.
        sizes: bytes and delegated subgraphs (None where that is no word) of each variant.
    """

    def __init__(self, root: Path, sources: Sources, notes: Sequence[str] = ()) -> None:
        self.root, self.sources = root, sources
        self.files: dict[str, FileEntry] = {}
        self.variants: dict[str, Variant] = {}
        self.golden: dict[str, dict[str, list[float]]] = {}
        self.gate = ""
        self.notes = list(notes)
        self.sizes: dict[str, tuple[int, int | None]] = {}
        self._scored: dict[str, str] = {}  # variant → step whose outputs the manifest holds

    @property
    def network(self) -> QualityNetwork:
        """The bundle's network."""
        return self.sources.network

    def metadata(self, variant: str, backend: str) -> dict[str, object]:
        """What an artifact carries inside, so that it explains itself without its bundle."""
        return {
            "name": self.network.name,
            "version": VERSION,
            "variant": variant,
            "backend": backend,
            "input": self.network.input.of_tensor.to_dict(),
            "outputs": outputs_of(self.network),
        }

    def path(self, name: str) -> Path:
        """A file or package of the bundle, its folder made."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add_artifact(self, artifact: Artifact, delegation: Delegation | None) -> None:
        """List a file or a package that was written to ``path(artifact.path)``: a package's inner files, each with its
        own hash."""
        if not artifact.is_variant:
            self.add_file(artifact.path)
            return
        what: dict[str, object] = {"variant": artifact.name, "backend": artifact.runtime}
        if delegation is not None:
            what["delegation"] = delegation.to_dict()
        path = self.root / artifact.path
        entries = (
            entries_of(path, f"{artifact.path}/", **what)
            if path.is_dir()
            else {artifact.path: FileEntry.of(path, **what)}
        )
        self.files |= entries
        self.variants[artifact.name] = Variant(artifact.path, artifact.runtime)
        size = sum(entry.bytes for entry in entries.values())
        self.sizes[artifact.name] = size, None if delegation is None else delegation.subgraphs
        if artifact.has_golden_scores:
            self._scored[artifact.name] = artifact.step

    def add_file(self, name: str) -> None:
        """List a file that was written to ``path(name)`` and is no variant."""
        self.files[name] = FileEntry.of(self.root / name)

    def add_golden(self, photos: Sequence[Path], ladder: ParityLadder) -> None:
        """Copy the golden photos, with what each program scored: float32 in the fewest digits that give it back."""
        for row, photo in enumerate(photos):
            name = f"golden/{photo.name}"
            shutil.copyfile(photo, self.path(name))
            self.add_file(name)
            self.golden[name] = {
                variant: [float(str(np.float32(value))) for value in ladder.outputs[step][row]]
                for variant, step in self._scored.items()
            }

    def add_inputs(self, photos: Sequence[Path]) -> None:
        """Golden tensors, uint8 before the division by 255 (which loses nothing), and the photo of the one that is no
        golden photo: what an app's own preprocessing is checked against."""
        for photo in photos:
            tensor = preprocess(photo, self.network.input)
            name = f"{INPUTS}{photo.stem}.npy"
            np.save(self.path(name), np.round(tensor * 255).astype(np.uint8))
            self.add_file(name)
        shutil.copyfile(WALL, self.path(f"{INPUTS}{WALL.name}"))
        self.add_file(f"{INPUTS}{WALL.name}")

    def add_gate(self, ladder: ParityLadder) -> None:
        """Copy the gate's file, if the sources have one, and check that every int8 variant decides as float does; a
        note says where the gate was fitted to another program.

        Raises:
            BundleError: it is no gate.
            PocketiqaError: it asks for values that the network does not give.
            BrokenParityCheck: too many decisions differ.
        """
        if self.sources.gate is None:
            return
        gate, measures = Gate.read(self.sources.gate), (SCORE, *self.network.attributes)
        gate.check_measures(measures)
        shutil.copyfile(self.sources.gate, self.path(GATE))
        self.add_file(GATE)
        self.gate, ladder.about = GATE, "gate"
        if gate.fit is not None and gate.fit.sha256 not in {entry.sha256 for entry in self.files.values()}:
            self.notes.append(f"The gate was fitted to another program ({gate.fit.program}); fit it anew.")
        for name in self.variants:
            if not ARTIFACTS[name].is_float and ARTIFACTS[name].photos is None:  # three photos decide nothing
                check_decisions(ladder, gate, measures, FLOAT, ARTIFACTS[name].step)

    def finish(self, checks: Sequence[ParityCheck], report: str | None) -> None:
        """Write the files for browsers, the model card, the report if there is one, the files for apps and, last, the
        manifest; then read all files once more.

        Raises:
            BundleError: a file is no longer what was hashed and verified.
        """
        sources = self.sources
        if any(variant.backend == "onnx" for variant in self.variants.values()):
            names, notes = write_web(self.root)
            self.notes += notes
            for name in names:
                self.add_file(name)
        card = model_card(
            self.network, VERSION, sources.training, sources.quantization, checks, self.notes,
            sorted({variant.backend for variant in self.variants.values()}),
            Gate.read(self.path(self.gate)) if self.gate else None,
        )  # fmt: skip
        pages = {"README.md": card} if report is None else {"README.md": card, "report.html": report}
        for name, text in pages.items():
            self.path(name).write_text(text)
            self.add_file(name)
        manifest = Manifest(
            name=self.network.name,
            version=VERSION,
            input=self.network.input,
            outputs=outputs_of(self.network),
            files=self.files,
            variants=self.variants,
            golden=self.golden,
            promise=sources.promise,
            gate=self.gate,
            git_commit=_git_commit(),
            exporter={package: _version(package) for package in _EXPORTERS},
            minimum_runtime=MINIMUM_RUNTIME,
            training=sources.training,
            licence=sources.training.get("licence", "not recorded"),
            calibration=sources.quantization.get("calibration", {}),
            parity=[check.to_dict() for check in checks],
            notes=self.notes,
        )
        self.path("config.json").write_text(hub_config(manifest))
        self.add_file("config.json")
        for name in write_integration(self.root):
            self.add_file(name)
        manifest.write(self.root / "manifest.json")
        if problems := Bundle.open(self.root).problems():
            raise BundleError(f"a file changed while the bundle was built: {problems[0]}; build it anew")


def outputs_of(network: QualityNetwork) -> dict[str, object]:
    """A network's outputs as the manifest has them; attributes and map only where it gives them."""
    unit = [0, 1]
    outputs: dict[str, object] = {"score": {"range": unit}}
    if network.attributes:
        outputs["attributes"] = {"names": list(network.attributes), "range": unit}
    if network.map_shape:
        outputs["map"] = {"shape": list(network.map_shape), "range": unit}
    return outputs


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
