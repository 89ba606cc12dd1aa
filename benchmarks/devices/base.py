"""The interface of a device, and what all transports share: workspaces, commands, and errors that say what to try."""

from __future__ import annotations

import contextlib
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from benchmarks.devices.advice import general_advice
from benchmarks.devices.processes import Flood, Silence, run_bounded, stream_bounded
from benchmarks.devices.state import PROPERTIES, STATE, read_properties, read_state
from benchmarks.record import DeviceProperties, DeviceState

CONNECT_SECONDS = 30
STEP_SECONDS = 120
# A line is due at least this often while a command streams; emulated devices take seconds per inference.
SILENCE_SECONDS = 180

_WORKSPACE = r"""
for d in "$TMPDIR" /data/local/tmp /tmp /var/tmp; do
  [ -n "$d" ] && [ -d "$d" ] && [ -w "$d" ] && mktemp -d "$d/pocketiqa.XXXXXX" && exit 0
done
echo "no writable folder among TMPDIR, /data/local/tmp, /tmp, /var/tmp" >&2; exit 1
"""


class DeviceError(Exception):
    """A step failed on a device: the message names the device, the step, the reason and what to try."""

    exit_status = 1

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
            stack.enter_context(self._explained(command, step))
            return run_bounded(command, source, seconds)

    def stream(self, argv: list[str], step: str, silence: float = SILENCE_SECONDS) -> Iterator[str]:
        """Yield the lines of a command while it runs; closing the iterator ends the command.

        Raises `DeviceError` when the command fails, or says nothing for ``silence`` seconds.
        """
        command = self.client(argv)
        with self._explained(command, step):
            yield from stream_bounded(command, silence)

    @contextlib.contextmanager
    def _explained(self, command: list[str], step: str) -> Iterator[None]:
        """Every way in which a command may fail becomes a `DeviceError` with what to try."""
        try:
            yield
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.output or b"").decode(errors="replace")
            raise self.failure(step, said, error.returncode) from error
        except subprocess.TimeoutExpired as error:
            reason, advice = f"no end after {error.timeout:.0f} s", "is the device reachable and idle?"
            raise DeviceError(self.url, step, reason, advice) from error
        except Silence as error:
            raise DeviceError(self.url, step, str(error), "is the device reachable and awake?") from error
        except Flood as error:
            raise DeviceError(self.url, step, str(error), "run the same step by hand on the device") from error
        except FileNotFoundError as error:
            reason, advice = f"{command[0]} is not installed here", f"install {command[0]} on this machine"
            raise DeviceError(self.url, step, reason, advice) from error

    def failure(self, step: str, output: str, returncode: int) -> DeviceError:
        """The error for a command that ended with ``returncode``, with the transport's or general advice."""
        advice = self.advice(output, returncode) or general_advice(output)
        last = "\n".join(output.strip().splitlines()[-6:])
        return DeviceError(self.url, step, last or f"exit code {returncode}", advice)

    def properties(self) -> DeviceProperties:
        """Machine, system, model and SoC, as far as the device says."""
        output = self.run(["sh", "-c", PROPERTIES], "reading the properties", CONNECT_SECONDS)
        return read_properties(self.url, output)

    def state(self, when: str) -> DeviceState:
        """Temperatures, clocks, governor, load and thermal status, as far as the device says."""
        output = self.run(["sh", "-c", STATE], "reading the thermal state", CONNECT_SECONDS)
        return read_state(when, output)

    def remote(self, name: str) -> str:
        """The path of ``name`` in the workspace."""
        if self.workspace is None:
            raise RuntimeError("a device has a workspace only inside its `with` block")
        return str(self.workspace / name)
