"""A gate's decisions, its reasons and its file; the cases that every app's gate must decide alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketiqa.errors import BundleError, PocketiqaError
from pocketiqa.gate import STEPS, Fit, Gate, Threshold, words_for
from pocketiqa.scorer import Result

CASES = Path(__file__).parents[2] / "mobile_export" / "integration" / "gate_cases.json"
FIT = Fit(0.02, 0.95, 0.0198, 594, 6, 65, 41, "counted", "lite0-0.1.0 int8", "0" * 64, "photos", "2026-11-27")
thousandths = st.integers(0, STEPS).map(lambda step: step / STEPS)
values = st.floats(0, 1, width=32)


def result(score: float | None, error: str | None = None, **attributes: float) -> Result:
    return Result("photo.jpg", score, attributes, None, "none", error)


@pytest.mark.parametrize("group", json.loads(CASES.read_text()), ids=lambda group: group["what"])
def test_the_cases_that_every_app_decides_alike(group: dict) -> None:
    gate = Gate.from_json(json.dumps(group["gate"]).encode())
    for case in group["cases"]:
        score, *attributes = (float(np.float32(value)) for value in case["values"].values())
        decision = gate.decide(result(score, **dict(zip(list(case["values"])[1:], attributes))))
        assert decision.accepted == case["accepted"], case
        assert [str(reason) for reason in decision.reasons] == case["reasons"], case


@given(values, thousandths)
def test_a_photo_is_refused_exactly_when_its_value_is_under_the_threshold(value: float, least: float) -> None:
    decision = Gate((Threshold("score", least, "poor"),)).decide(result(value))
    assert decision.accepted == (value >= least) == (not decision.reasons)


@given(values, thousandths)
def test_the_value_that_a_reason_shows_is_under_the_one_that_is_needed(value: float, least: float) -> None:
    for reason in Gate((Threshold("score", least, "poor"),)).decide(result(value)).reasons:
        shown, needed = str(reason).removeprefix("poor: score ").split(", needs ")
        assert float(shown) < float(needed) == least and 0 <= value - float(shown) < 1 / STEPS + 1e-9


def test_hints_refuse_nothing_and_explain_what_is_refused() -> None:
    gate = Gate((Threshold("score", 0.3, "poor quality"),), (Threshold("sharpness", 0.7, "too blurred"),))
    assert gate.decide(result(0.3, sharpness=0.1)).reasons == ()
    reasons = gate.decide(result(0.2, sharpness=0.1)).reasons
    assert [str(reason) for reason in reasons] == [
        "poor quality: score 0.200, needs 0.300",
        "too blurred: sharpness 0.100, good photos have 0.700",
    ]


def test_a_photo_that_could_not_be_scored_is_no_case_for_a_gate() -> None:
    with pytest.raises(PocketiqaError, match=r"photo\.jpg: it is empty"):
        Gate(()).decide(result(None, "it is empty"))


def test_a_gate_for_values_that_the_network_does_not_give_is_refused() -> None:
    gate = Gate((Threshold("sharpness", 0.3, "too blurred"),))
    with pytest.raises(PocketiqaError, match="asks for 'sharpness', and this bundle gives score, noise"):
        gate.decide(result(0.5, noise=0.5))


@given(st.dictionaries(st.sampled_from(["score", "sharpness", "blur"]), thousandths), st.sampled_from([None, FIT]))
def test_a_gate_is_read_back_as_it_was_written(least: dict[str, float], fit: Fit | None) -> None:
    thresholds = tuple(Threshold(name, value, words_for(name)) for name, value in least.items())
    gate = Gate(thresholds, thresholds[:1], fit)
    assert Gate.from_json(json.dumps(gate.to_dict()).encode()) == gate


def test_a_gates_file_is_written_and_says_what_it_promises(tmp_path: Path) -> None:
    gate = Gate((Threshold("score", 0.327, "poor quality"),), (), FIT)
    gate.write(tmp_path / "gate.json")
    assert Gate.read(tmp_path / "gate.json") == gate
    assert "at most 2.00% of good photos are refused, with confidence 0.95: 6 of 594 were (bound 1.98%)" in str(gate)


def test_a_person_may_write_a_gate_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"schema_version": 1, "thresholds": [{"measure": "blur", "least": 0.5}]}')
    assert Gate.read(tmp_path / "mine.json") == Gate((Threshold("blur", 0.5, "blur too low"),))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "reads 1"),
        ({"thresholds": None}, "'thresholds' of type NoneType"),
        ({"thresholds": [{"measure": "score"}]}, r"thresholds\[0\] lacks 'least'"),
        ({"thresholds": [{"measure": "score", "least": 1.5}]}, "number in"),
        ({"thresholds": [{"measure": "score", "least": True}]}, "must be a number"),
        ({"thresholds": [{"measure": "score", "least": 0.1234}]}, "three decimals"),
        ({"thresholds": [{"measure": "a b", "least": 0.1}]}, "letters, digits"),
        ({"thresholds": [{"measure": "score", "least": 0.1}] * 2}, "one measure twice"),
        ({"hints": [7]}, r"hints\[0\] is int"),
        ({"fit": {}}, "fit lacks"),
        ({"fit": {**vars(FIT), "good": -1}}, "good"),
        ({"fit": {**vars(FIT), "bad_refused": 66}}, "bad_refused"),
    ],
)
def test_a_wrong_field_of_a_gates_file_is_one_line_that_names_it(change: dict, said: str) -> None:
    encoded = json.dumps({"schema_version": 1, "thresholds": [], **change}).encode()
    with pytest.raises(BundleError, match=said) as raised:
        Gate.from_json(encoded, "gate.json")
    assert str(raised.value).startswith("gate.json") and "\n" not in str(raised.value)


def test_words_of_a_strangers_gate_stay_on_one_line() -> None:
    entry = {"measure": "score", "least": 0.5, "words": "one\ntwo\x1b[31m"}
    gate = Gate.from_json(json.dumps({"schema_version": 1, "thresholds": [entry]}).encode())
    assert str(gate.decide(result(0.1)).reasons[0]) == "one two?[31m: score 0.100, needs 0.500"


def test_no_bad_photos_leave_their_sentence_out() -> None:
    assert len(replace(FIT, bad=0, bad_refused=0).sentences()) == len(FIT.sentences()) - 1
