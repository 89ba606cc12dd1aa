"""The real commands against a real adbd and sshd on an emulated arm64 device.

Emulated times are no latencies: what is tested is plumbing, parity and what happens when things break. Nothing
here waits for a time to pass, only for what a command says or does.
"""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from arm64_root import PYTHON
from emulated_device import RIGHT_CPU, TRAP_CPU, EmulatedDevice
from integer_program import integer_program
from pocketiqa.bundle import Bundle
from pocketiqa.errors import BundleError
from pocketiqa.preprocess import preprocess
from pocketiqa.runtime import load_program

from benchmarks.record import PerfRecord
from tests.debian_root import RootUnavailable

pytestmark = [pytest.mark.device, pytest.mark.slow]

# The tests' tiny program ends in a matrix product and a sigmoid, which each processor computes in its own way. A wrong
# int8 kernel is off by 1e-2.
LAST_PLACES = 5e-6
GOLDEN_PHOTOS = 2
CHECKOUT = Path(__file__).parents[2]
CROSS_COMPILER = "aarch64-linux-gnu-g++"
SCORE_ALL = """
import sys, numpy
from pocketiqa.runtime import load_program
folder = sys.argv[1]
(there,) = load_program(f"{folder}/integer.pte").run(numpy.load(f"{folder}/x.npy"))
numpy.save(f"{folder}/there.npy", there)
"""
# Looking for a Python costs a start of one, which takes seconds under emulation.
KNOWN_PYTHON = ["--python", PYTHON]
ENDLESS = ["--variant", "int8", "--runs", "1000000", "--max-seconds", "3600", *KNOWN_PYTHON]


