"""A running emulated arm64 device: adbd in namespaces of its own, and an sshd that leads into them.

The namespaces (user, mount, net, pid) hold a private binfmt_misc with qemu, so the machine itself never runs
a foreign binary. sshd listens on the loopback; every command it is sent enters the namespaces.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from arm64_root import ADBD, PYTHON, SITE, arm64_root

from tests.debian_root import RootUnavailable

# What is called, and the Debian package that has it.
TOOLS = {
    "qemu-aarch64-static": "qemu-user-static",
    "adb": "adb",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
}
# Debian 12's qemu computes some int8 results wrongly with its default processor.
RIGHT_CPU, TRAP_CPU = "cortex-a76", "max"
SERIAL = "127.0.0.1:5555"
# Seconds: how long anything may take on a machine that does other work as well.
PATIENCE = 300

_INIT = r"""
set -eu
root=$1
mount -t proc proc /proc
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":arm64:M::$magic:$mask:$2:F" > /proc/sys/fs/binfmt_misc/register
ip link set lo up
mount --rbind /dev "$root/dev"
# XNNPACK finds no processor without /sys.
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
export QEMU_CPU="$4" HOME=/tmp PATH=/usr/bin:/usr/sbin
chroot "$root" "$3" >/dev/null 2>&1 &
echo "adbd $!"
read -r _ || true
"""
_ENTER = """#!/bin/sh
export QEMU_CPU="$(cat '{folder}/cpu')" HOME=/tmp PATH=/usr/bin:/usr/sbin
exec {nsenter} -t {pid} -U -m -n -p --preserve-credentials chroot '{root}' /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""


class Command:
    """A running command of this checkout; its output goes to files, so it can be read while it runs."""

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        self._files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        self.process = subprocess.Popen(
            argv,
            env=environment,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
            # Where the tests run as a shell's background job, SIGINT is ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    @property
    def output(self) -> str:
        """All that it wrote until now, to stdout and then to stderr."""
        return "".join(os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace") for file in self._files)

    def wait_for(self, words: str) -> None:
        """Until the command has said ``words``."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.output:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the command never said {words!r} but\n{self.output}")
            time.sleep(0.05)

    def end(self) -> int:
        """The command's exit code, when it ends."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the command did not end; it said\n{self.output}") from None


class EmulatedDevice:
    """Start with ``with EmulatedDevice() as device``; raises `RootUnavailable` where that is impossible."""

    def __enter__(self) -> EmulatedDevice:
        if missing := sorted({package for tool, package in TOOLS.items() if which(tool) is None}):
            raise RootUnavailable(f"not installed: {', '.join(missing)}")
        self.root = arm64_root()
        self._scratch = tempfile.TemporaryDirectory(prefix="emulated-device-")
        self.folder = Path(self._scratch.name)
        self.environment = {
            **os.environ,
            "HOME": str(self.folder),  # adb's key
            "ANDROID_ADB_SERVER_PORT": "5039",  # a server inside the namespace, never the user's
        }
        self._start_namespaces()
        self._start_sshd()
        self.ssh_url, self.adb_url = f"ssh://{self._user()}@127.0.0.1:{self.ssh_port}", f"adb://{SERIAL}"
        return self

    def __exit__(self, *_: object) -> None:
        self.run("adb", "kill-server")
        self.sshd.terminate()
        # Closing its input ends the first process of the pid namespace, and with it all others.
        self.holder.stdin.close()
        self.holder.wait(timeout=PATIENCE)
        self.sshd.wait(timeout=PATIENCE)
        self._scratch.cleanup()

    @property
    def enter_net(self) -> list[str]:
        """What to put before a command that talks to adbd."""
        return ["nsenter", "-t", str(self.pid), "-U", "-n", "--preserve-credentials"]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the device's network namespace."""
        return subprocess.run(
            [*self.enter_net, *command], env=self.environment, capture_output=True, text=True, timeout=PATIENCE
        )

    def benchmarks(self, *arguments: str) -> Command:
        """``python -m benchmarks`` with the device within reach of both transports."""
        inside = self.enter_net if any(a.startswith("adb://") for a in arguments) else []
        return Command([*inside, sys.executable, "-m", "benchmarks", *arguments], self.environment)

    def run_arm64_python(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script with the device's Python and processor on this machine's files, without any transport."""
        libraries = [Path(__file__).parents[2] / "sdk_python", self.root / SITE, self.root / "usr/lib/python3.13"]
        emulator = [which("qemu-aarch64-static"), "-cpu", RIGHT_CPU, "-L", str(self.root)]
        return subprocess.run(
            [*emulator, f"{self.root}{PYTHON}", "-c", script, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, libraries))},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def choose_cpu(self, name: str) -> None:
        """The processor that qemu plays for commands over ssh."""
        (self.folder / "cpu").write_text(name)

    def kill_adbd(self) -> None:
        """End the daemon, as a phone that loses its cable would."""
        inside = ["nsenter", "-t", str(self.pid), "-U", "-m", "-p", "--preserve-credentials"]
        subprocess.run([*inside, "kill", "-9", self.adbd], check=True)

    def workspaces(self) -> list[str]:
        """Folders that benchmarks left on the device."""
        temporary = Path(f"/proc/{self.pid}/root{self.root}/tmp")
        return [path.name for path in temporary.iterdir() if path.name.startswith("pocketiqa")]

    def _start_namespaces(self) -> None:
        qemu = which("qemu-aarch64-static")
        self.holder = subprocess.Popen(
            ["unshare", "-Urmnpf", "sh", "-c", _INIT, "sh", str(self.root), qemu, ADBD, RIGHT_CPU],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        word, _, self.adbd = self.holder.stdout.readline().strip().partition(" ")
        if word != "adbd":
            reason = self.holder.communicate()[1].strip()
            raise RootUnavailable(f"no user namespaces with a binfmt_misc of their own: {reason}")
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        self.pid = int(children[0])

    def _start_sshd(self) -> None:
        folder = self.folder
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "client.pub", folder / "authorized")
        self.choose_cpu(RIGHT_CPU)
        enter = folder / "enter"
        enter.write_text(_ENTER.format(folder=folder, nsenter=which("nsenter"), pid=self.pid, root=self.root))
        enter.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.ssh_port = probe.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.ssh_port}\nHostKey {folder}/host\nUsePAM no\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPasswordAuthentication no\n"
            f"PermitRootLogin prohibit-password\nForceCommand {enter}\n"
        )
        public = (folder / "host.pub").read_text().split()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.ssh_port} {public[0]} {public[1]}\n")
        self.ssh_config = folder / "ssh_config"
        self.ssh_config.write_text(
            f"IdentityFile {folder}/client\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.sshd = subprocess.Popen(
            [which("sshd"), "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", self.ssh_port)) == 0:
                    return
            time.sleep(0.1)
        raise RootUnavailable("the private sshd does not answer")

    def _user(self) -> str:
        return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def which(tool: str) -> str | None:
    """The tool's path; daemons live where an account's own PATH does not look."""
    return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
