"""A Debian trixie in a folder of its own: packages that are downloaded and unpacked, and nothing installed here.

The packages come through an apt state of their own from this machine's Debian source. A root is made once and kept in
the cache folder, ``~/.cache/pocketiqa-tests``.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

# trixie: the first Debian with a Swift, and with a Python that the torch-free runtime has wheels for.
SUITE = "trixie"
TOOLS = ("apt-get", "dpkg-deb", "tar")
PATIENCE = 300  # seconds, of each command
SPARE_BYTES = 10**9  # what this machine's other work may need beside a root


class RootUnavailable(Exception):
    """The root cannot be made here; the message is the reason to skip."""


def debian_root(
    name: str,
    architecture: str,
    packages: Sequence[str],
    size: int,
    also: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    finish: Callable[[Path], None] | None = None,
) -> Path:
    """The root, made on first use.

    Args:
        name: what its folder in the cache is called.
        architecture: Debian's word for it, ``amd64`` say.
        packages: what it has; what they need comes with them.
        size: bytes that making it takes on the disk, about.
        also: what ``finish`` adds; another list is another root.
        leave_out: patterns of ``tar`` for files that nobody will miss.
        finish: called with the folder before it counts as made.

    Raises:
        RootUnavailable: a tool, a package source, the network or the room on the disk is missing.
    """
    content = hashlib.sha256(repr((SUITE, packages, also)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pocketiqa-tests"
    root = cache / f"{name}-{content}"
    if root.is_dir():
        return root
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise RootUnavailable(f"not installed: {', '.join(missing)}")
    cache.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(cache).free) < size + SPARE_BYTES:
        raise RootUnavailable(
            f"{cache} has {free / 1e9:.1f} GB free, and {(size + SPARE_BYTES) / 1e9:.1f} are asked for"
        )
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        fresh = Path(scratch) / "root"
        _layout(fresh)
        for package in _download(Path(scratch) / "apt", architecture, packages):
            _unpack(package, fresh, leave_out)
        if finish is not None:
            finish(fresh)
        fresh.rename(root)
    return root


def run(command: list[str], environment: dict[str, str] | None = None, stdin: object = None) -> None:
    """Raises RootUnavailable, with the last line of what it said, where a command fails."""
    try:
        done = subprocess.run(command, env=environment, stdin=stdin, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise RootUnavailable(f"{' '.join(command[:2])} took over {PATIENCE} s") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise RootUnavailable(f"{' '.join(command[:2])} failed: {last[0]}")


def _layout(root: Path) -> None:
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "tmp", "dev", "proc", "sys", "etc", "run"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    (root / "etc/passwd").write_text("root:x:0:0:root:/tmp:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")


def _download(state: Path, architecture: str, packages: Sequence[str]) -> list[Path]:
    """The packages and what they need, from this machine's own Debian source at the suite above."""
    for folder in ("lists/partial", "archives/partial", "sources", "dpkg"):
        (state / folder).mkdir(parents=True)
    (state / "dpkg/status").touch()
    for source in _debian_sources():
        text = source.read_text()
        (state / "sources" / source.name).write_text(re.sub(r"\b(bookworm|bullseye|stable)\b", SUITE, text))
    config = state / "apt.conf"
    config.write_text(
        f'APT::Architecture "{architecture}"; APT::Architectures {{ "{architecture}"; }}; APT::Sandbox::User "";\n'
        f'Dir::State "{state}"; Dir::State::status "{state}/dpkg/status"; Dir::Cache "{state}";\n'
        f'Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "{state}/sources";\n'
        # Debian's images turn the keeping of archives off.
        'APT::Keep-Downloaded-Packages "true"; Binary::apt-get::APT::Keep-Downloaded-Packages "true";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(config)}
    run(["apt-get", "update", "-q"], environment)
    options = ["-q", "-y", "--download-only", "--no-install-recommends"]
    run(["apt-get", "install", *options, *packages], environment)
    return sorted((state / "archives").glob("*.deb"))


def _debian_sources() -> list[Path]:
    listed = [*Path("/etc/apt/sources.list.d").glob("*.sources"), Path("/etc/apt/sources.list")]
    found = [p for p in listed if p.is_file() and re.search(r"\S/debian/?\b", p.read_text())]
    if not found:
        raise RootUnavailable("no Debian package source on this machine")
    return found


def _unpack(package: Path, root: Path, leave_out: Sequence[str]) -> None:
    archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    options = ["--keep-directory-symlink", "--no-same-owner", *(f"--exclude={pattern}" for pattern in leave_out)]
    run(["tar", "-x", "-C", str(root), *options], None, archive.stdout)
    if archive.wait():
        raise RootUnavailable(f"{package.name} cannot be unpacked")
