"""The model card says what the student learnt from."""

from __future__ import annotations

import json

import small_student
from pocketiqa.bundle import Bundle
from pocketiqa.gate import Gate, Threshold

from distill.networks.student import Student
from mobile_export.bundle.model_card import hub_config, model_card

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
    assert "- **Trained on**: not recorded." in text and "\n---\n# pocketiqa small 1\n" in text
    assert text.rstrip().endswith("Licence of the weights and of this bundle: not recorded.")


def test_a_hub_reads_the_licence_and_the_runtimes_from_the_cards_first_lines() -> None:
    text = model_card(
        Student(pretrained=False), "0.1.0", PLAIN | {"licence": "Apache-2.0"}, {}, [], [], ["onnx", "xnnpack"]
    )
    assert text.splitlines()[:5] == [
        "---",
        "license: apache-2.0",
        "library_name: pocketiqa",
        "tags: [image-quality-assessment, no-reference, on-device, onnx, xnnpack]",
        "---",
    ]
    assert "license: unknown" in card({}) and "on-device]" in card({})


def test_the_card_says_what_the_default_gate_needs() -> None:
    gate = Gate((Threshold("score", 0.327, "poor quality"),))
    text = model_card(Student(pretrained=False), "0.1.0", PLAIN, {}, [], [], [], gate)
    assert "- **Gate** (`gate.json`): score needs 0.327, else poor quality." in text and "**Gate**" not in card(PLAIN)


def test_the_hubs_config_is_what_the_manifest_says() -> None:
    manifest = Bundle.open().manifest
    config = json.loads(hub_config(manifest))
    assert config["programs"] == {name: variant.path for name, variant in manifest.variants.items()}
    assert config["input"] == manifest.input.to_dict() and config["model_type"] == "pocketiqa"
