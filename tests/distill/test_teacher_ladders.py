"""The teacher's ladders: what a row is fitted to, and that no held-out copy or left-out source teaches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_trunk_run import small_trunk_run

from distill.data.degraded_photos import pristine_photos, severity_ladders
from distill.data.mos_sets import split_by_hash
from distill.experiments import figures, ranked_photos
from distill.experiments import teacher_ladders as module
from distill.experiments.teacher_ladders import TeacherLaddersConfig, measure_teacher_ladders
from distill.networks.student import INPUT_SPEC

SHARE = 0.4


class Pixels:
    """In CLIP's place, and in the frozen trunk's: 64 of a photo's pixels."""

    input, fingerprint = INPUT_SPEC, "pixels"

    def __call__(self, views: np.ndarray) -> np.ndarray:
        return views[:, :, ::80, ::80].reshape(-1)[:64]


def test_a_row_is_fitted_to_what_its_name_says(
    tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    biq, pristine, _, outside = small_trunk_run(tmp_path, photos)
    copies = severity_ladders(pristine_photos([pristine]), 1, 0)
    learnt = int((~split_by_hash([copy.photo for copy in copies], SHARE)).sum())
    assert 0 < learnt < len(copies)
    fits, loaded, fit = [], [], module.ridge_weights

    def noted(kernel: torch.Tensor, scores: torch.Tensor, pairs: torch.Tensor, *how: float) -> torch.Tensor:
        fits.append((len(kernel) - len(scores), len(scores), len(pairs), float(kernel[0, 0]) - 1))
        assert not len(pairs) or pairs.min() >= len(scores), "a pair is of two copies"
        return fit(kernel, scores, pairs, *how)

    monkeypatch.setattr(module, "ridge_weights", noted)
    monkeypatch.setattr(module, "Int8ClipFeatures", Pixels)
    monkeypatch.setattr(module, "FrozenTrunk", lambda *_: Pixels())
    monkeypatch.setattr(module, "StudentFeatures", lambda student: student)
    monkeypatch.setattr(module, "load_student", lambda path: loaded.append(path))
    monkeypatch.setattr(figures, "RESAMPLES", 20)
    monkeypatch.setattr(ranked_photos, "VALIDATION_SHARE", SHARE)
    monkeypatch.setattr(ranked_photos, "KINDS_PER_PHOTO", 1)
    config = TeacherLaddersConfig(biq, [pristine], [outside], Path("taught"), cache=tmp_path / "cache")
    table = measure_teacher_ladders(config)
    assert loaded == [Path("taught")], "one trunk is loaded, once"
    assert len(fits) == 4 * len(table.rows)
    for number, name in enumerate(table.rows):
        own = fits[4 * number : 4 * number + 4]
        assert [photos for _, photos, *_ in own] == [40, 40, 40, 60], "each source is left out once"
        assert all(copies == learnt for copies, *_ in own)
        assert all((pairs > 0) == ("alone" not in name) for _, _, pairs, *_ in own)
        shared = float(name.split()[-1]) if "vary" in name else 0
        assert all(above == pytest.approx(shared, abs=1e-5) for *_, above in own)
    cells = {row: dict(zip(table.columns, values)) for row, values in table.rows.items()}
    assert str(cells["photos alone"]["change"]) == str(cells["photos alone"]["change outside"]) == "+0.000 ± 0.000"
    # The trunk's features are CLIP's here, so beside them they change nothing.
    assert cells["and ladders, the frozen trunk too"]["mean out"] == cells["and ladders"]["mean out"]
    assert cells["and ladders"]["degraded"] < cells["photos alone"]["degraded"]
    few = measure_teacher_ladders(replace(config, trunk=None)).rows
    assert set(few) == {name for name in table.rows if "taught" not in name}
    chosen = measure_teacher_ladders(replace(config, rows=["0.0018"])).rows
    assert list(chosen) == ["photos alone", "the taught trunk, sources' means vary by 0.0018"]
