"""Transports: how a file gets onto a device, a command runs there, and a result comes back."""

from __future__ import annotations

from pathlib import Path

from benchmarks.devices.adb import AdbDevice
from benchmarks.devices.base import Device
from benchmarks.devices.local import LocalDevice
from benchmarks.devices.ssh import SshDevice


def open_device(url: str, ssh_config: Path | None = None) -> Device:
    """The device of a URL, not yet connected; raises ``ValueError`` for a URL of no known form."""
    if url == "local":
        return LocalDevice()
    if url.startswith("ssh://"):
        return SshDevice(url, ssh_config)
    if url.startswith("adb://"):
        return AdbDevice(url)
    raise ValueError(f"--device {url!r}: write local, ssh://user@host:port or adb://SERIAL")