@pytest.fixture(scope="module")
def device() -> Iterator[EmulatedDevice]:
    try:
        with EmulatedDevice() as started:
            yield started
    except RootUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle inside the SDK with its first few golden photos: emulation takes seconds for each."""
    try:
        bundle = Bundle.open(None)
    except BundleError as reason:
        pytest.skip(str(reason))
    root = tmp_path_factory.mktemp("shipped") / "bundle"
    shutil.copytree(bundle.root, root)
    golden = dict(list(bundle.golden.items())[:GOLDEN_PHOTOS])
    replace(bundle.manifest, golden=golden).write(root / "manifest.json")
    return root


def arguments(device: EmulatedDevice, transport: str, bundle: Path, json: Path) -> list[str]:
    url = {"local": "local", "ssh": device.ssh_url, "adb": device.adb_url}[transport]
    extra = ["--ssh-config", str(device.ssh_config)] if transport == "ssh" else []
    return ["latency", "--bundle", str(bundle), "--device", url, "--json", str(json), "--warmups", "1", *extra]


@pytest.mark.parametrize("transport", ["ssh", "adb"])
def test_the_shipped_int8_program_is_measured_and_gives_the_hosts_scores_to_the_bit_everywhere(
    device: EmulatedDevice, shipped: Path, tmp_path: Path, transport: str
) -> None:
    options = ["--variant", "int8", "--runs", "3", "--seconds", "0"]
    options += ["--python", PYTHON] if transport == "adb" else []  # over ssh the device's Python is found
    command = device.benchmarks(*arguments(device, transport, shipped, tmp_path / "perf.json"), *options)
    assert command.end() == 0, command.output
    record = record_of(command, tmp_path)
    (run,) = record.runs
    assert record.device.machine == "aarch64"
    assert run.runtime == "executorch-numpy-runtime 1.4.0"
    assert run.parity.photos == GOLDEN_PHOTOS
    assert run.parity.bit_identical, run.parity.worst
    assert len(run.samples_ms) == 3
    assert len(run.cold_starts) == 3
    assert f"passed over {GOLDEN_PHOTOS} golden photos" in command.output
    assert device.workspaces() == []


def test_int8_arithmetic_is_the_same_to_the_bit_on_arm64(
    device: EmulatedDevice, photos: dict[str, np.ndarray], tiny_bundle: Path, tmp_path: Path
) -> None:
    x = preprocess(photos["coffee"], Bundle.open(tiny_bundle).manifest.input)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "integer.pte").write_bytes(integer_program(torch.from_numpy(x)))
    (here,) = load_program(tmp_path / "integer.pte").run(x)
    done = device.run_arm64_python(SCORE_ALL, str(tmp_path))
    assert done.returncode == 0, done.stderr
    steps = np.abs(np.load(tmp_path / "there.npy") - here) / np.diff(np.unique(here)).min()
    assert len(np.unique(here)) > 100
    assert steps.max() == 0, f"{(steps > 0).sum()} of {steps.size} differ, by up to {steps.max():.2f} int8 steps"


def test_the_int8_trap_of_the_emulator_is_caught_before_any_timing(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path
) -> None:
    device.choose_cpu(TRAP_CPU)
    try:
        options = ["--runs", "5", *KNOWN_PYTHON]
        command = device.benchmarks(*arguments(device, "ssh", tiny_bundle, tmp_path / "perf.json"), *options)
        code = command.end()
    finally:
        device.choose_cpu(RIGHT_CPU)
    int8, fp32 = record_of(command, tmp_path).runs
    if int8.parity.passed:
        pytest.skip("this machine's qemu computes int8 rightly with its default processor")
    assert code == 1
    assert int8.parity.max_difference > 0.02
    assert fp32.parity.passed, "the trap is one that a float check does not see"
    assert not int8.samples_ms and not fp32.samples_ms
    assert "BROKEN" in command.output


def test_ctrl_c_keeps_the_samples_and_tidies_the_device(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path
) -> None:
    command = device.benchmarks(*arguments(device, "ssh", tiny_bundle, tmp_path / "perf.json"), *ENDLESS)
    command.wait_for("timing int8")
    command.process.send_signal(signal.SIGINT)
    assert command.end() == 1, command.output
    record = record_of(command, tmp_path)
    assert record.incomplete == "interrupted by the user"
    assert record.runs[0].samples_ms
    assert "incomplete: interrupted" in command.output
    assert device.workspaces() == []


@pytest.mark.skipif(not shutil.which(CROSS_COMPILER), reason=f"not installed: g++-{CROSS_COMPILER[:-4]}")
def test_the_native_runner_scores_and_times_without_python(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path
) -> None:
    platform = ["--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.12", "--only-binary", ":all:"]
    install = ["uv", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path / "wheel"), *platform]
    build = ["uvx", "-q", "cmake"]
    toolchain = CHECKOUT / "benchmarks/runner/aarch64-linux-gnu.cmake"
    for step in (
        [*install, "executorch==1.5.1"],
        [*build, "-S", str(CHECKOUT / "benchmarks/runner"), "-B", str(tmp_path / "build"),
         f"-DCMAKE_PREFIX_PATH={tmp_path / 'wheel/executorch'}", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"],
        [*build, "--build", str(tmp_path / "build")],
        [*build, "--install", str(tmp_path / "build"), "--prefix", str(tmp_path / "out")],
    ):  # fmt: skip
        done = subprocess.run(step, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr or done.stdout
    runner = ["--runner", str(tmp_path / "out/pocketiqa_runner"), "--runs", "10", "--seconds", "0"]
    command = device.benchmarks(*arguments(device, "adb", tiny_bundle, tmp_path / "perf.json"), *runner)
    assert command.end() == 0, command.output
    for run in record_of(command, tmp_path).runs:
        assert run.parity.max_difference <= LAST_PLACES
        assert run.runtime.startswith("pocketiqa_runner, executorch 1.5.1")
        assert run.cold_starts[0].peak_mib < 100
        assert len(run.samples_ms) == 10


# Last, because the daemon is gone afterwards.
def test_a_daemon_that_dies_leaves_the_samples_so_far(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path
) -> None:
    command = device.benchmarks(*arguments(device, "adb", tiny_bundle, tmp_path / "perf.json"), *ENDLESS)
    command.wait_for("timing int8")
    device.kill_adbd()
    assert command.end() == 1, command.output
    record = record_of(command, tmp_path)
    assert record.runs[0].samples_ms
    assert record.runs[0].summary.n == len(record.runs[0].samples_ms)
    assert "timing failed" in record.incomplete
    assert "try:" in command.output


def record_of(command, folder: Path) -> PerfRecord:
    path = folder / "perf.json"
    assert path.is_file(), f"no perf.json; the command said\n{command.output}"
    return PerfRecord.read(path)
