"""Parity before latency, on this machine and on a device that fails on purpose."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from pocketiqa.bundle import Bundle

from benchmarks.devices.base import Device, DeviceError
from benchmarks.disturbances import disturbances
from benchmarks.engines.base import Engine, Round
from benchmarks.latency import Options, drop_partial_rounds, measure
from benchmarks.parity import check_parity
from benchmarks.record import ColdStart, DeviceProperties, DeviceState, ParityCheck, PerfRecord, Run
from benchmarks.report import report

CHECKOUT = Path(__file__).parents[2]
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
    runtime = "pretend 1"

    def __init__(self, bundle: Bundle, error: float = 0.0, stop: BaseException | None = None) -> None:
        self.bundle, self.error, self.stop = bundle, error, stop

    def prepare(self, *_: object) -> None:
        pass

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
def test_the_command_measures_this_machine(tiny_bundle: Path, tmp_path: Path) -> None:
    options = ["--variant", "int8", "--runs", "20", "--seconds", "0.2", "--json", str(tmp_path / "perf.json")]
    command = [sys.executable, "-m", "benchmarks", "latency", "--bundle", str(tiny_bundle), *options]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (run,) = PerfRecord.read(tmp_path / "perf.json").runs
    assert run.parity.bit_identical
    assert run.summary.n >= 20
    assert len(run.cold_starts) == 3
    assert all(20 < start.runtime_mib < start.peak_mib for start in run.cold_starts)
    assert all(start.load_ms < 1000 for start in run.cold_starts), "the import of the runtime is no load time"
    assert "steady" in done.stdout
    json.loads((tmp_path / "perf.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "ftp://board"], "ssh://user@host:port"),
        (["--threads", "0"], "1 to 256"),
        (["--variant", "int4"], "int4"),
        (["--variant", "int8,int8"], "different values"),
        (["--bundle", "/nowhere"], "not a folder"),
    ],
)
def test_misuse_ends_with_2_and_one_line(
    tiny_bundle: Path, arguments: list[str], words: str, capsys, monkeypatch
) -> None:
    from benchmarks.__main__ import main

    given = arguments if "--bundle" in arguments else ["--bundle", str(tiny_bundle), *arguments]
    monkeypatch.setattr(sys, "argv", ["benchmarks", "latency", *given])
    assert main() == 2
    assert words in capsys.readouterr().err
