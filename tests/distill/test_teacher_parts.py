"""A teacher's parts: what each row reads, and what the rest adds to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from distill.data.mos_sets import MosSet
from distill.experiments import teacher_parts as module
from distill.experiments.teacher_parts import WHOLE, TeacherPartsConfig, measure_teacher_parts, parts


def test_views_and_blocks_each_divide_all_columns() -> None:
    everything = parts()
    whole, detail, last, middle = (everything[name].tolist() for name in list(everything)[1:])
    assert everything[WHOLE].tolist() == sorted(whole + detail) == sorted(last + middle)
    # Three vectors of 768 for a block, four blocks for a view.
    assert len(whole) == len(detail) == 4 * 3 * 768 and len(last) == 2 * 3 * 768
    assert set(last) & set(whole) == set(range(9 * 768, 12 * 768))


def test_what_a_part_lacks_is_the_effect_of_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    features = torch.from_numpy(random.normal(size=(150, 2 * 3072)).astype(np.float32))
    features[:, 3072:] += torch.linspace(-3, 3, 150)[torch.randperm(150, generator=torch.Generator().manual_seed(0))][
        :, None
    ]
    mos = torch.sigmoid(features[:, 3072:].mean(1)).double().numpy()
    known = MosSet("biq2021", [tmp_path] * 150, mos, np.array(["a", "b", "c"] * 50))
    halves = {WHOLE: np.arange(6144), "nothing": np.arange(3072), "all that matters": np.arange(3072, 6144)}
    monkeypatch.setattr(module, "read_biq2021", lambda folder: known)
    monkeypatch.setattr(module, "packaged_features", lambda name: None)
    monkeypatch.setattr(module, "features_of_photos", lambda paths, *_: features[: len(paths)])
    monkeypatch.setattr(module, "read_scored_photos", lambda *_, scale: known.take(np.arange(150) < 60))
    monkeypatch.setattr(module, "parts", lambda: halves)
    table = measure_teacher_parts(TeacherPartsConfig(tmp_path, [(tmp_path, Path("other.csv"))]))
    assert table.columns == ["out a", "out b", "out c", "effect", "other", "effect outside"]
    assert table.rows[WHOLE][3] is None and table.rows[WHOLE][5] is None
    gain, nothing = table.rows["nothing"][3], table.rows["all that matters"][3]
    assert gain.value > gain.half > 0 and abs(nothing.value) < 0.05
    alone = measure_teacher_parts(TeacherPartsConfig(tmp_path))
    assert alone.rows["nothing"][:4] == table.rows["nothing"][:4] and alone.rows["nothing"][4:] == [None]
