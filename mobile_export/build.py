"""From the float student and its quantized state to a bundle with every artifact verified."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from pocketiqa.bundle import Manifest, Variant, atomic_directory, entries_of
from pocketiqa.files import sha256_of
from pocketiqa.manifest import FileEntry
from pocketiqa.preprocess import preprocess
from pocketiqa.runtime import load_program
from tqdm import tqdm

from distill.student import ATTRIBUTES, INPUT_SPEC, OUTPUTS, SHIPPED_STUDENT, Student, load_student
from mobile_export.executorch import LoweredProgram, lower_to_xnnpack
from mobile_export.golden import golden_photos
from mobile_export.ladder import HALF_PRECISION, SAME_GRAPH, SAME_INT8_GRAPH, Ladder, Rung
from mobile_export.model_card import model_card, training_record
from quantize.prepare import convert, prepare, without_rounding
from quantize.state import SHIPPED as SHIPPED_INT8
from quantize.state import load_prepared

NAME = "lite0"
VERSION = "0.1.0"
DEFAULT_OUT = Path("dist") / f"pocketiqa-{NAME}-{VERSION}"
MINIMUM_RUNTIME = "executorch 1.3"
_EXPORTERS = ("torch", "torchao", "executorch", "coremltools", "timm")
_MAP_SIDE = INPUT_SPEC.height // 32


@dataclass(frozen=True)
class BuildConfig:
    """What is exported, and where to.

    Attributes:
        student: the float student.
        int8: its quantized state, from ``python -m quantize``.
        out: the bundle's folder.
        skip_coreml: leave the Core ML packages out.
        skip_int8: leave int8 out, for a student that is not quantized yet.
    """

    student: Path = SHIPPED_STUDENT
    int8: Path = SHIPPED_INT8
    out: Path = DEFAULT_OUT
    skip_coreml: bool = False
    skip_int8: bool = False


@dataclass
class Bundle:
    """A bundle while it is filled."""

    root: Path
    files: dict[str, FileEntry] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    golden: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class BuildResult:
    """The ladder's rungs and, for each artifact, its name, bytes and subgraphs (None where that is no word)."""

    rungs: list[Rung]
    artifacts: list[tuple[str, int, int | None]]
    notes: list[str]


def build(config: BuildConfig) -> BuildResult:
    """Lower, convert, verify and write the bundle; an older one of that name is replaced at the end.

    A broken rung is reported in the result, and the bundle is written all the same: a broken artifact has to be
    looked at. The command's exit code tells.

    Raises:
        FileNotFoundError, ValueError: no student, or a quantized state that is not its own.
        DelegationError: a graph was not taken whole by its backend.
    """
    int8 = not config.skip_int8
    stages = 2 + 2 * int8 + (0 if config.skip_coreml else 1 + int8)
    with (
        tqdm(total=stages, desc="export", bar_format="{desc:<28}{bar:20} {n_fmt}/{total_fmt} {elapsed}") as bar,
        atomic_directory(config.out) as root,
        torch.no_grad(),
    ):
        return _Builder(config, root, lambda title: _advance(bar, title)).run()


def _advance(bar: tqdm, title: str) -> None:
    bar.set_description(title)
    bar.update()


