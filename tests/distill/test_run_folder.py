"""A run's folder: metrics that can be cut back, checkpoints that are whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.training.run_folder import RunError, RunFolder


def test_metrics_after_a_step_are_forgotten_and_the_others_stay_to_the_digit(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, {})
    for step in range(1, 5):
        run.log(step, {"loss": step / 3})
    before = (tmp_path / "metrics.csv").read_text().splitlines()
    run.forget_after(2)
    assert (tmp_path / "metrics.csv").read_text().splitlines() == before[:3]


def test_a_checkpoint_that_could_not_be_written_leaves_the_last_one(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, {})
    run.save_checkpoint({"step": 1, "weights": torch.ones(2)})
    with pytest.raises(Exception, match=r"pickle|local"):
        run.save_checkpoint({"step": 2, "weights": lambda: None})
    assert run.load_checkpoint()["step"] == 1


def test_the_same_configuration_opens_again_and_another_names_what_differs(tmp_path: Path) -> None:
    RunFolder(tmp_path, {"rate": 1e-5, "photos": Path("a")})
    RunFolder(tmp_path, {"rate": 1e-5, "photos": Path("a")})
    with pytest.raises(RunError, match="rate differ"):
        RunFolder(tmp_path, {"rate": 1e-4, "photos": Path("a")})


def test_curves_of_an_empty_run_are_not_drawn(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, {})
    run.draw_curves()
    assert not (tmp_path / "curves.png").exists()
