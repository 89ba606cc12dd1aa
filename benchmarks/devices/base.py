"""The interface of a device, and what all transports share: time limits, streams, workspaces, readings."""

from __future__ import annotations

import contextlib
import math
import queue
import re
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from benchmarks.devices.bounded import Flood, run_bounded
from benchmarks.record import DeviceProperties, Reading

CONNECT_SECONDS = 30
STEP_SECONDS = 120
# A line is due at least this often while a command streams; emulated devices take seconds per inference.
SILENCE_SECONDS = 180
# Bounds on what a stream may say: an hour of rounds is a few megabytes.
STREAM_BYTES, STREAM_LINES, LINE_BYTES, QUEUED_LINES = 256 * 1024**2, 5_000_000, 65536, 1000

# Only the shell and coreutils (or toybox): a small board has no grep, and Android no GNU sed.
_PROPERTIES = r"""
echo "machine=$(uname -m)"; echo "system=$(uname -sr)"; echo "cores=$(nproc 2>/dev/null)"
for f in /sys/firmware/devicetree/base/model /proc/device-tree/model /sys/class/dmi/id/product_name; do
  [ -r $f ] && echo "model=$(tr -d '\000' < $f)" && break
done
while read -r line; do
  case "$line" in "model name"*|Hardware*) echo "soc=${line#*: }"; break;; esac
done < /proc/cpuinfo
if command -v getprop >/dev/null 2>&1; then
  echo "model=$(getprop ro.product.manufacturer) $(getprop ro.product.model)"
  echo "soc=$(getprop ro.soc.manufacturer) $(getprop ro.soc.model)"
  echo "system=Android $(getprop ro.build.version.release), API $(getprop ro.build.version.sdk)"
fi
exit 0
"""
_STATE = r"""
for z in /sys/class/thermal/thermal_zone*; do
  [ -r "$z/temp" ] && echo "temperature=$(cat "$z/type" 2>/dev/null):${z##*zone}=$(cat "$z/temp" 2>/dev/null)"
done
for c in /sys/devices/system/cpu/cpu[0-9]*; do
  [ -r "$c/cpufreq/scaling_cur_freq" ] && echo "clock=${c##*/}=$(cat "$c/cpufreq/scaling_cur_freq")"
done
[ -r /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor ] &&
  echo "governor=$(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor)"
[ -r /proc/loadavg ] && read -r load rest < /proc/loadavg && echo "load=$load"
if command -v dumpsys >/dev/null 2>&1; then
  dumpsys thermalservice 2>/dev/null | while read -r line; do
    case "$line" in "Thermal Status:"*) echo "status=${line#*: }"; break;; esac
  done
fi
exit 0
"""
_WORKSPACE = r"""
for d in "$TMPDIR" /data/local/tmp /tmp /var/tmp; do
  [ -n "$d" ] && [ -d "$d" ] && [ -w "$d" ] && mktemp -d "$d/pocketiqa.XXXXXX" && exit 0
done
echo "no writable folder among TMPDIR, /data/local/tmp, /tmp, /var/tmp" >&2; exit 1
"""


class DeviceError(Exception):
    """A step failed on a device: the message names the device, the step, the reason and what to try."""

    def __init__(self, device: str, step: str, reason: str, advice: str) -> None:
        super().__init__(f"{device}: {step} failed: {reason.strip() or 'no message'}\n  try: {advice}")
        self.device, self.step, self.reason, self.advice = device, step, reason, advice


