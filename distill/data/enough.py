"""Are there enough opinions to learn from, and to measure by? Said before hours are spent, and without a NaN."""

from __future__ import annotations

import math
import sys

import numpy as np
from pocketiqa.errors import one_line
from tqdm import tqdm

from distill.data.mos_sets.photo_set import MosSet, MosSetError

FEWEST = 16  # scored photos; with fewer, chance decides


def nothing_to_rank(scores: np.ndarray) -> str | None:
    """Why n scores have no rank correlation with anything, in words; None where they have one."""
    if len(scores) < 2:
        return "one photo" if len(scores) else "no photo"
    if (scores == scores[0]).all():
        return f"{len(scores)} photos that all have the score {scores[0]:g}"
    return None


def check_opinions(mos_set: MosSet, held_out: np.ndarray, within_a_source: bool = False) -> None:
    """Refuse scores that teach nothing, and warn where they are few or none are left to validate by.

    Args:
        mos_set: n photos.
        held_out: bool n, the photos that validate.
        within_a_source: two scores must differ within one source.

    Raises:
        MosSetError: the photos to train on are fewer than two, or have one score.
    """
    learnt, judged = mos_set.take(~held_out), mos_set.take(held_out)
    where = f"the MOS set {mos_set.name}"
    if reason := nothing_to_rank(learnt.mos):
        raise MosSetError(f"{where} leaves {reason} to train on, which teach nothing; give photos whose scores differ")
    sources = [learnt.mos[learnt.sources == name] for name in np.unique(learnt.sources)]
    if within_a_source and all(nothing_to_rank(scores) for scores in sources):
        raise MosSetError(f"{where} has no source with two different scores to train on; give photos that have them")
    if len(mos_set) < FEWEST:
        warn(f"{where} has {len(mos_set)} scored photos; what is learnt from fewer than {FEWEST} is chance")
    if reason := nothing_to_rank(judged.mos):
        warn(f"{where} leaves {reason} to validate by, of a tenth by the names' hash: no correlation; give more photos")


def defined(figure: float) -> float | None:
    """The figure; None, which JSON has, for NaN, which it lacks."""
    return None if math.isnan(figure) else figure


def warn(text: str) -> None:
    """A line on standard error, over a progress bar if there is one."""
    tqdm.write(one_line(f"warning: {text}"), file=sys.stderr)
