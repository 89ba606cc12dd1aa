"""Heads that learn of further photos and of ladders: each row learns what its name says, and nothing that ranks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from eager_trunk import EagerTrunk
from small_trunk_run import small_trunk_run

from distill.data.degraded_photos import pristine_photos, severity_ladders
from distill.data.mos_sets import read_biq2021, split_by_hash
from distill.experiments import figures, ranked_photos
from distill.experiments import further_labels as module
from distill.experiments.further_labels import FurtherLabelsConfig, measure_further_labels
from distill.heads.hidden_units import HiddenUnitsConfig
from distill.networks.student import INPUT_SPEC, Linear
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.labels import write_labels
from distill.training.run_folder import RunError

SHARE = 0.4


def test_a_row_learns_what_its_name_says_and_no_held_out_photo_or_copy(
    tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    biq, pristine, run, outside = small_trunk_run(tmp_path, photos)
    scored, copies = read_biq2021(biq), severity_ladders(pristine_photos([pristine]), 1, 0)
    others = sorted(outside[0].iterdir())[:8]
    labels = [(path, 0.9) for path in scored.paths] + [(path, 0.6) for path in others]
    write_labels(tmp_path / "labels.csv", [*labels, *((copy, 0.3) for copy in copies)])
    taught = []
    fit = module.fit_hidden_units

    def few_steps(seen: ScoredFeatures, ladders: LadderFeatures, how: HiddenUnitsConfig, seed: int) -> Linear:
        taught.append((round(float(seen.mos[0]), 2), seen.sources.tolist(), len(ladders.features), how.ranking, seed))
        return fit(seen, ladders, replace(how, steps=5, batch=16), seed)

    monkeypatch.setattr(module, "fit_hidden_units", few_steps)
    monkeypatch.setattr(module, "FrozenTrunk", EagerTrunk)
    monkeypatch.setattr(module, "INPUT_SPEC", replace(INPUT_SPEC, height=64, width=64))
    for place in (module, ranked_photos):
        monkeypatch.setattr(place, "VALIDATION_SHARE", SHARE)
    monkeypatch.setattr(ranked_photos, "KINDS_PER_PHOTO", 1)
    monkeypatch.setattr(figures, "RESAMPLES", 20)
    table = measure_further_labels(
        FurtherLabelsConfig(biq, [pristine], run, tmp_path / "labels.csv", [outside], seeds=2, cache=tmp_path / "cache")
    )
    teach = int((~split_by_hash(scored.paths, SHARE)).sum())
    learnt = int((~split_by_hash([copy.photo for copy in copies], SHARE)).sum())
    assert 0 < teach < 60 and 0 < learnt < len(copies)
    rows = dict(zip(table.rows, taught[::2]))
    assert [seed for *_, seed in taught] == [0, 1] * len(table.rows)
    assert all(ladders == learnt for _, _, ladders, _, _ in taught)
    for name, (first, sources, _, ranking, _) in rows.items():
        assert sources.count("without scores") == (8 if "nobody" in name or "both" in name else 0)
        assert sources.count("degraded copies") == (learnt if "and ladders" in name or "both" in name else 0)
        assert sum(source.startswith("ss0") for source in sources) == teach
        assert (ranking == 0.8) == ("ranking × 2" in name) and (first == 0.9) == ("people" not in name)
    places = {name: place for place, name in enumerate(table.columns)}
    alone = table.rows["scored photos alone"]
    assert str(alone[places["change"]]) == str(alone[places["change outside"]]) == "+0.000 ± 0.000"
    assert f"8 photos that nobody scored, {learnt} labelled copies" in table.note


def test_labels_of_scored_photos_alone_are_refused_with_the_flags_that_they_lack(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    biq, pristine, run, _ = small_trunk_run(tmp_path, photos)
    write_labels(tmp_path / "labels.csv", [(path, 0.9) for path in read_biq2021(biq).paths])
    with pytest.raises(RunError, match="of 60 photos, 60 of them scored, and of 0 copies; write it with --photos and"):
        measure_further_labels(FurtherLabelsConfig(biq, [pristine], run, tmp_path / "labels.csv"))
