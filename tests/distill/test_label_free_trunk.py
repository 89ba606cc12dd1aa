"""A trunk that CLIP taught: no score reaches it, and heads are fitted without what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from eager_trunk import EagerTrunk
from safetensors.torch import load_file
from small_trunk_run import small_trunk_run

from distill.experiments import figures, photo_kinds, ranked_photos
from distill.experiments import label_free_trunk as module
from distill.experiments.label_free_trunk import LabelFreeTrunkConfig, measure_label_free_trunk
from distill.experiments.table import Table
from distill.heads.hidden_units import HiddenUnitsConfig
from distill.networks.student import INPUT_SPEC, Linear, Student
from distill.stages import prepare_lesson
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.trainer import TrainerConfig

SHARE = 0.4


class Pixels:
    """In CLIP's place: 64 of a photo's pixels."""

    input, fingerprint = replace(INPUT_SPEC, height=64, width=64), "pixels"

    def __call__(self, views: np.ndarray) -> np.ndarray:
        return views[:, :, ::16, ::16].reshape(-1)[:64]


@pytest.fixture
def measured(
    tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> tuple[Table, list[int], Path]:
    biq, pristine, _, outside = small_trunk_run(tmp_path, photos)
    fits, fit = [], module.fit_hidden_units

    def few_steps(seen: ScoredFeatures, ladders: LadderFeatures, how: HiddenUnitsConfig, seed: int) -> Linear:
        fits.append(len(seen.mos))
        return fit(seen, ladders, replace(how, steps=5, batch=16), seed)

    monkeypatch.setattr(module, "fit_hidden_units", few_steps)
    monkeypatch.setattr(module, "FrozenTrunk", EagerTrunk)
    monkeypatch.setattr(module, "Int8ClipFeatures", Pixels)
    monkeypatch.setattr(module, "INPUT_SPEC", replace(INPUT_SPEC, height=64, width=64))
    monkeypatch.setattr(photo_kinds, "_KINDS", 2)
    monkeypatch.setattr(figures, "RESAMPLES", 20)
    monkeypatch.setattr(ranked_photos, "KINDS_PER_PHOTO", 1)
    for place in (ranked_photos, prepare_lesson):
        monkeypatch.setattr(place, "VALIDATION_SHARE", SHARE)
    steps = TrainerConfig(steps=2, batch=4, rate=1e-3, every=2)
    places = {"run": tmp_path / "taught", "cache": tmp_path / "cache"}
    config = LabelFreeTrunkConfig(biq, [pristine], [outside], components=4, window=32, steps=steps, seeds=2, **places)
    table = measure_label_free_trunk(config)
    return table, fits, config.run


def test_the_trunk_learns_behind_its_frozen_stages_and_the_heads_do_not_reach_it(
    measured: tuple[Table, list[int], Path],
) -> None:
    _, _, run = measured
    torch.manual_seed(0)
    before, after = Student().state_dict(), load_file(run / "trunk.safetensors")
    moved = {name for name in before if name.startswith("trunk") and not torch.equal(before[name], after[name])}
    assert moved and all(name.startswith(tuple(f"trunk.stages.{stage}" for stage in (3, 4, 5, 6))) for name in moved)
    losses = {line.split(",")[1] for line in (run / "metrics.csv").read_text().splitlines()[1:]}
    assert {"loss", "features"} <= losses and not losses & {"opinions", "score", "ranking", "pairs"}


def test_each_head_is_fitted_without_what_it_ranks(measured: tuple[Table, list[int], Path]) -> None:
    table, fits, _ = measured
    sources, kinds, held_in = fits[:3], fits[3:5], fits[5]
    assert sources == [40, 40, 40] and sum(kinds) == 60 and 20 < held_in < 60
    assert fits[6:] == fits[:6] * 3, "both trunks are judged alike, each by the fits of two seeds"
    cells = dict(zip(table.columns, table.rows["as it came"]))
    for name in ("change out", "change kinds", "change outside"):
        assert str(cells[name]) == "+0.000 ± 0.000"
    assert "8 windows" in table.note and "over 2 fits" in table.note
