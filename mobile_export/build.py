"""From the float student and its quantized state to a bundle with every artifact verified.

The steps stand in the order of the ladder, and the first rung that does not hold ends the build.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pocketiqa.bundle import atomic_directory
from pocketiqa.files import sha256_of
from pocketiqa.preprocess import open_photo, preprocess
from pocketiqa.runtime import load_program
from tqdm import tqdm

from distill.networks.student import INPUT_SPEC, SHIPPED_STUDENT, Student, load_student
from mobile_export.bundle.bundled_program import run_bundled_program, write_bundled_program
from mobile_export.bundle.golden import WALL, golden_photos
from mobile_export.bundle.model_card import training_record
from mobile_export.bundle.report import ReportData, draw_report
from mobile_export.bundle.writer import BundleWriter
from mobile_export.integration.resampling import app_input
from mobile_export.lower.executorch import lower_half_to_xnnpack, lower_to_xnnpack
from mobile_export.lower.portable_heads import with_portable_heads
from mobile_export.verify import bounds
from mobile_export.verify.bounds import QUANTIZATION, SAME_GRAPH
from mobile_export.verify.ladder import BrokenRung, Ladder, Rung
from mobile_export.verify.torch_free import NoTorchFreeRuntime, find_python, run_torch_free
from quantize.prepare import convert, prepare, without_rounding
from quantize.state import SHIPPED as SHIPPED_INT8
from quantize.state import load_prepared

NAME = "lite0"
VERSION = "0.1.0"
DEFAULT_OUT = Path("dist") / f"pocketiqa-{NAME}-{VERSION}"
Skippable = Literal[
    "int8",
    "fp16",
    "coreml_fp16",
    "coreml_w8a8",
    "coreml_int8_weights",
    "coreml_palettized",
    "coreml_pte",
    "vulkan",
    "report",
]
_WHY_NOT = {
    "fp16": "its file holds float32 weights and is as large as fp32's; on Arm cores with float16 arithmetic it may be "
    "faster, which nobody measured",
    "coreml_int8_weights": "it is no smaller than W8A8, and computes in float16; `--skip fp16 vulkan` builds it",
    "coreml_palettized": "at 8 bits it is no smaller than W8A8, and clustering and verifying it takes a minute; "
    "`--skip fp16 vulkan` builds it",
    "vulkan": "no machine of the build has Vulkan to run it; `--skip fp16` builds it, in one subgraph",
}
_NOISE = 4
# One case in seven of 24 sorted photos has each of the four treatments once.
_BUNDLED_EVERY = 7
_PALETTE_BITS = 8


@dataclass(frozen=True)
class BuildConfig:
    """What is exported, and where to.

    Attributes:
        student: the float student.
        int8: its quantized state, from ``python -m quantize``.
        out: the bundle's folder.
        skip: what to leave out; the bundle says so. ``--skip`` alone builds everything.
        torch_free_python: a Python with ``executorch-numpy-runtime``; by default one is looked for.
    """

    student: Path = SHIPPED_STUDENT
    int8: Path = SHIPPED_INT8
    out: Path = DEFAULT_OUT
    skip: tuple[Skippable, ...] = ("fp16", "coreml_int8_weights", "coreml_palettized", "vulkan")
    torch_free_python: Path | None = None


@dataclass(frozen=True)
class BuildResult:
    """The ladder's rungs and, for each artifact, its name, bytes and subgraphs (None where that is no word)."""

    rungs: list[Rung]
    artifacts: list[tuple[str, int, int | None]]
    notes: list[str]


def broken_folder(out: Path) -> Path:
    """Where an unfinished bundle with a broken rung is kept, to be looked at."""
    return out.with_name(f"{out.name}.broken")


