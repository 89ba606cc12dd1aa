"""This machine as a device: the same steps as on a remote one, in child processes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.devices.base import Device, DeviceError


class LocalDevice(Device):
    """The machine that runs the benchmark; URL ``local``."""

    def __init__(self) -> None:
        super().__init__("local")
        self.python = sys.executable

    def client(self, argv: list[str]) -> list[str]:
        """The command itself."""
        return argv

    def push(self, local: Path, name: str) -> str:
        """Copy a file into the workspace."""
        return self._copy(local, Path(self.remote(name)), f"copying {local.name}")

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file out of the workspace."""
        self._copy(Path(remote), local, f"copying {Path(remote).name} back")

    def advice(self, output: str, returncode: int | None) -> str | None:
        """None: there is no transport that could fail."""
        return None

    def _copy(self, source: Path, target: Path, step: str) -> str:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise DeviceError(self.url, step, str(error), "is there space, and may this account write?") from error
        return str(target)
