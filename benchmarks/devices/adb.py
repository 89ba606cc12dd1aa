"""An Android phone, or anything else with adbd, over adb: ``adb://SERIAL``.

The serial is always named, because adb lists one device under several names and picks none of two.
"""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

from benchmarks.devices.advice import find_advice
from benchmarks.devices.base import CONNECT_SECONDS, Device, DeviceError

_ADVICE = (
    (r"unauthorized", "unlock the phone and accept this computer's key in the dialog"),
    (r"offline", "unplug and plug the cable, or `adb reconnect offline`"),
    (r"more than one device", "name one: adb://SERIAL with a serial of `adb devices -l`"),
    (r"failed to connect|refused|timed out", "is the device on this network, with adb over TCP on this port?"),
    (r"not found|no devices", "see `adb devices -l`; for a network device `adb connect HOST:PORT`"),
    (r"no permissions", "add the udev rule for this phone's vendor, or your account to the group plugdev"),
    (r"to daemon|start daemon|protocol fault", "adb kill-server, then once more"),
    (
        r"closed|EOF|reset|disconnected",
        "the device went away: check its cable or network, or did it restart?",
    ),
)


class AdbDevice(Device):
    """A device behind an adb server; the server is found as adb does (ANDROID_ADB_SERVER_PORT)."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.serial = split_url(url)

    def __enter__(self) -> AdbDevice:
        if re.search(r":\d+$", self.serial):
            self._connect()
        return super().__enter__()

    def client(self, argv: list[str]) -> list[str]:
        """adb joins its arguments for the remote shell, so the command is quoted here, once."""
        return ["adb", "-s", self.serial, "shell", shlex.join(argv)]

    def push(self, local: Path, name: str) -> str:
        """``adb push``, which checks what arrived."""
        remote = self.remote(name)
        self.host(["push", str(local.absolute()), remote], f"pushing {name}")
        return remote

    def pull(self, remote: str, local: Path) -> None:
        """``adb pull``."""
        self.host(["pull", remote, str(local.absolute())], f"pulling {Path(remote).name}")

    def host(self, arguments: list[str], step: str) -> None:
        """Run a command of adb itself for this device."""
        self.run_here(["adb", "-s", self.serial, *arguments], step)

    def _connect(self) -> None:
        """Connect to a device on the network, which adb forgets when a connection drops, and wait for it."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            # connect's exit code differs between versions and it may return early: the state is what counts.
            said, state = self._ask("connect", self.serial), self._ask("-s", self.serial, "get-state")
            if state == "device":
                return
            if time.monotonic() > deadline:
                raise self.failure("connecting", f"{said}\n{state}", 1)
            if "offline" in state:  # a connection that died; connect alone would keep it
                self._ask("disconnect", self.serial)
            time.sleep(0.5)

    def _ask(self, *arguments: str) -> str:
        """What adb answers, also when it refuses."""
        try:
            return self.run_here(["adb", *arguments], "connecting", CONNECT_SECONDS).decode().strip()
        except DeviceError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise
            return error.reason.strip()

    def advice(self, output: str, returncode: int | None) -> str | None:
        """adb's own failures say so in words; its exit code is 1 as for many commands."""
        said = [line for line in output.splitlines() if re.match(r"adb: |error: |failed to ", line)]
        return find_advice("\n".join(said), _ADVICE)


def split_url(url: str) -> str:
    """The serial of an adb URL; raises ``ValueError`` for a URL of another shape."""
    scheme, separator, serial = url.partition("://")
    if scheme != "adb" or not separator or not serial or serial.startswith("-") or re.search(r"[\s/]", serial):
        raise ValueError(f"{url!r} is not of the form adb://SERIAL; `adb devices` lists the serials")
    return serial
