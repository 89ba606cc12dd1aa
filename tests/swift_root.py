"""Swift 6 in a folder: Debian's ``swiftlang``, which runs in that Debian alone.

    export POCKETIQA_SWIFT_ROOT=$(python -m tests.swift_root)      # half a gigabyte to download, once

The tests marked ``swift`` look for the compiler there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.debian_root import RootUnavailable, debian_root

NAMED_BY = "POCKETIQA_SWIFT_ROOT"
PACKAGES = ("swiftlang", "libc6-dev", "libstdc++-14-dev", "coreutils")
BYTES = 3_000_000_000  # while it is made; 1 GB afterwards
# Debuggers, editors' servers, the standard library for microcontrollers and for static linking.
UNUSED = (
    "*lldb*", "*sourcekit*", "*/bin/clangd", "*/bin/docc", "*/bin/swift-format", "*/lib/swift/embedded",
    "*/lib/swift_static", "*/FrameworkABIBaseline", "*/usr/share/doc", "*/usr/share/locale",
)  # fmt: skip
SHARED = "/exchange"  # where a command in the root finds the folder that it shares with the tests

_ENTER = """
root=$1 shared=$2
shift 2
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount --bind "$shared" "$root/exchange"
exec chroot "$root" /usr/bin/env -C /exchange "$@"
"""


def swift_root() -> Path:
    """The root, made on first use in the cache folder; raises RootUnavailable with the reason why not."""
    return debian_root("swift", "amd64", PACKAGES, BYTES, leave_out=UNUSED, finish=_complete)


def in_root(root: Path, shared: Path, command: Sequence[str]) -> list[str]:
    """The command line that runs ``command`` in the root, in a mount namespace of its own; ``shared`` is its working
    folder."""
    environment = ["PATH=/usr/libexec/swift/bin:/usr/bin", f"HOME={SHARED}", f"TMPDIR={SHARED}", "LANG=C.UTF-8"]
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    enter = ["unshare", "--mount", *user, "sh", "-euc", _ENTER, "sh", str(root), str(shared)]
    return [*enter, *environment, *command]


def found_root() -> Path:
    """The root that the environment names, where its compiler runs; raises RootUnavailable with the reason why not."""
    if not (named := os.environ.get(NAMED_BY)):
        raise RootUnavailable(f"no Swift: set {NAMED_BY} to what `python -m tests.swift_root` prints")
    if shutil.which("unshare") is None:
        raise RootUnavailable("not installed: util-linux")
    root = Path(named)
    if not (root / "usr/bin/swiftc").exists():
        raise RootUnavailable(f"{NAMED_BY} names {root}, which has no Swift")
    done = subprocess.run(in_root(root, root / "tmp", ["swiftc", "--version"]), capture_output=True, text=True)
    if done.returncode:
        raise RootUnavailable(f"swiftc does not run in {root}: {done.stderr.strip()}")
    return root


def _complete(root: Path) -> None:
    (root / SHARED.strip("/")).mkdir()


if __name__ == "__main__":
    try:
        print(swift_root())
    except RootUnavailable as error:
        sys.exit(f"no root with Swift: {error}")