class _Builder:
    """One build: its bundle, its ladder, and the steps in order."""

    def __init__(self, config: BuildConfig, root: Path, stage: Callable[[str], None]) -> None:
        self.config = config
        self.stage = stage
        self.bundle = Bundle(root)
        self.golden = golden_photos()
        self.ladder = Ladder([preprocess(path, INPUT_SPEC) for path in self.golden])

    def run(self) -> BuildResult:
        student = load_student(self.config.student)
        exported = torch.export.export(student, (torch.rand(INPUT_SPEC.shape),))
        self.ladder.step("eager float", _eager(student))
        self._xnnpack("fp32", exported, "eager float", SAME_GRAPH)
        self.stage("fp32 .pte")
        converted = None if self.config.skip_int8 else self._int8(student)
        if self.config.skip_coreml:
            self.bundle.notes.append("Core ML packages were left out on request (--skip-coreml).")
        else:
            self._coreml(exported, converted)
        self._golden()
        self._manifest()
        self.stage("bundle")
        return BuildResult(self.ladder.rungs, self._artifacts(), self.bundle.notes)

    def _int8(self, student: Student) -> torch.export.ExportedProgram:
        # The student's own weights, before the trained state is loaded: a rewritten BatchNorm shows here.
        with without_rounding(prepare(student)) as unrounded:
            self.ladder.step("prepared, no rounding", _eager(unrounded))
        self.ladder.rung("eager float", "prepared, no rounding", SAME_GRAPH)
        prepared = load_prepared(student, self.config.int8, sha256_of(self.config.student))
        self.ladder.step("prepared", _eager(prepared))
        self.ladder.quantization_rung("eager float", "prepared")
        converted = convert(prepared)
        self.ladder.step("converted int8", _eager(converted.module()))
        self.ladder.rung("prepared", "converted int8", SAME_GRAPH)
        self.stage("int8 graph")
        self._xnnpack("int8", converted, "converted int8", SAME_INT8_GRAPH)
        self.ladder.quantization_rung("fp32 .pte", "int8 .pte")
        self.stage("int8 .pte")
        return converted

    def _xnnpack(self, variant: str, graph: torch.export.ExportedProgram, reference: str, bound: float) -> None:
        lowered = lower_to_xnnpack(graph, self._metadata(variant, "xnnpack"))
        path = self.bundle.root / "xnnpack" / f"student_{variant}.pte"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(lowered.buffer)
        self._add(variant, path, "xnnpack", lowered)
        # The official runtime remarks on the processor through sys.stderr, across the progress bar.
        with contextlib.redirect_stderr(io.StringIO()):
            program = load_program(path)
            self.ladder.step(f"{variant} .pte", lambda views: program.run(views)[0])
        self.ladder.rung(reference, f"{variant} .pte", bound)

    def _coreml(self, exported: torch.export.ExportedProgram, converted: torch.export.ExportedProgram | None) -> None:
        try:
            version("coremltools")
        except PackageNotFoundError:
            self.bundle.notes.append("Core ML packages were not built: coremltools does not exist for this platform.")
            return
        from mobile_export.coreml import convert_fp16, convert_w8a8

        self._package("coreml_fp16", convert_fp16, exported, "eager float", HALF_PRECISION)
        self.stage("Core ML fp16")
        if converted is not None:
            self._package("coreml_w8a8", convert_w8a8, converted, "converted int8", SAME_INT8_GRAPH)
            self.stage("Core ML W8A8")

    def _package(
        self,
        variant: str,
        convert_to: Callable,
        graph: torch.export.ExportedProgram,
        reference: str,
        bound: float,
    ) -> None:
        from mobile_export.mil_reference import MilProgram

        path = self.bundle.root / "coreml" / f"student_{variant.removeprefix('coreml_')}.mlpackage"
        path.parent.mkdir(exist_ok=True)
        convert_to(graph, self._metadata(variant, "coreml"), path)
        self._add(variant, path, "coreml")
        program = MilProgram.read(path)
        self.ladder.step(
            f"{variant} (interpreted)",
            lambda views: program.run({"photo": views}, precision="float16")["quality"],
        )
        self.ladder.rung(reference, f"{variant} (interpreted)", bound)

    def _metadata(self, variant: str, backend: str) -> dict[str, object]:
        return {
            "name": NAME,
            "version": VERSION,
            "variant": variant,
            "backend": backend,
            "input": INPUT_SPEC.to_dict(),
            "outputs": _outputs(),
        }

    def _add(self, variant: str, path: Path, backend: str, lowered: LoweredProgram | None = None) -> None:
        name = path.relative_to(self.bundle.root).as_posix()
        what = {"variant": variant, "backend": backend}
        if lowered is None:
            self.bundle.files |= entries_of(path, f"{name}/", **what)
        else:
            self.bundle.files[name] = FileEntry.of(path, **what, delegation=lowered.delegation.to_dict())
        self.bundle.variants[variant] = Variant(name, backend)

    def _golden(self) -> None:
        folder = self.bundle.root / "golden"
        folder.mkdir()
        for row, photo in enumerate(self.golden):
            shutil.copyfile(photo, folder / photo.name)
            self.bundle.golden[f"golden/{photo.name}"] = {
                variant: [round(value, 6) for value in self.ladder.outputs[f"{variant} .pte"][row].tolist()]
                for variant in ("fp32", "int8")
                if f"{variant} .pte" in self.ladder.outputs
            }
        self.bundle.files |= entries_of(folder, "golden/")

    def _manifest(self) -> None:
        training = training_record(self.config.student)
        quantization = {} if self.config.skip_int8 else training_record(self.config.int8)
        card = self.bundle.root / "README.md"
        card.write_text(model_card(NAME, VERSION, training, quantization, self.ladder.rungs, self.bundle.notes))
        self.bundle.files["README.md"] = FileEntry.of(card)
        manifest = Manifest(
            name=NAME,
            version=VERSION,
            input=INPUT_SPEC,
            outputs=_outputs(),
            files=self.bundle.files,
            variants=self.bundle.variants,
            golden=self.bundle.golden,
            git_commit=_git_commit(),
            exporter={package: _version(package) for package in _EXPORTERS},
            minimum_runtime=MINIMUM_RUNTIME,
            training=training,
            licence="Apache-2.0",
            calibration=quantization.get("calibration", {}),
            parity=[rung.to_dict() for rung in self.ladder.rungs],
            notes=self.bundle.notes,
        )
        manifest.write(self.bundle.root / "manifest.json")

    def _artifacts(self) -> list[tuple[str, int, int | None]]:
        rows = []
        for variant, artifact in self.bundle.variants.items():
            entries = [entry for name, entry in self.bundle.files.items() if f"{name}/".startswith(f"{artifact.path}/")]
            delegation = entries[0].delegation
            rows.append((variant, sum(e.bytes for e in entries), delegation and delegation["subgraphs"]))
        return rows


def _eager(network: torch.nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    return lambda views: network(torch.from_numpy(views))[0].numpy()


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
