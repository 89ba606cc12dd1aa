"""The best of several photos of one scene, and in which respect each of the others is worse.

A shot's merit is made of its score; of the attributes that differ from shot to shot and not by the scene; and of its
tones, because the score hardly minds that a shot is one or two stops darker than its neighbour, and no single photo
tells. Measured with and without: ``benchmarks/experiments/RESULTS.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pocketiqa.glance import Glance
from pocketiqa.outputs import Row
from pocketiqa.shot_groups import group_shots

# Logits of the score, for each logit of these attributes and for a bit of tones. A shot two stops too dark loses about
# one bit. Chosen on 150 photos that no result was measured on.
_OF_THE_SHOT = ("sharpness", "noise", "compression")
ATTRIBUTE_WEIGHT = 0.2
TONES_WEIGHT = 0.25
_LEAST = 1e-4  # so that a score of 0 or 1 has a logit

# Attribute → what is said of the photo that has more of it, and of the one that has less.
_WORDS = {
    "sharpness": ("sharper", "less sharp"),
    "noise": ("cleaner", "noisier"),
    "exposure": ("better exposed", "worse exposed"),
    "contrast": ("better in contrast", "worse in contrast"),
    "colour": ("better in colour", "worse in colour"),
    "compression": ("less compressed", "more compressed"),
}
# Less than this between two attributes is no reason to name.
_NOTEWORTHY = 0.05
_NOTEWORTHY_TONES = 0.4


@dataclass(frozen=True)
class Shot:
    """What a photo's merit is judged by: score and attributes in [0, 1], higher is better; tones in bits."""

    score: float
    attributes: Mapping[str, float]
    tones: float

    @property
    def merit(self) -> float:
        """Higher is better; it means nothing between photos of different scenes."""
        attributes = sum(_logit(self.attributes[name]) for name in _OF_THE_SHOT if name in self.attributes)
        return _logit(self.score) + ATTRIBUTE_WEIGHT * attributes + TONES_WEIGHT * self.tones


def ranked(shots: Sequence[Shot]) -> list[int]:
    """Positions in ``shots``, the best first; of equals, the earlier."""
    return sorted(range(len(shots)), key=lambda position: -shots[position].merit)


def compared(shot: Shot, with_: Shot) -> str:
    """What makes ``shot`` better or worse than another, on one line: of the attributes that differ in the direction of
    their merits, the one that differs most; else their scores or tones."""
    better = shot.merit >= with_.merit
    gaps = {name: shot.attributes[name] - with_.attributes.get(name, 0.0) for name in shot.attributes}
    gaps = {name: gap if better else -gap for name, gap in gaps.items()}
    name = max(gaps, key=gaps.__getitem__, default=None)
    if name is not None and gaps[name] >= _NOTEWORTHY:
        words = _WORDS.get(name, (f"more {name}", f"less {name}"))[0 if better else 1]
        return f"{words} ({shot.attributes[name]:.2f} against {with_.attributes[name]:.2f})"
    if (shot.score >= with_.score) == better and abs(shot.tones - with_.tones) < _NOTEWORTHY_TONES:
        return f"{'higher' if better else 'lower'} score ({shot.score:.2f} against {with_.score:.2f})"
    return f"{'more' if better else 'fewer'} tones ({shot.tones:.1f} against {with_.tones:.1f} bits)"


def glance_cells(glance: Glance) -> Row:
    """What a row holds of a glance."""
    taken = glance.taken and glance.taken.isoformat()
    return {"tones": glance.tones, "taken": taken, "hash": f"{glance.hash:032x}"}


def with_choices(rows: Sequence[Row], attributes: Sequence[str], seconds: float) -> list[Row]:
    """Rows of scored photos in the order of their groups, each group's best first; rows with an error last.

    Args:
        rows: of ``pocketiqa.outputs.row_of`` and ``glance_cells``.
        attributes: names of the attributes in each row.
        seconds: within which two shots may be of one burst.

    Returns:
        The rows with ``group`` (from 1), ``choice`` (``best``, ``other``, or ``single`` for a photo that resembles no
        other) and ``why``: the best against the second, any other against the best.
    """
    scored = [row for row in rows if not row["error"]]
    arranged: list[Row] = []
    for number, group in enumerate(group_shots([_glance_of(row) for row in scored], seconds), 1):
        members = [scored[position] for position in group]
        shots = [Shot(row["score"], {name: row[name] for name in attributes}, row["tones"]) for row in members]
        best, *others = ranked(shots)
        why = compared(shots[best], shots[others[0]]) if others else None
        arranged.append({**members[best], "group": number, "choice": "best" if others else "single", "why": why})
        for other in others:
            why = compared(shots[other], shots[best])
            arranged.append({**members[other], "group": number, "choice": "other", "why": why})
    failed = [{**row, "group": None, "choice": None, "why": None} for row in rows if row["error"]]
    return arranged + failed


def _logit(share: float) -> float:
    share = min(max(share, _LEAST), 1 - _LEAST)
    return math.log(share / (1 - share))


def _glance_of(row: Row) -> Glance:
    taken = row["taken"] and datetime.fromisoformat(row["taken"])
    return Glance(int(row["hash"], 16), row["tones"], taken)
