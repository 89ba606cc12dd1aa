"""Which photos show the same: near-duplicates, and shots of one burst.

Two photos belong together if their hashes differ in at most ``ALIKE`` of 128 bits; within ``seconds`` of each other, if
they differ in at most ``ALIKE_IN_A_BURST``. A plain surface, such as a shot from inside a pocket, has no bit set, and
would be alike to any photo of few; so two hashes also share half as many set bits as they differ in. A group is what is
connected by such pairs. Of 497,500 pairs of different photos none is within ``ALIKE`` and 0.07 % are within
``ALIKE_IN_A_BURST`` (``benchmarks/experiments/RESULTS.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from pocketiqa.glance import Glance

ALIKE = 24
ALIKE_IN_A_BURST = 40


def group_shots(glances: Sequence[Glance], seconds: float, alike: int = ALIKE) -> list[list[int]]:
    """Positions in ``glances``, a list a group; a photo that resembles no other is a group of one.

    Args:
        glances: of the photos.
        seconds: within which two shots may be of one burst; a photo without a time is in no burst.
        alike: how many bits of the hash may differ at any time.

    Returns:
        Groups in the order of their first photos, each in the order of ``glances``.
    """
    halves = np.array([[glance.hash >> 64, glance.hash & (2**64 - 1)] for glance in glances], dtype=np.uint64)
    times = (glance.taken for glance in glances)
    taken = np.array([np.nan if time is None else (time - datetime(1970, 1, 1)).total_seconds() for time in times])
    first = np.arange(len(glances))  # of each photo's group, found by following it to one that is its own
    for position in range(len(glances)):
        differ = np.bitwise_count(halves[position + 1 :] ^ halves[position]).sum(axis=1)
        shared = np.bitwise_count(halves[position + 1 :] & halves[position]).sum(axis=1)
        in_a_burst = np.abs(taken[position + 1 :] - taken[position]) <= seconds
        together = (differ <= alike) | (in_a_burst & (differ <= ALIKE_IN_A_BURST))
        together &= 2 * shared >= differ
        for other in np.flatnonzero(together) + position + 1:
            one, two = sorted((_first_of(first, position), _first_of(first, other)))
            first[two] = one
    groups: dict[int, list[int]] = {}
    for position in range(len(glances)):
        groups.setdefault(_first_of(first, position), []).append(position)
    return list(groups.values())


def _first_of(first: np.ndarray, position: int) -> int:
    while first[position] != position:
        first[position] = first[first[position]]
        position = first[position]
    return int(position)