def build(config: BuildConfig) -> BuildResult:
    """Lower, convert, verify and write the bundle; an older one of that name is replaced at the end.

    Raises:
        FileNotFoundError, ValueError: no student, or a quantized state that is not its own.
        DelegationError: a graph was not taken whole by its backend.
        BrokenRung: an artifact is not what its graph is. ``out`` stays as it was; what was written so far stands in
            ``broken_folder(out)``.
    """
    shutil.rmtree(broken_folder(config.out), ignore_errors=True)
    with (
        tqdm(desc="export", bar_format="{desc:<28}{elapsed}") as bar,
        atomic_directory(config.out) as root,
        torch.no_grad(),
    ):
        try:
            return _Build(config, root, bar.set_description).run()
        except BrokenRung:
            shutil.copytree(root, broken_folder(config.out))
            raise


class _Build:
    """One build: its bundle, its ladder, and the steps in order."""

    def __init__(self, config: BuildConfig, root: Path, stage: Callable[[str], None]) -> None:
        self.config = config
        self.stage = stage
        self.bundle = BundleWriter(root, NAME, VERSION)
        self.golden = golden_photos()
        self.ladder = Ladder(
            photos=[preprocess(path, INPUT_SPEC) for path in self.golden],
            noise=[_noise(seed) for seed in range(_NOISE)],
            names=[path.name for path in self.golden],
        )

    def run(self) -> BuildResult:
        student = load_student(self.config.student)
        if "int8" not in self.config.skip and not self.config.int8.is_file():
            # Said before the minutes that the float artifacts take.
            raise FileNotFoundError(
                f"no quantized student at {self.config.int8}; make one with: python -m quantize --images DIR"
            )
        self._preprocessing()
        exported = torch.export.export(student, (torch.rand(INPUT_SPEC.shape),))
        scores = self.ladder.step("eager float", _eager(student))[:, 0]
        half = bounds.half_precision(scores)
        self.stage("fp32 .pte")
        self._xnnpack("fp32", lower_to_xnnpack(exported, self.bundle.metadata("fp32", "xnnpack")))
        self.ladder.rung("eager float", "fp32 .pte", SAME_GRAPH)
        if self._wanted("fp16"):
            example = torch.rand(INPUT_SPEC.shape)
            metadata = self.bundle.metadata("fp16", "xnnpack")
            self._xnnpack("fp16", lower_half_to_xnnpack(student, example, metadata))
            self.ladder.rung("eager float", "fp16 .pte", half)
        converted = self._int8(student) if self._wanted("int8") else None
        if _has_coremltools():
            self._coreml(exported, converted, half)
        else:
            self.bundle.notes.append("Core ML artifacts were not built: coremltools does not exist for this platform.")
        if self._wanted("vulkan"):
            self._vulkan(student)
        return self._finish()

    def _preprocessing(self) -> None:
        gaps = [
            255 * np.abs(app_input(open_photo(path), INPUT_SPEC) - preprocess(path, INPUT_SPEC))
            for path in (*self.golden, WALL)
        ]
        largest = max(float(gap.max()) for gap in gaps)
        self.ladder.add(
            Rung(
                reference="Pillow's input",
                candidate="the apps' input (numpy)",
                inputs="pixel levels",
                n=len(gaps),
                max_abs=largest,
                mean_abs=float(np.mean([gap.mean() for gap in gaps])),
                srcc=None,
                bound=f"max |Δ| ≤ {bounds.INPUT_LEVELS:g} of 255",
                holds=largest <= bounds.INPUT_LEVELS,
            )
        )

    def _int8(self, student: Student) -> torch.export.ExportedProgram:
        self.stage("int8 graph")
        # The student's own weights, before the trained state is loaded: a rewritten BatchNorm shows here.
        with without_rounding(prepare(student)) as unrounded:
            self.ladder.step("prepared, no rounding", _eager(unrounded))
        self.ladder.rung("eager float", "prepared, no rounding", SAME_GRAPH)
        prepared = load_prepared(student, self.config.int8, sha256_of(self.config.student))
        self.ladder.step("prepared", _eager(prepared))
        self.ladder.rung("eager float", "prepared", QUANTIZATION)
        converted = convert(prepared)
        self.ladder.step("converted int8", _eager(converted.module()))
        self.ladder.rung("prepared", "converted int8", SAME_GRAPH)
        with torch.enable_grad():
            self.step_of_int8 = bounds.output_step(converted.module(), self.ladder.photos)
        self.stage("int8 .pte")
        portable = with_portable_heads(prepared)
        self.ladder.step("portable heads", _eager(portable.module()))
        self.ladder.rung("converted int8", "portable heads", SAME_GRAPH)
        path = self._xnnpack("int8", lower_to_xnnpack(portable, self.bundle.metadata("int8", "xnnpack")))
        self.ladder.rung("portable heads", "int8 .pte", bounds.same_int8_graph(self.step_of_int8))
        self.ladder.rung("fp32 .pte", "int8 .pte", QUANTIZATION)
        self.stage("int8 .bpte")
        self._bundled(path)
        self._torch_free(path)
        return converted

    def _xnnpack(self, variant: str, lowered: object) -> Path:
        path = self.bundle.add_program(variant, f"xnnpack/student_{variant}.pte", "xnnpack", lowered)
        # The official runtime remarks on the processor through sys.stderr, across the progress bar.
        with contextlib.redirect_stderr(io.StringIO()):
            program = load_program(path, prefer="executorch")
            self.ladder.step(f"{variant} .pte", lambda views: program.run(views)[0])
        return path

    def _bundled(self, program_path: Path) -> None:
        name = "xnnpack/student_int8.bpte"
        rows = range(0, len(self.golden), _BUNDLED_EVERY)
        program = load_program(program_path, prefer="executorch")
        cases = [(self.ladder.photos[row], program.run(self.ladder.photos[row])) for row in rows]
        write_bundled_program(program_path, cases, self.bundle.path(name))
        self.bundle.add_file(name)
        tolerance = SAME_GRAPH.max_abs
        try:
            found = np.concatenate(run_bundled_program(self.bundle.root / name, len(cases), tolerance))
            gap = np.abs(found - self.ladder.outputs["int8 .pte"][list(rows)])
        except ValueError:
            gap = np.full((1, 1), np.inf)
        self.ladder.add(
            Rung(
                reference="int8 .pte",
                candidate="int8 .bpte",
                inputs="bundled cases",
                n=len(cases),
                max_abs=float(gap.max()),
                mean_abs=float(gap[:, 0].mean()),
                srcc=None,
                bound=f"PASS within {tolerance:g}",
                holds=bool(gap.max() <= tolerance),
            )
        )

    def _torch_free(self, program: Path) -> None:
        try:
            inputs = [*self.ladder.photos, *self.ladder.noise]
            outputs, runtime = run_torch_free(find_python(self.config.torch_free_python), program, inputs)
        except NoTorchFreeRuntime as error:
            self.bundle.notes.append(f"The torch-free runtime was not run: {error}.")
            return
        rows = iter(outputs)
        step = f"int8 .pte in {runtime}"
        self.ladder.step(step, lambda _: next(rows))
        self.ladder.rung("int8 .pte", step, SAME_GRAPH)

    def _coreml(
        self, exported: torch.export.ExportedProgram, converted: torch.export.ExportedProgram | None, half: bounds.Bound
    ) -> None:
        # Imported here: they need coremltools.
        from mobile_export.lower import coreml, coreml_pte
        from mobile_export.verify.mil_reference import MilProgram
        from mobile_export.verify.package_rungs import interpreted_rung, package_rungs

        if self._wanted("coreml_fp16"):
            path = self._package("coreml_fp16", coreml.convert_fp16, exported)
            package_rungs(
                self.ladder, "coreml_fp16", path, exported.module(), "eager float", half, bounds.LAYER_FLOAT16
            )
        if self._wanted("coreml_w8a8") and converted is not None:
            path = self._package("coreml_w8a8", coreml.convert_w8a8, converted)
            bound = bounds.same_int8_graph(self.step_of_int8)
            package_rungs(
                self.ladder, "coreml_w8a8", path, converted.module(), "converted int8", bound, bounds.LAYER_INT8
            )
        for variant, convert_to, how in (
            ("coreml_int8_weights", coreml.convert_int8_weights, ()),
            ("coreml_palettized", coreml.convert_palettized, (_PALETTE_BITS,)),
        ):
            if self._wanted(variant):
                program = MilProgram.read(self._package(variant, convert_to, exported, *how))
                interpreted_rung(self.ladder, f"{variant} (interpreted)", program, "eager float", QUANTIZATION)
        if self._wanted("coreml_pte"):
            self.stage("Core ML .pte")
            lowered = coreml_pte.lower_to_coreml_pte(exported, self.bundle.metadata("coreml_pte", "coreml"))
            path = self.bundle.add_program("coreml_pte", "coreml/student_coreml.pte", "coreml", lowered)
            inside = coreml_pte.extract_package(path.read_bytes(), self.bundle.root.parent / "inside")
            name = "coreml_pte (its model interpreted)"
            interpreted_rung(self.ladder, name, MilProgram.read(inside), "eager float", half)

    def _package(self, variant: str, convert_to: Callable, graph: torch.export.ExportedProgram, *how: object) -> Path:
        self.stage(f"Core ML {variant.removeprefix('coreml_')}")
        name = f"coreml/student_{variant.removeprefix('coreml_')}.mlpackage"
        convert_to(graph, self.bundle.metadata(variant, "coreml"), self.bundle.path(name), *how)
        self.bundle.add_package(variant, name)
        return self.bundle.root / name

    def _vulkan(self, student: Student) -> None:
        from mobile_export.lower.vulkan import ViewByView, lower_to_vulkan

        self.stage("Vulkan .pte")
        self.ladder.step("eager, view by view", _eager(ViewByView(student)))
        self.ladder.rung("eager float", "eager, view by view", SAME_GRAPH)
        lowered = lower_to_vulkan(student, torch.rand(INPUT_SPEC.shape), self.bundle.metadata("vulkan", "vulkan"))
        self.bundle.add_program("vulkan", "vulkan/student_vulkan.pte", "vulkan", lowered)
        self.bundle.notes.append("vulkan was lowered and not run: the build has no Vulkan.")

    def _wanted(self, variant: str) -> bool:
        if variant in self.config.skip:
            self.bundle.notes.append(f"{variant} was left out: {_WHY_NOT.get(variant, 'on request (--skip)')}.")
        return variant not in self.config.skip

    def _finish(self) -> BuildResult:
        self.stage("report")
        self.bundle.notes.append(
            "No device took part: `python -m benchmarks latency --device …` scores the golden photos there first."
        )
        self.bundle.add_golden(self.golden, self.ladder)
        self.bundle.add_inputs([p for p in self.golden if p.name in ("coffee-clean.jpg", "rocket-noisy.jpg")])
        training = training_record(self.config.student)
        int8 = "int8" in self.bundle.variants
        quantization = training_record(self.config.int8) if int8 else {}
        report = None
        if int8 and self._wanted("report"):
            report = draw_report(ReportData(self.bundle, self.ladder, self.golden))
        self.bundle.write_manifest(training, quantization, self.ladder, report)
        artifacts = [(variant, *size) for variant, size in self.bundle.sizes.items()]
        return BuildResult(self.ladder.rungs, artifacts, self.bundle.notes)


def _noise(seed: int) -> np.ndarray:
    """An input of independent uniform 8-bit values."""
    levels = np.random.default_rng(seed).integers(0, 256, INPUT_SPEC.shape)
    return (levels / 255).astype(np.float32)


def _eager(network: torch.nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    return lambda views: network(torch.from_numpy(views))[0].numpy()


def _has_coremltools() -> bool:
    try:
        import coremltools  # noqa: F401
    except ImportError:
        return False
    return True
