"""The experiment on a tower that learns opinions: every row ranks a source that nothing of it saw."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_towers import tiny_towers

from distill.experiments import tuned_tower as module
from distill.experiments.tuned_tower import TunedTowerConfig, measure_tuned_tower
from distill.stages.tune_tower import TowerConfig
from distill.teacher.any_resolution import accept_any_resolution
from distill.teacher.clip_features import BlockStatistics


def test_each_source_is_ranked_by_the_tower_as_it_came_and_by_one_that_learned(
    tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Images").mkdir()
    rows = ["Image Name,MOS"]
    for number in range(24):
        photo = list(photos.values())[number % 6]
        name = f"ss0{number % 3 + 1} ({number}).jpg"
        Image.fromarray(photo[number : number + 96, number : number + 128]).save(tmp_path / "Images" / name)
        rows.append(f"{name},{0.2 + number / 40}")
    (tmp_path / "Train (Images and MOS).csv").write_text("\n".join(rows))
    visual = tiny_towers("vit").model.visual
    accept_any_resolution(visual)
    monkeypatch.setattr(module, "clip_trunk", lambda: BlockStatistics(copy.deepcopy(visual), blocks=(1,)))
    tower = TowerConfig(rank=2)
    config = TunedTowerConfig(
        tmp_path,
        run=tmp_path / "run",
        epochs=0.5,
        workers=0,
        tower=replace(tower, steps=replace(tower.steps, batch=4, rate=0.05, average=0.0)),
    )
    table = measure_tuned_tower(config)
    assert table.columns == ["out ss01", "out ss02", "out ss03", "mean"]
    assert len(table.rows) == 6
    linear, tuned = (
        [cell.value for cell in table.rows[name][:3]] for name in ("as it came, linear", "tuned, share 1")
    )
    assert linear != tuned
    for cells in table.rows.values():
        assert cells[3] == pytest.approx(np.mean([cell.value for cell in cells[:3]]))
