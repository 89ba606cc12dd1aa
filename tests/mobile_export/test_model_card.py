"""The model card says what the student learnt from."""

from __future__ import annotations

import small_student

from distill.networks.student import Student
from mobile_export.bundle.model_card import model_card

PLAIN = {
    "trunk": "a trunk, frozen",
    "command": "python -m distill student",
    "seed": 0,
    "data": {"photos": 90, "mos_set": "own", "sha256": "ab" * 32, "rungs": 55, "pristine_photos": 5},
    "validation": {"n": 10, "srcc": 0.8, "plcc": 0.7, "srcc_within_source": {"a": 0.6, "b": 0.5}},
}


def card(training: dict[str, object]) -> str:
    return model_card(Student(pretrained=False), "0.1.0", training, {}, [], [])


def test_a_distilled_student_names_its_teacher_and_another_names_none() -> None:
    told = {
        "distillation": {"told": 0.5, "teacher": {"model": "packaged", "sha256": "cd" * 32}},
        "validation": PLAIN["validation"] | {"srcc_to_teacher": 0.97},
    }
    assert "from the packaged teacher: 0.5 of" in card(PLAIN | told) and "photos 0.97" in card(PLAIN | told)
    assert "teacher" not in card(PLAIN)


def test_every_point_of_the_list_begins_a_line_of_its_own() -> None:
    points = [line.split("**")[1] for line in card(PLAIN).splitlines() if line.startswith("- **")]
    assert points == ["Network", "Input", "Trained on", "Validation"]


def test_a_student_without_a_record_still_gets_a_card() -> None:
    assert "not recorded" in card({})


def test_a_network_of_a_users_own_gets_no_claim_about_what_it_was_trained_on() -> None:
    text = model_card(small_student.small_student(), "1", {}, {}, [], [])
    for claim in ("BIQ2021", "lite0", "EfficientNet", "web photographs", "Apache", "degradations"):
        assert claim not in text, claim
    assert "- **Trained on**: not recorded." in text and text.startswith("# pocketiqa small 1")
    assert text.rstrip().endswith("Licence of the weights and of this bundle: not recorded.")