class Device(ABC):
    """One device, used as a context manager: entering makes a workspace on it, leaving removes it.

    Commands are lists of arguments. A transport that passes through a remote shell quotes each argument
    once, so any file name is safe.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.workspace: PurePosixPath | None = None

    @abstractmethod
    def client(self, argv: list[str]) -> list[str]:
        """The command on this machine that runs ``argv`` on the device."""

    @abstractmethod
    def push(self, local: Path, name: str) -> str:
        """Copy a file into the workspace under ``name``; returns its path on the device."""

    @abstractmethod
    def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the device."""

    @abstractmethod
    def advice(self, output: str, returncode: int | None) -> str | None:
        """What to try about a failure of the transport itself, None when the command itself failed."""

    def __enter__(self) -> Device:
        path = self.run(["sh", "-c", _WORKSPACE], "making a folder", CONNECT_SECONDS).strip()
        # It becomes part of commands, and is removed at the end.
        if not (re.fullmatch(r"/.*pocketiqa\.\w+", path) and path.isprintable()):
            raise DeviceError(self.url, "making a folder", f"{path[:100]!r} is none", "is its TMPDIR a plain path?")
        self.workspace = PurePosixPath(path)
        return self

    def __exit__(self, *_: object) -> None:
        folder, self.workspace = self.workspace, None
        # A device that is gone cannot be tidied; its worker removes the folder itself when it notices.
        with contextlib.suppress(DeviceError):
            self.run(["rm", "-rf", str(folder)], "removing the folder", CONNECT_SECONDS)

    def run(self, argv: list[str], step: str, seconds: float = STEP_SECONDS, stdin: Path | None = None) -> str:
        """Run a command to its end, return its output; raises `DeviceError` for a failure or a time-out."""
        return self.run_bytes(argv, step, seconds, stdin).decode(errors="replace")

    def run_bytes(self, argv: list[str], step: str, seconds: float = STEP_SECONDS, stdin: Path | None = None) -> bytes:
        """As `run`, with the output as it came."""
        return self.run_here(self.client(argv), step, seconds, stdin)

    def run_here(
        self, command: list[str], step: str, seconds: float = STEP_SECONDS, stdin: Path | None = None
    ) -> bytes:
        """Run a command on this machine on behalf of the device, with the errors of `run`."""
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
            try:
                returncode, output, errors = run_bounded(command, source, seconds)
            except Flood as error:
                raise DeviceError(self.url, step, str(error), "run the same step by hand on the device") from error
            except subprocess.TimeoutExpired as error:
                raise DeviceError(
                    self.url, step, f"no end after {seconds:.0f} s", "is the device reachable and idle?"
                ) from error
            except FileNotFoundError as error:
                raise DeviceError(
                    self.url,
                    step,
                    f"{command[0]} is not installed here",
                    f"install {command[0]} on this machine",
                ) from error
        if returncode:
            raise self.failure(step, (errors or output).decode(errors="replace"), returncode)
        return output

    def stream(self, argv: list[str], step: str, silence: float = SILENCE_SECONDS) -> Iterator[str]:
        """Yield the lines of a command while it runs; closing the iterator ends the command.

        Raises `DeviceError` when the command fails, or says nothing for ``silence`` seconds.
        """
        with tempfile.TemporaryFile() as errors:
            # In a session of its own: Ctrl-C is for this process, which then ends the stream in order.
            process = subprocess.Popen(
                self.client(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            lines: queue.Queue[bytes | None] = queue.Queue(QUEUED_LINES)
            flooded: list[bool] = []

            def read() -> None:
                left, count = STREAM_BYTES, STREAM_LINES
                while left > 0 and count > 0 and (line := process.stdout.readline(LINE_BYTES)):
                    left, count = left - len(line), count - 1
                    lines.put(line)
                flooded.append(left <= 0 or count <= 0)
                lines.put(None)

            reader = threading.Thread(target=read, daemon=True)
            reader.start()
            try:
                while (line := lines.get(timeout=silence)) is not None:
                    yield line.decode(errors="replace").rstrip("\r\n")
                if any(flooded):
                    reason = f"more than {STREAM_BYTES} bytes or {STREAM_LINES} lines of output"
                    raise DeviceError(self.url, step, reason, "run the same step by hand on the device")
                returncode = process.wait(timeout=CONNECT_SECONDS)
            except (queue.Empty, subprocess.TimeoutExpired) as error:
                raise DeviceError(
                    self.url, step, f"silent for {silence:.0f} s", "is the device reachable and awake?"
                ) from error
            finally:
                _end(process)
                while reader.is_alive():  # it may wait for room in the queue
                    with contextlib.suppress(queue.Empty):
                        lines.get(timeout=0.1)
                process.stdout.close()
            if returncode:
                errors.seek(0)
                raise self.failure(step, errors.read().decode(errors="replace"), returncode)

    def failure(self, step: str, output: str, returncode: int) -> DeviceError:
        """The error for a command that ended with ``returncode``, with the transport's or general advice."""
        advice = self.advice(output, returncode) or general_advice(output)
        last = "\n".join(output.strip().splitlines()[-6:])
        return DeviceError(self.url, step, last or f"exit code {returncode}", advice)

    def properties(self) -> DeviceProperties:
        """Machine, system, model and SoC, as far as the device tells."""
        said = _pairs(self.run(["sh", "-c", _PROPERTIES], "reading the properties", CONNECT_SECONDS))
        found = {key: value.strip() for key, value in said if value.strip()}
        cores = found.get("cores", "")
        return DeviceProperties(
            url=self.url,
            machine=found.get("machine", "unknown"),
            system=found.get("system", "unknown"),
            model=found.get("model"),
            soc=found.get("soc"),
            cores=int(cores) if re.fullmatch("[0-9]{1,6}", cores) else None,
        )

    def state(self, when: str) -> Reading:
        """Temperatures, clocks, governor, load and thermal status, as far as the device tells."""
        said = self.run(["sh", "-c", _STATE], "reading the thermal state", CONNECT_SECONDS)
        reading = Reading(when)
        for key, value in _pairs(said):
            name, _, number = value.rpartition("=")
            if key == "temperature" and (degrees := _number(number)) is not None:
                # Zones report thousandths of a degree, a few old ones whole degrees.
                reading.temperatures[name] = degrees / 1000 if abs(degrees) > 200 else degrees
            elif key == "clock" and (clock := _number(number)) is not None:
                reading.clocks[name] = clock / 1000
            elif key == "governor":
                reading.governor = value
            elif key == "load":
                reading.load = _number(value)
            elif key == "status" and re.fullmatch(r"\s*[0-9]{1,6}\s*", value):
                reading.thermal_status = int(value)
        return reading

    def remote(self, name: str) -> str:
        """The path of ``name`` in the workspace."""
        if self.workspace is None:
            raise RuntimeError("a device has a workspace only inside its `with` block")
        return str(self.workspace / name)


def general_advice(output: str) -> str:
    """What to try about a command that failed on the device, from the words that systems use."""
    for pattern, advice in _GENERAL:
        if re.search(pattern, output, re.IGNORECASE):
            return advice
    return "run the same step by hand on the device and read its full message"


_INSTALL = "python3 -m pip install executorch-numpy-runtime numpy pillow"
_GENERAL = (
    (r"no space left", "free space on the device; the workspace needs about 40 MB"),
    (
        r"exec format error|wrong ELF|cannot execute",
        "the file is for another processor: build it for this one",
    ),
    (
        r"made for a newer runtime|0x23|loading .*\.pte .*failed",
        "the device's runtime is too old for this .pte: update it, or export with an older ExecuTorch",
    ),
    (r"no module named", f"on the device: {_INSTALL}; or name another of its Pythons with --python"),
    (r"no runtime: install", f"on the device: {_INSTALL}"),
    (r"permission denied", "look at the owner and the mount options of the folder"),
    (r"killed|out of memory|signal 9", "the device ran out of memory: close what runs on it"),
)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close a stream's input, which tells the worker to end, and make sure that the client ends."""
    with contextlib.suppress(OSError):
        process.stdin.close()
    for stop in (lambda: None, process.terminate, process.kill):
        stop()
        try:
            process.wait(timeout=5)
            return
        except subprocess.TimeoutExpired:
            continue


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = (line.rstrip("\r").partition("=") for line in text.splitlines())
    return [(key, value) for key, separator, value in lines if separator]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
