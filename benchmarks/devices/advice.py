"""What to try about a command that failed on a device, from the words that systems and clients use."""

from __future__ import annotations

import re

Advice = tuple[tuple[str, str], ...]  # pattern of a message, and what to try

OTHERWISE = "run the same step by hand on the device and read its full message"
_INSTALL = "python3 -m pip install executorch-numpy-runtime numpy pillow"
_GENERAL: Advice = (
    (r"no space left", "free space on the device; the workspace needs about 40 MB"),
    (r"exec format error|wrong ELF|cannot execute", "the file is for another processor: build it for this one"),
    (
        r"made for a newer runtime|0x23|loading .*\.pte .*failed",
        "the device's runtime is too old for this .pte: update it, or export with an older ExecuTorch",
    ),
    (r"no module named", f"on the device: {_INSTALL}; or name another of its Pythons with --python"),
    (r"no runtime: install", f"on the device: {_INSTALL}"),
    (r"permission denied", "look at the owner and the mount options of the folder"),
    (r"killed|out of memory|signal 9", "the device ran out of memory: close what runs on it"),
)


def find_advice(output: str, known: Advice) -> str | None:
    """The advice of the first pattern in ``output``, None for words that are not known."""
    return next((advice for pattern, advice in known if re.search(pattern, output, re.IGNORECASE)), None)


def general_advice(output: str) -> str:
    """What to try about a command that failed on the device itself."""
    return find_advice(output, _GENERAL) or OTHERWISE
