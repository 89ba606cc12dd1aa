"""The training loop: learns, and is the same on two processes as on one. What breaks it: ``test_training_faults``."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trained_line import trained

ROOT = Path(__file__).parents[2]
SCRIPT = str(Path(__file__).parent / "trained_line.py")
STEPS = 28


def run_script(launcher: list[str], *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([*launcher, SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)


def metrics(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").open()))


def test_training_learns_and_leaves_metrics_curves_and_a_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path, STEPS, dropout=0.0)
    errors = [float(row["value"]) for row in metrics(tmp_path) if row["name"] == "held-out error"]
    assert errors[-1] < errors[0] / 2
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "checkpoint.pt").is_file() and not list(tmp_path.glob("*partial*"))


def test_a_finished_run_started_again_changes_nothing(tmp_path: Path) -> None:
    first, before = trained(tmp_path, 7), (tmp_path / "metrics.csv").read_text()
    again = trained(tmp_path, 7)
    assert torch.equal(first.layer.weight, again.layer.weight)
    assert (tmp_path / "metrics.csv").read_text() == before


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_the_same_batches(tmp_path: Path) -> None:
    one = trained(tmp_path / "one", STEPS, dropout=0.0)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = run_script(launcher, str(tmp_path / "two"), str(STEPS), "0.0")
    assert done.returncode == 0, done.stderr[-2000:]
    second = torch.load(tmp_path / "two" / "second.pt")
    assert torch.allclose(second["weight"], one.layer.weight, atol=1e-4)
    saved = torch.load(tmp_path / "two" / "checkpoint.pt")
    assert len(saved["random"]) == 2
    assert torch.allclose(saved["average"]["layer.weight"], second["weight"], atol=1e-6)


def test_another_configuration_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, 4)
    with pytest.raises(ValueError, match="steps differ"):
        trained(tmp_path, 8)
