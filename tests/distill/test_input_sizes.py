"""Inputs of several sizes: which features a view has, who teaches and who ranks, and how programs are timed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from eager_trunk import EagerTrunk
from pocketiqa.preprocess import PreprocessSpec, preprocess
from small_trunk_run import small_trunk_run
from torch import nn

from distill.experiments import figures, ranked_photos
from distill.experiments import input_sizes as module
from distill.experiments.input_sizes import VIEWS, InputSizesConfig, measure_input_sizes
from distill.experiments.program_times import ratio, timed
from distill.heads.hidden_units import HiddenUnitsConfig
from distill.networks.student import INPUT_SPEC, Linear, StudentFeatures
from distill.training.features import LadderFeatures, ScoredFeatures

SMALL = replace(INPUT_SPEC, height=64, width=64)


class OneSide(EagerTrunk):
    """A trunk whose cache differs by its input, as a lowered program's does."""

    def __init__(self, network: nn.Module, spec: PreprocessSpec) -> None:
        super().__init__(network, spec)
        self.fingerprint = str(spec)


def test_the_columns_of_a_view_are_what_a_program_of_that_view_alone_gives(photos: dict[str, np.ndarray]) -> None:
    features = StudentFeatures()
    both = EagerTrunk(features, SMALL)(preprocess(photos["rocket"], SMALL))
    for view in SMALL.views:
        alone = replace(SMALL, views=(view,))
        np.testing.assert_allclose(
            EagerTrunk(features, alone)(preprocess(photos["rocket"], alone)), both[VIEWS[view]], atol=1e-4
        )
    assert len(both[VIEWS["both"]]) == len(both)


def test_every_input_has_a_row_and_no_held_out_photo_teaches(
    tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _small_line(tmp_path, photos, monkeypatch)
    taught = []
    fit = module.fit_hidden_units

    def few_steps(scored: ScoredFeatures, ladders: LadderFeatures, how: HiddenUnitsConfig, seed: int) -> Linear:
        taught.append((scored.features.shape, ladders.features.shape, float(scored.mos.mean())))
        return fit(scored, ladders, replace(how, steps=20, batch=16), seed)

    monkeypatch.setattr(module, "fit_hidden_units", few_steps)
    table = measure_input_sizes(config)
    assert list(table.rows) == ["both, 64 (shipped)", "whole, 64", "detail, 64", "both, 96", "whole, 96", "detail, 96"]
    assert table.columns[-2:] == ["other", "change outside"]
    places = {name: place for place, name in enumerate(table.columns)}
    shipped = table.rows["both, 64 (shipped)"]
    assert str(shipped[places["change"]]) == str(shipped[places["change outside"]]) == "+0.000 ± 0.000"
    assert shipped[places["time"]].value == 1
    work = [row[places["G MACs"]] for row in table.rows.values()]
    assert work[1] == work[2] == pytest.approx(work[0] / 2) and work[3] == pytest.approx(work[0] * 9 / 4, rel=0.05)
    held_out = int(table.note.split(" are held out")[0].split()[-1])
    (photos_taught, width), (copies, _), mean = taught[0]
    assert (photos_taught, width) == (20, 1568) and taught[1][0][1] == 784 and 0 < held_out < 40
    assert copies < 3 * 11 and mean > 0.85  # the teacher's scores: people's are lower
    assert "outside other 12." in table.note


def test_a_side_that_the_trunk_cannot_halve_is_refused() -> None:
    with pytest.raises(ValueError, match=r"--sides 100: .* multiples of 32"):
        InputSizesConfig(Path(), [], Path(), sides=[320, 100])


def test_what_slows_a_whole_round_changes_no_ratio() -> None:
    shipped = np.linspace(10, 11, 40)
    slow = np.where(np.arange(40) < 30, 1, 3)
    quiet, disturbed = (
        ratio(0.5 * shipped, shipped, 50, seed=0),
        ratio(0.5 * shipped * slow, shipped * slow, 50, seed=0),
    )
    assert disturbed == quiet and quiet.value == pytest.approx(0.5)


def test_programs_take_turns_forwards_and_backwards() -> None:
    turns = []
    specs = [PreprocessSpec(side, side) for side in (1, 2)]
    programs = {spec: lambda views: turns.append(views.shape[-1]) for spec in specs}
    found = timed(programs, rounds=3)
    assert turns == [2, 1, 1, 2] * 3
    assert all(len(each) == 3 and (each > 0).all() for each in found.values())


def _small_line(tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> InputSizesConfig:
    biq, pristine, run, outside = small_trunk_run(tmp_path, photos)
    monkeypatch.setattr(module, "FrozenTrunk", OneSide)
    monkeypatch.setattr(module, "INPUT_SPEC", SMALL)
    monkeypatch.setattr(ranked_photos, "VALIDATION_SHARE", 0.4)
    monkeypatch.setattr(module, "set_threads", lambda *_: None)
    monkeypatch.setattr(figures, "RESAMPLES", 20)
    return InputSizesConfig(
        biq, [pristine], run, [outside], sides=[64, 96], limit=20, rounds=2, cache=tmp_path / "cache"
    )
