"""Parity before latency, on this machine and on a device that fails on purpose."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import preprocess

from benchmarks.__main__ import main
from benchmarks.devices.base import Device, DeviceError
from benchmarks.disturbances import disturbances
from benchmarks.engines.base import Engine, GoldenInput, Round
from benchmarks.html import page
from benchmarks.latency import Options, drop_partial_rounds, measure
from benchmarks.parity import check_parity
from benchmarks.record import ColdStart, DeviceProperties, DeviceState, ParityCheck, PerfRecord, Run
from benchmarks.report import markdown, report

SEVEN = [f"output {i}" for i in range(7)]
QUICK = Options(runs=4, seconds=0, cold_starts=3)


class PretendDevice(Device):
    """A device that has properties and nothing else: engines below need no more."""

    client = push = pull = advice = None
    __abstractmethods__ = frozenset()

    def properties(self) -> DeviceProperties:
        return DeviceProperties("pretend", "aarch64", "Linux")

    def state(self, when: str) -> DeviceState:
        return DeviceState(when, temperatures={"cpu": 40.0})


class PretendEngine(Engine):
    """Answers with the golden scores, off by ``error``; ``stop`` is raised after three rounds."""

    name = "pretend"

    def runtime_of(self, variant: str) -> str:
        return "pretend 1"

    def __init__(self, bundle: Bundle, error: float = 0.0, stop: BaseException | None = None) -> None:
        self.bundle, self.error, self.stop = bundle, error, stop

    def prepare(self, device: Device, programs: dict[str, Path], golden: list[GoldenInput]) -> None:
        self.pushed = {variant: path.read_bytes() for variant, path in programs.items()}
        self.inputs = {one.photo: np.fromfile(one.file, "<f4").reshape(one.shape) for one in golden}

    def outputs(self, variants: list[str], threads: int) -> dict[str, dict[str, list[float]]]:
        return {v: {p: [x + self.error for x in s[v]] for p, s in self.bundle.golden.items()} for v in variants}

    def cold_start(self, variant: str, threads: int) -> ColdStart:
        return ColdStart(5.0, 20.0, peak_mib=50.0)

    def rounds(self, variants: list[str], threads: int, plan: object) -> object:
        for i in range(8):
            if i == 3 and self.stop:
                raise self.stop
            yield Round(i * 0.1, {variant: 10.0 + k for k, variant in enumerate(variants)})


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


def test_scores_as_expected_give_samples_and_a_ratio(bundle: Bundle) -> None:
    record = measure(bundle, PretendDevice("pretend"), PretendEngine(bundle), QUICK)
    assert record.incomplete is None
    assert [run.samples_ms for run in record.runs] == [[10.0] * 8, [11.0] * 8]
    assert record.ratios[0].ratio.value == pytest.approx(1.1)
    assert all(run.parity.bit_identical and len(run.cold_starts) == 3 for run in record.runs)


def test_wrong_scores_have_no_latency(bundle: Bundle) -> None:
    record = measure(bundle, PretendDevice("pretend"), PretendEngine(bundle, error=0.05), QUICK)
    assert "wrong scores" in record.incomplete
    assert all(not run.samples_ms and not run.cold_starts for run in record.runs)
    assert "BROKEN" in report(record)
    assert "expected" in report(record)


def test_a_network_with_a_score_alone_is_measured_by_its_own_outputs(score_only_bundle: Path) -> None:
    bundle = Bundle.open(score_only_bundle)
    record = measure(bundle, PretendDevice("pretend"), PretendEngine(bundle, error=1e-5), QUICK)
    assert record.outputs == ["score"]
    assert [list(run.parity.differences) for run in record.runs] == [["score"]] * 2
    assert all(run.parity.passed and "score: expected" in run.parity.worst for run in record.runs)
    assert all(len(values) == 1 for run in record.runs for values in run.parity.outputs.values())
    for text in (report(record), markdown(record), page(record)):
        assert "fp32 takes 1.1" in text


def test_the_bytes_that_were_verified_are_the_bytes_that_are_pushed(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is swapped for another program, or another scene, right after it was read changes nothing."""
    sound = Bundle.open(tiny_bundle)
    swapped = Bundle.open(shutil.copytree(tiny_bundle, tmp_path / "swapped"))
    read = Bundle.read

    def read_and_swap(self: Bundle, name: str) -> bytes:
        content = read(self, name)
        other = next(file for file in self.manifest.files if file != name and file[-4:] == name[-4:])
        shutil.copy(tiny_bundle / other, self.root / name)
        return content

    engine = PretendEngine(swapped)
    with monkeypatch.context() as swapping:
        swapping.setattr(Bundle, "read", read_and_swap)
        record = measure(swapped, PretendDevice("pretend"), engine, QUICK)
    assert swapped.problems(), "nothing was swapped"
    assert engine.pushed == {variant: sound.read_variant(variant) for variant in ("int8", "fp32")}
    assert record.files == {variant: hashlib.sha256(engine.pushed[variant]).hexdigest() for variant in engine.pushed}
    for photo, x in engine.inputs.items():
        assert (x == preprocess(sound.read(photo), sound.manifest.input)).all()


def test_a_device_that_gives_no_numbers_leaves_a_record_that_can_be_read(bundle: Bundle, tmp_path: Path) -> None:
    record = measure(bundle, PretendDevice("pretend"), PretendEngine(bundle, error=float("nan")), QUICK)
    assert "wrong scores" in record.incomplete
    record.write(tmp_path / "perf.json")
    assert PerfRecord.read(tmp_path / "perf.json") == record
    assert set(record.runs[0].parity.outputs.popitem()[1]) == {None}


