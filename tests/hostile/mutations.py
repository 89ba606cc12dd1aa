"""Seeded damage to bytes: each function takes a file's bytes and a generator, and returns other bytes."""

from __future__ import annotations

import numpy as np

_LARGE = (b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0" * 4, b"\x80\0\0\0", b"\xff" * 8, b"\x01\0\0\0")


def truncated(content: bytes, random: np.random.Generator) -> bytes:
    """Cut off anywhere, the first bytes as often as all others."""
    most = len(content) if random.random() < 0.5 else min(200, len(content))
    return content[: random.integers(0, most)]


def flipped(content: bytes, random: np.random.Generator) -> bytes:
    """One to sixteen bytes changed, half of the time near the start, where headers are."""
    changed = bytearray(content)
    for _ in range(random.integers(1, 17)):
        changed[_place(content, random)] ^= int(random.integers(1, 256))
    return bytes(changed)


def overwritten(content: bytes, random: np.random.Generator) -> bytes:
    """A number where a size, a count or an offset may stand becomes an extreme one."""
    place, large = _place(content, random), _LARGE[random.integers(len(_LARGE))]
    return content[:place] + large + content[place + len(large) :]


def zeroed(content: bytes, random: np.random.Generator) -> bytes:
    """A stretch becomes zeros, as after a crash of a file system."""
    begin, end = _stretch(content, random)
    return content[:begin] + bytes(end - begin) + content[end:]


def removed(content: bytes, random: np.random.Generator) -> bytes:
    """A stretch is missing."""
    begin, end = _stretch(content, random)
    return content[:begin] + content[end:]


def repeated(content: bytes, random: np.random.Generator) -> bytes:
    """A stretch comes twice to nine times."""
    begin, end = _stretch(content, random)
    return content[:end] + content[begin:end] * int(random.integers(1, 9)) + content[end:]


def inserted(content: bytes, random: np.random.Generator) -> bytes:
    """Random bytes in between."""
    place = _place(content, random)
    return content[:place] + random.bytes(int(random.integers(1, 300))) + content[place:]


MUTATIONS = (truncated, flipped, overwritten, zeroed, removed, repeated, inserted)


def _place(content: bytes, random: np.random.Generator) -> int:
    most = len(content) if random.random() < 0.5 else min(400, len(content))
    return int(random.integers(0, most))


def _stretch(content: bytes, random: np.random.Generator) -> tuple[int, int]:
    begin = _place(content, random)
    return begin, min(len(content), begin + int(random.integers(1, max(2, len(content) // 4))))
