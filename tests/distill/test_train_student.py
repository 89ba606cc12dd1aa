"""Training end to end on a handful of real photos: weights, record, resumable cache, clear errors."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from eager_trunk import EagerTrunk
from PIL import Image

from distill import __main__
from distill.data.mos_sets import MosSetError
from distill.networks.student import SHIPPED_STUDENT, load_student
from distill.stages.train_student import StudentConfig, train_student


@pytest.fixture(autouse=True)
def without_lowering(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trunk's program equals the trunk (``test_frozen_trunk.py``) and takes eight seconds to build."""
    for module in ("distill.stages.train_student", "distill.teacher.packaged_features"):
        monkeypatch.setattr(f"{module}.FrozenTrunk", EagerTrunk)


@pytest.fixture
def data(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    (tmp_path / "mos" / "Images").mkdir(parents=True)
    (tmp_path / "pristine").mkdir()
    rows = ["Image Name,MOS"]
    for number in range(60):
        photo = list(photos.values())[number % 6]
        small = Image.fromarray(photo[number : number + 96, number : number + 128])
        name = f"ss0{number % 3 + 1} ({number}).jpg"
        small.save(tmp_path / "mos" / "Images" / name, quality=5 + number)
        rows.append(f"{name},{0.2 + number / 100}")
    (tmp_path / "mos" / "Train (Images and MOS).csv").write_text("\n".join(rows))
    for name in ("coffee", "chelsea"):
        Image.fromarray(photos[name][:128, :160]).save(tmp_path / "pristine" / f"{name}.png")
    return tmp_path


@pytest.mark.slow
def test_a_few_photos_train_a_student_with_its_record_and_the_second_run_gives_the_same(data: Path) -> None:
    def config(out: str) -> StudentConfig:
        return StudentConfig(data / "mos", [data / "pristine"], out=data / out, cache=data / "cache")

    record = train_student(config("first.safetensors"))
    train_student(config("second.safetensors"))
    assert json.loads((data / "first.json").read_text()) == record
    assert record["data"]["pristine_photos"] == 2 and record["validation"]["n"] > 0
    load_student(data / "first.safetensors")
    assert (data / "first.safetensors").read_bytes() == (data / "second.safetensors").read_bytes()


@pytest.mark.slow
def test_the_smoke_preset_trains_a_teacher_and_distils_it_into_a_whole_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = SHIPPED_STUDENT.stat().st_mtime_ns
    monkeypatch.setattr(sys, "argv", ["distill", "student", "--preset", "smoke", "--run", str(tmp_path)])
    assert __main__.main() == 0
    record = json.loads((tmp_path / "student.json").read_text())
    metrics = (tmp_path / "distillation" / "metrics.csv").read_text()
    assert all(term in metrics for term in ("embedding", "grades", "ranking", "kinds", "keep_features"))
    assert record["distillation"]["loss"]["kinds"] > 0
    assert len(record["distillation"]["teacher"]["sha256"]) == 64 and "srcc_to_teacher" in record["validation"]
    student = load_student(tmp_path / "student.safetensors")
    assert set(student.state_dict()) == set(load_student(SHIPPED_STUDENT).state_dict())  # nothing auxiliary is left
    assert SHIPPED_STUDENT.stat().st_mtime_ns == shipped


def test_a_run_without_photos_says_which_options_to_give(tmp_path: Path) -> None:
    with pytest.raises(MosSetError, match="--mos-folder"):
        train_student(StudentConfig(run=tmp_path))


def test_a_missing_data_set_leaves_the_shipped_student_alone(tmp_path: Path) -> None:
    before = SHIPPED_STUDENT.stat().st_mtime_ns
    with pytest.raises(MosSetError):
        train_student(StudentConfig(tmp_path, [tmp_path]))
    assert SHIPPED_STUDENT.stat().st_mtime_ns == before


def test_the_command_answers_a_missing_folder_with_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--mos-folder", str(tmp_path), "--pristine", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["distill", "student", *flags])
    assert __main__.main() == 2
    told = capsys.readouterr().err
    assert "nisarahmedrana/BIQ2021" in told and "Traceback" not in told and len(told.strip().splitlines()) == 1