def test_the_markdown_is_a_table_with_where_it_comes_from(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "latency", "--bundle", "my bundle"])
    record = measure(bundle, PretendDevice("pretend"), PretendEngine(bundle), QUICK)
    head, line, int8, fp32, *rest = markdown(record).splitlines()
    assert head.count("|") == line.count("|") == int8.count("|") == fp32.count("|") == 10
    assert [cell.strip() for cell in int8.split("|")[1:-1]] == [
        "int8", "1", "10 [10, 10]", "10 [10, 10]", "8", "5.0", "20.0", "50", "bit-identical, n = 4",
    ]  # fmt: skip
    assert rest[-1].startswith(f"Measured {record.created[:10]} on aarch64, Linux")
    assert rest[-1].endswith("`python -m benchmarks latency --bundle 'my bundle'`.")


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), DeviceError("pretend", "timing", "cable", "plug it in")])
def test_what_was_measured_before_the_end_is_kept(bundle: Bundle, stop: BaseException) -> None:
    record = measure(bundle, PretendDevice("pretend"), PretendEngine(bundle, stop=stop), QUICK)
    assert [len(run.samples_ms) for run in record.runs] == [3, 3]
    assert record.runs[0].summary.n == 3
    assert record.incomplete == (str(stop) or "interrupted by the user")


def test_a_round_that_ctrl_c_cut_in_two_is_dropped() -> None:
    verdict = ParityCheck(True, 1, 0.0, 0.01, True)
    first = Run("int8", 1, "r", verdict, samples_ms=[1.0, 2.0, 3.0], at_seconds=[0.1, 0.2])
    second = Run("fp32", 1, "r", verdict, samples_ms=[4.0, 5.0], at_seconds=[0.1, 0.2])
    other_threads = Run("int8", 2, "r", verdict, samples_ms=[6.0], at_seconds=[0.1])
    drop_partial_rounds([first, second, other_threads])
    assert [run.samples_ms for run in (first, second, other_threads)] == [[1.0, 2.0], [4.0, 5.0], [6.0]]


def test_a_float_rounding_is_no_parity_break_but_not_bit_identical() -> None:
    expected = {"a.jpg": [0.5] * 7}
    got = {"a.jpg": [float(np.nextafter(np.float32(0.5), np.float32(1)))] + [0.5] * 6}
    verdict = check_parity(expected, got, 1e-4, SEVEN)
    assert verdict.passed
    assert not verdict.bit_identical
    assert verdict.worst.startswith("a.jpg, output 0")
    assert verdict.differences["output 0"] == verdict.max_difference and verdict.differences["output 1"] == 0


@pytest.mark.parametrize("got", [{}, {"a.jpg": [0.5] * 6}, {"a.jpg": [float("nan")] * 7}])
def test_missing_outputs_and_numbers_that_are_none_break_parity(got: dict) -> None:
    assert not check_parity({"a.jpg": [0.5] * 7}, got, 0.01, SEVEN).passed


def test_a_device_that_got_hot_or_slow_is_flagged() -> None:
    cool = DeviceState("before", temperatures={"soc": 35.0}, clocks={"cpu0": 600.0}, thermal_status=0)
    fast = DeviceState("during", temperatures={"soc": 52.0}, clocks={"cpu0": 2400.0}, thermal_status=0)
    slow = DeviceState("during", temperatures={"soc": 60.0}, clocks={"cpu0": 1500.0}, thermal_status=2)
    flags = disturbances([cool, fast, slow])
    assert [flag.split()[0] for flag in flags] == ["thermal", "soc", "the"]
    assert disturbances([cool, msgspec.structs.replace(cool, when="after")]) == []


@pytest.mark.parametrize("duration", ["30", "m", "0m", "5d", "-3s"])
def test_a_soak_needs_a_duration(duration: str) -> None:
    with pytest.raises(ValueError, match="30m"):
        Options().soaking(duration)
    assert Options().soaking("2m").seconds == 120


def test_two_cold_starts_are_too_few_for_a_median() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        Options(cold_starts=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tiny_bundle", "score_only_bundle"])
def test_the_command_measures_this_machine(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    options = ["--variant", "int8", "--runs", "20", "--seconds", "0.2", "--json", str(tmp_path / "perf.json")]
    # Every process of the official runtime imports torch, which takes seconds.
    if python := os.environ.get("POCKETIQA_TORCH_FREE_PYTHON"):
        options += ["--python", python]
    bundle = str(request.getfixturevalue(kind))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "latency", "--bundle", bundle, *options])
    assert main() == 0
    (run,) = PerfRecord.read(tmp_path / "perf.json").runs
    assert run.parity.bit_identical or python
    assert run.summary.n >= 20
    assert len(run.cold_starts) == 3
    assert all(20 < start.runtime_mib < start.peak_mib for start in run.cold_starts)
    assert all(start.load_ms < 1000 for start in run.cold_starts), "the import of the runtime is no load time"
    assert "steady" in capsys.readouterr().out
    json.loads((tmp_path / "perf.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "ftp://board"], "ssh://user@host:port"),
        (["--threads", "0"], "1 to 256"),
        (["--variant", "int4"], "int4"),
        (["--variant", "int8,int8"], "different values"),
        (["--bundle", "/nowhere"], "not a folder"),
        (["--max-seconds", "5"], "at least --seconds, 10"),
        (["--soak", "5d"], "30m"),
    ],
)
def test_misuse_ends_with_2_and_one_line(
    tiny_bundle: Path, arguments: list[str], words: str, capsys, monkeypatch
) -> None:
    given = arguments if "--bundle" in arguments else ["--bundle", str(tiny_bundle), *arguments]
    monkeypatch.setattr(sys, "argv", ["benchmarks", "latency", *given])
    assert main() == 2
    assert words in capsys.readouterr().err
