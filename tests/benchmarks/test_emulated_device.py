"""The real commands against a real adbd and sshd on an emulated arm64 device.

Emulated times are no latencies: what is tested is plumbing, parity and what happens when things break.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from arm64_root import PYTHON, RootUnavailable
from emulated_device import RIGHT_CPU, TRAP_CPU, EmulatedDevice
from pocketiqa.bundle import Bundle
from pocketiqa.errors import BundleError

from benchmarks.devices.ssh import SshDevice
from benchmarks.engines.sdk import SdkEngine
from benchmarks.latency import judge, prepare_golden
from benchmarks.record import PerfRecord

pytestmark = pytest.mark.device

# The student's last layers stay float, and x86 and Arm sum floats in different order: the last place may differ.
LAST_PLACE = 2.5e-7
CHECKOUT = Path(__file__).parents[2]
CROSS_COMPILER = "aarch64-linux-gnu-g++"


@pytest.fixture(scope="module")
def device() -> Iterator[EmulatedDevice]:
    try:
        with EmulatedDevice() as started:
            yield started
    except RootUnavailable as reason:
        pytest.skip(str(reason))


def arguments(device: EmulatedDevice, transport: str, bundle: Path, json: Path) -> list[str]:
    url = {"ssh": device.ssh_url, "adb": device.adb_url}[transport]
    extra = ["--ssh-config", str(device.ssh_config)] if transport == "ssh" else []
    return [
        "latency",
        "--bundle",
        str(bundle),
        "--device",
        url,
        "--json",
        str(json),
        "--warmups",
        "1",
        *extra,
    ]


@pytest.mark.parametrize("transport", ["ssh", "adb"])
def test_a_report_comes_back_and_nothing_stays(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path, transport: str
) -> None:
    command = arguments(device, transport, tiny_bundle, tmp_path / "perf.json")
    process = device.benchmarks(*command, "--runs", "20", "--seconds", "0.5")
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    record = PerfRecord.read(tmp_path / "perf.json")
    assert record.device.machine == "aarch64"
    for run in record.runs:
        assert run.parity.passed
        assert run.parity.max_difference <= LAST_PLACE
        assert run.runtime == "executorch-numpy-runtime 1.4.0"
        assert len(run.samples_ms) >= 20
        assert len(run.cold_starts) == 3
    assert "passed over 4 golden photos" in output
    assert device.workspaces() == []


def test_the_int8_trap_of_the_emulator_is_caught_before_any_timing(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path
) -> None:
    device.choose_cpu(TRAP_CPU)
    try:
        process = device.benchmarks(*arguments(device, "ssh", tiny_bundle, tmp_path / "perf.json"))
        output, _ = process.communicate(timeout=200)
    finally:
        device.choose_cpu(RIGHT_CPU)
    record = PerfRecord.read(tmp_path / "perf.json")
    int8, fp32 = record.runs
    if int8.parity.passed:
        pytest.skip("this machine's qemu computes int8 rightly with its default processor")
    assert process.returncode == 1
    assert int8.parity.max_difference > 0.02
    assert fp32.parity.passed, "the trap is one that a float check does not see"
    assert not int8.samples_ms and not fp32.samples_ms
    assert "BROKEN" in output


def test_ctrl_c_keeps_the_samples_and_tidies_the_device(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path
) -> None:
    command = arguments(device, "ssh", tiny_bundle, tmp_path / "perf.json")
    process = device.benchmarks(*command, "--variant", "int8", "--runs", "1000000", "--max-seconds", "300")
    wait_for_timing(device)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    record = PerfRecord.read(tmp_path / "perf.json")
    assert process.returncode == 1
    assert record.incomplete == "interrupted by the user"
    assert record.runs[0].samples_ms
    assert "incomplete: interrupted" in output
    assert device.workspaces() == []


@pytest.mark.skipif(not shutil.which(CROSS_COMPILER), reason=f"not installed: g++-{CROSS_COMPILER[:-4]}")
def test_the_native_runner_scores_and_times_without_python(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path
) -> None:
    wheel = [
        "--python-platform",
        "aarch64-manylinux_2_28",
        "--python-version",
        "3.12",
        "--only-binary",
        ":all:",
    ]
    install = ["uv", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path / "wheel"), *wheel]
    build = ["uvx", "-q", "cmake"]
    toolchain = CHECKOUT / "benchmarks/runner/aarch64-linux-gnu.cmake"
    for step in (
        [*install, "executorch==1.5.1"],
        [*build, "-S", str(CHECKOUT / "benchmarks/runner"), "-B", str(tmp_path / "build"),
         f"-DCMAKE_PREFIX_PATH={tmp_path / 'wheel/executorch'}", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"],
        [*build, "--build", str(tmp_path / "build")],
        [*build, "--install", str(tmp_path / "build"), "--prefix", str(tmp_path / "out")],
    ):  # fmt: skip
        done = subprocess.run(step, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr or done.stdout
    command = arguments(device, "adb", tiny_bundle, tmp_path / "perf.json")
    runner = str(tmp_path / "out/pocketiqa_runner")
    process = device.benchmarks(*command, "--runs", "10", "--seconds", "0", "--runner", runner)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    for run in PerfRecord.read(tmp_path / "perf.json").runs:
        assert run.parity.max_difference <= LAST_PLACE
        assert run.runtime.startswith("pocketiqa_runner, executorch 1.5.1")
        assert run.cold_starts[0].peak_mib < 100
        assert len(run.samples_ms) == 10


@pytest.mark.slow
def test_the_shipped_int8_program_scores_on_arm64_as_on_this_machine(device: EmulatedDevice, tmp_path: Path) -> None:
    try:
        bundle = Bundle.open(None)
    except BundleError as reason:
        pytest.skip(str(reason))
    engine = SdkEngine()
    with SshDevice(device.ssh_url, device.ssh_config) as board:
        engine.prepare(board, {"int8": bundle.artifact("int8")}, prepare_golden(bundle, tmp_path))
        scores = engine.outputs(["int8"], threads=1)["int8"]
    verdict = judge({photo: values["int8"] for photo, values in bundle.golden.items()}, scores, LAST_PLACE)
    assert verdict.passed, verdict.worst


# Last, because the daemon is gone afterwards.
def test_a_daemon_that_dies_leaves_the_samples_so_far(
    device: EmulatedDevice, tiny_bundle: Path, tmp_path: Path
) -> None:
    command = arguments(device, "adb", tiny_bundle, tmp_path / "perf.json")
    process = device.benchmarks(*command, "--variant", "int8", "--runs", "1000000", "--max-seconds", "300")
    wait_for_timing(device)
    device.kill_adbd()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    record = PerfRecord.read(tmp_path / "perf.json")
    assert record.runs[0].samples_ms
    assert record.runs[0].summary.n == len(record.runs[0].samples_ms)
    assert "timing failed" in record.incomplete
    assert "try:" in output


def wait_for_timing(device: EmulatedDevice) -> None:
    """Until the worker has been timing for a moment, so that there are samples to keep."""
    for _ in range(300):
        processes = Path(f"/proc/{device.pid}/root/proc").glob("[0-9]*/cmdline")
        if any(b'"task": "timed"' in read(path) for path in processes):
            time.sleep(8)  # the import and the first rounds, under emulation
            return
        time.sleep(0.2)
    raise AssertionError(f"no worker of {PYTHON} began to time")


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # ended meanwhile
        return b""
