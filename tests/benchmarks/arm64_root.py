"""An arm64 Linux in a folder: Debian packages for adbd and Python, wheels for the SDK's needs.

    python tests/benchmarks/arm64_root.py      # prints the folder

Nothing is installed on this machine: packages are downloaded with an apt state of their own and unpacked.
About 60 MB are downloaded once and kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# trixie: the first Debian with a Python that the torch-free runtime has wheels for.
SUITE = "trixie"
PACKAGES = ("python3.13-minimal", "libpython3.13-stdlib", "libstdc++6", "adbd", "dash", "coreutils")
WHEELS = ("executorch-numpy-runtime==1.4.0", "numpy==2.4.6", "pillow")
PYTHON = "/usr/bin/python3.13"
SITE = "usr/local/lib/python3.13/dist-packages"
ADBD = "/usr/lib/android-sdk/platform-tools/adbd"
TOOLS = ("apt-get", "dpkg-deb", "tar", "uv")


class RootUnavailable(Exception):
    """The root cannot be built here; the message is the reason to skip."""


def arm64_root() -> Path:
    """The root, built on first use in the cache folder."""
    content = hashlib.sha256(repr((SUITE, PACKAGES, WHEELS)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pocketiqa-tests"
    root = cache / f"arm64-{content}"
    if not root.is_dir():
        if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
            raise RootUnavailable(f"not installed: {', '.join(missing)}")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            fresh = Path(scratch) / "root"
            _layout(fresh)
            for package in _download(Path(scratch) / "apt"):
                _unpack(package, fresh)
            _install_wheels(fresh / SITE)
            fresh.rename(root)
    return root


def _layout(root: Path) -> None:
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "tmp", "dev", "proc", "sys", "etc", "run", SITE):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for link in ("bin", "sbin", "lib"):
        (root / link).symlink_to(f"usr/{link}")
    (root / "etc/passwd").write_text("root:x:0:0:root:/tmp:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")


def _download(state: Path) -> list[Path]:
    """The packages and what they need, from this machine's own Debian source at the suite above."""
    for folder in ("lists/partial", "archives/partial", "sources", "dpkg"):
        (state / folder).mkdir(parents=True)
    (state / "dpkg/status").touch()
    for source in _debian_sources():
        text = source.read_text()
        (state / "sources" / source.name).write_text(re.sub(r"\b(bookworm|bullseye|stable)\b", SUITE, text))
    config = state / "apt.conf"
    config.write_text(
        f'APT::Architecture "arm64"; APT::Architectures {{ "arm64"; }}; APT::Sandbox::User "";\n'
        f'Dir::State "{state}"; Dir::State::status "{state}/dpkg/status"; Dir::Cache "{state}";\n'
        f'Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "{state}/sources";\n'
        # Debian's images turn the keeping of archives off.
        'APT::Keep-Downloaded-Packages "true"; Binary::apt-get::APT::Keep-Downloaded-Packages "true";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(config)}
    _run(["apt-get", "update", "-q"], environment)
    options = ["-q", "-y", "--download-only", "--no-install-recommends"]
    _run(["apt-get", "install", *options, *PACKAGES], environment)
    return sorted((state / "archives").glob("*.deb"))


def _debian_sources() -> list[Path]:
    listed = [*Path("/etc/apt/sources.list.d").glob("*.sources"), Path("/etc/apt/sources.list")]
    found = [p for p in listed if p.is_file() and re.search(r"\S/debian/?\b", p.read_text())]
    if not found:
        raise RootUnavailable("no Debian package source on this machine")
    return found


def _unpack(package: Path, root: Path) -> None:
    archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    _run(["tar", "-x", "-C", str(root), "--keep-directory-symlink", "--no-same-owner"], None, archive.stdout)
    if archive.wait():
        raise RootUnavailable(f"{package.name} cannot be unpacked")


def _install_wheels(target: Path) -> None:
    platform = ["--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.13"]
    _run(["uv", "pip", "install", "-q", "--target", str(target), *platform, "--only-binary", ":all:", *WHEELS])


def _run(command: list[str], environment: dict[str, str] | None = None, stdin: object = None) -> None:
    done = subprocess.run(command, env=environment, stdin=stdin, capture_output=True, text=True, timeout=300)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise RootUnavailable(f"{' '.join(command[:2])} failed: {last[0]}")


if __name__ == "__main__":
    try:
        print(arm64_root())
    except RootUnavailable as error:
        sys.exit(f"no arm64 root: {error}")
