"""A Linux board over ssh: ``ssh://user@host:port``.

Needs nothing on the board but a shell: files travel through ``cat``, as small boards have no sftp server.
Host keys are always checked and passwords are never asked: a benchmark must not hang at a question.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.devices.advice import find_advice
from benchmarks.devices.base import CONNECT_SECONDS, Device, DeviceError

TRANSPORT_FAILED = 255

_ADVICE = (
    (
        r"IDENTIFICATION HAS CHANGED",
        "the device answers with another key than before: find out why, then `ssh-keygen -R HOST`",
    ),
    (r"Host key verification failed", "connect once with ssh, compare the key, and accept it"),
    (r"Permission denied \(|Too many auth", "`ssh-copy-id` your key to the device; passwords are not asked"),
    (r"Connection refused", "is sshd running there, and is the port right?"),
    (r"timed out|No route|unreachable", "is the device switched on and on this network?"),
    (r"resolve|Name or service not known", "check the host name, or use its address"),
)


class SshDevice(Device):
    """A board reached with the ssh client; ``config`` is a file for ``ssh -F``."""

    def __init__(self, url: str, config: Path | None = None) -> None:
        super().__init__(url)
        self.destination, port = split_url(url)
        self.options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-T"]
        self.options += ["-o", f"ConnectTimeout={CONNECT_SECONDS // 2}"]
        # A connection that dies silently is noticed after 15 seconds.
        self.options += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
        if config:
            self.options = ["-F", str(config), *self.options]
        if port:
            self.options += ["-p", str(port)]

    def client(self, argv: list[str]) -> list[str]:
        """ssh joins its arguments for the remote shell, so the command is quoted here, once."""
        return ["ssh", *self.options, "--", self.destination, shlex.join(argv)]

    def push(self, local: Path, name: str) -> str:
        """Send a file through ``cat`` and check the size that arrived."""
        remote, step = self.remote(name), f"pushing {name}"
        size = self.run(["sh", "-c", 'cat > "$1" && wc -c < "$1"', "sh", remote], step, stdin=local)
        if size.strip() != str(local.stat().st_size):
            raise DeviceError(
                self.url,
                step,
                f"{size.strip()[:100]!r} of {local.stat().st_size} bytes arrived",
                "free space on the device",
            )
        return remote

    def pull(self, remote: str, local: Path) -> None:
        """Fetch a file through ``cat``."""
        local.write_bytes(self.run_bytes(["cat", remote], f"pulling {Path(remote).name}"))

    def advice(self, output: str, returncode: int | None) -> str | None:
        """ssh's own failures end with 255."""
        if returncode != TRANSPORT_FAILED:
            return None
        lost = f"the connection was lost or never made: try `ssh {self.destination} true` by hand"
        return find_advice(output, _ADVICE) or lost


def split_url(url: str) -> tuple[str, int | None]:
    """``user@host`` and the port of an ssh URL; raises ``ValueError`` for a URL of another shape."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{url!r}: {error}; write ssh://user@host:port") from error
    if parts.scheme != "ssh" or not host or parts.path.strip("/") or parts.password or parts.query:
        raise ValueError(f"{url!r} is not of the form ssh://user@host:port")
    # A name that starts with a dash would be an option of ssh.
    if host.startswith("-") or (parts.username or "").startswith("-"):
        raise ValueError(f"{url!r}: a host or user name does not start with a dash")
    return (f"{parts.username}@{host}" if parts.username else host), port
