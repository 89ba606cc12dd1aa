"""A teacher's parts: what each row reads, and what the rest adds to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from distill.data.mos_sets import MosSet
from distill.experiments import ranked_photos
from distill.experiments import teacher_parts as module
from distill.experiments.teacher_parts import WHOLE, TeacherPartsConfig, measure_teacher_parts, pieces, rows


def test_views_and_blocks_each_divide_all_columns() -> None:
    columns = {name: np.concatenate([pieces()[piece] for piece in read]) for name, read in rows().items()}
    whole, detail, last, middle = (sorted(columns[name]) for name in list(columns)[1:])
    assert sorted(columns[WHOLE]) == sorted(whole + detail) == sorted(last + middle) == list(range(18432))
    # Three vectors of 768 for a block, four blocks for a view.
    assert len(whole) == len(detail) == 4 * 3 * 768 and len(last) == 2 * 3 * 768
    assert sorted(set(last) & set(whole)) == list(range(9 * 768, 12 * 768))


def test_what_a_part_lacks_is_the_effect_of_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    features = torch.randn(150, 16, generator=torch.Generator().manual_seed(0))
    features[:, 8:] += 2 * features[:, 8:9]
    mos = torch.sigmoid(features[:, 8:].mean(1)).double().numpy()
    monkeypatch.setattr("distill.experiments.figures.RESAMPLES", 50)
    known = MosSet("biq2021", [tmp_path] * 150, mos, np.array(["a", "b", "c"] * 50))
    halves = {("one", "all"): np.arange(8), ("other", "all"): np.arange(8, 16)}
    monkeypatch.setattr(module, "read_biq2021", lambda folder: known)
    monkeypatch.setattr(module, "Int8ClipFeatures", lambda: None)
    monkeypatch.setattr(module, "features_of_photos", lambda paths, *_: features[: len(paths)])
    monkeypatch.setattr(ranked_photos, "read_scored_photos", lambda *_, scale: known.take(np.arange(150) < 60))
    monkeypatch.setattr(module, "pieces", lambda: halves)
    reads = {WHOLE: list(halves), "noise": list(halves)[:1], "all that matters": list(halves)[1:]}
    monkeypatch.setattr(module, "rows", lambda: reads)
    table = measure_teacher_parts(TeacherPartsConfig(tmp_path, [(tmp_path, Path("other.csv"))]))
    assert table.columns == ["out a", "out b", "out c", "effect", "other", "effect outside"]
    assert table.rows[WHOLE][3] is None and table.rows[WHOLE][5] is None
    gain, loss = table.rows["noise"][3], table.rows["all that matters"][3]
    assert gain.value > gain.half > 0 and abs(loss.value) < 0.1
    alone = measure_teacher_parts(TeacherPartsConfig(tmp_path))
    assert alone.columns == ["out a", "out b", "out c", "effect"]
    assert [row for row in alone.rows.values()] == [row[:4] for row in table.rows.values()]
