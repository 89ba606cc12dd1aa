"""How many layers have to go back to float: the fewest that suffice, in few trials."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.calibration import Inputs
from quantize.control import drop, fewest, trial_photos
from quantize.figures import Figures
from quantize.recipe import TuningPhotos


@pytest.mark.parametrize("enough", range(1, 51))
def test_the_fewest_layers_that_suffice_are_found_in_few_trials(enough: int) -> None:
    tried = []

    def suffices(count: int) -> bool:
        tried.append(count)
        return count >= enough

    assert fewest(suffices, 50) == enough
    assert len(tried) <= 12


def test_all_layers_are_reverted_when_fewer_do_not_suffice() -> None:
    assert fewest(lambda count: False, 7) == 7


@pytest.mark.parametrize("count", [24, 300, 1000])
def test_a_trial_is_judged_on_photos_that_it_did_not_learn_from(count: int) -> None:
    inputs = Inputs(np.zeros((count, 2, 3, 1, 1), dtype=np.uint8))
    learning, trial = trial_photos(TuningPhotos(inputs, np.arange(count, dtype=float)[:, None], inputs.take([0])))
    assert not set(learning.targets[:, 0]) & set(trial.targets[:, 0])
    assert len(learning.inputs) + len(trial.inputs) == count
    assert len(trial.inputs) <= len(learning.inputs)


def test_the_drop_is_the_larger_of_the_two_losses() -> None:
    assert drop(Figures(9, 0.99, 0, 0, 0, 0, 1)) == pytest.approx(0.01)
    assert drop(Figures(9, 0.99, 0, 0, 0, 0, 1, mos_drop=0.02)) == pytest.approx(0.02)
    assert drop(Figures(9, 0.99, 0, 0, 0, 0, 1, mos_drop=-0.02)) == pytest.approx(0.01)
