"""The Swift files resize photos themselves: their input against Pillow's. The Kotlin module's is Pillow's to the bit,
which its tests prove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pocketiqa.photo import open_photo
from pocketiqa.preprocess import PreprocessSpec, preprocess
from pocketiqa.promises import INPUT_LEVELS_MAX, INPUT_LEVELS_MEAN

from mobile_export.integration.resampling import app_input
from mobile_export.integration.swift import refusal
from mobile_export.verify.ladder import ParityCheck, ParityLadder


def check_app_input(ladder: ParityLadder, spec: PreprocessSpec, photos: Sequence[Path], notes: list[str]) -> None:
    """Compare the two, in levels of 255, over some photos; where there are no Swift files, say so.

    Raises:
        BrokenParityCheck: they differ by more than ``INPUT_LEVELS_MAX`` or, on average, ``INPUT_LEVELS_MEAN``.
    """
    if why := refusal(spec):
        notes.append(f"The Swift files were left out: {why}.")
        return
    gaps = [255 * np.abs(app_input(open_photo(path), spec) - preprocess(path, spec)) for path in photos]
    largest = max(float(gap.max()) for gap in gaps)
    mean = float(np.mean([gap.mean() for gap in gaps]))
    ladder.add(
        ParityCheck(
            reference="Pillow's input",
            candidate="the apps' input (numpy)",
            inputs="pixel levels",
            n=len(gaps),
            max_abs=largest,
            mean_abs=mean,
            srcc=None,
            bound=f"max |Δ| ≤ {INPUT_LEVELS_MAX:g}, mean |Δ| ≤ {INPUT_LEVELS_MEAN:g}",
            holds=largest <= INPUT_LEVELS_MAX and mean <= INPUT_LEVELS_MEAN,
        )
    )
