"""The student network: its signature, its budget, its map, its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pocketiqa.preprocess import preprocess
from torch.utils.flop_counter import FlopCounterMode

from distill.networks.student import HIDDEN_UNITS, INPUT_SPEC, OUTPUTS, SHIPPED_STUDENT, WIDTH, Student, load_student
from distill.networks.tensors import save_tensors


@pytest.fixture(scope="module")
def student() -> Student:
    return load_student(SHIPPED_STUDENT)


def score(student: Student, photo: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return student(torch.from_numpy(preprocess(photo, INPUT_SPEC)))[0][0].numpy()


def test_the_student_keeps_its_budget(student: Student) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        student(torch.rand(INPUT_SPEC.shape))
    assert counter.get_total_flops() / 2 <= 1.6e9
    assert sum(parameter.numel() for parameter in student.parameters()) <= 5e6


def test_outputs_and_map_lie_in_the_unit_interval(student: Student, photos: dict[str, np.ndarray]) -> None:
    for photo in photos.values():
        with torch.no_grad():
            quality, quality_map = student(torch.from_numpy(preprocess(photo, INPUT_SPEC)))
        assert quality.shape == (1, len(OUTPUTS)) and quality_map.shape == (1, 10, 10)
        assert all(0 <= value <= 1 for value in [*quality.ravel(), *quality_map.ravel()])


def test_the_maps_logits_average_to_the_scores(student: Student, photos: dict[str, np.ndarray]) -> None:
    with torch.no_grad():
        quality, quality_map = student(torch.from_numpy(preprocess(photos["coffee"], INPUT_SPEC)))
    assert torch.logit(quality_map.double()).mean().item() == pytest.approx(torch.logit(quality[0, 0]).item(), abs=1e-3)


def test_the_heads_are_one_linear_layer_over_pooled_features_and_hidden_units(photos: dict[str, np.ndarray]) -> None:
    student = Student().eval()
    generator = torch.Generator().manual_seed(0)
    rows = len(OUTPUTS) + HIDDEN_UNITS
    weight = torch.randn(rows, 2 * WIDTH, generator=generator) * 0.002
    bias = torch.randn(rows, generator=generator) * 0.1
    student.heads.set_linear(weight, bias)
    views = torch.from_numpy(preprocess(photos["chelsea"], INPUT_SPEC))
    with torch.no_grad():
        logits = student.features(views).reshape(1, -1) @ weight.t() + bias
        hidden = logits[0, len(OUTPUTS) :].clamp_min(0)
        assert 0 < (hidden > 0).sum() < HIDDEN_UNITS
        logits[0, 0] += hidden[: HIDDEN_UNITS // 2].sum() - hidden[HIDDEN_UNITS // 2 :].sum()
        assert torch.allclose(student(views)[0], torch.sigmoid(logits[:, : len(OUTPUTS)]), atol=1e-5)
        assert all(map(torch.equal, student.heads.linear(), (weight, bias)))


def test_a_blurred_photo_scores_below_the_sharp_one(student: Student, photos: dict[str, np.ndarray]) -> None:
    from PIL import Image, ImageFilter

    sharpness = OUTPUTS.index("sharpness")
    for photo in photos.values():
        blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(4)))
        sharp_scores, blurred_scores = score(student, photo), score(student, blurred)
        assert blurred_scores[0] < sharp_scores[0]
        assert blurred_scores[sharpness] < sharp_scores[sharpness]


def test_weights_survive_the_way_through_a_file(student: Student, tmp_path: Path) -> None:
    save_tensors(student.state_dict(), tmp_path / "copy.safetensors", {})
    copy = load_student(tmp_path / "copy.safetensors").state_dict()
    assert all(torch.equal(tensor, copy[name]) for name, tensor in student.state_dict().items())


def test_a_missing_student_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m distill student"):
        load_student(tmp_path / "none.safetensors")


def test_a_file_of_other_tensors_is_refused(tmp_path: Path) -> None:
    save_tensors(torch.nn.Linear(2, 2).state_dict(), tmp_path / "linear.safetensors", {})
    with pytest.raises(ValueError, match="does not hold this network's weights"):
        load_student(tmp_path / "linear.safetensors")


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(ValueError, match="not a safetensors file"):
        load_student(tmp_path / "text.safetensors")
