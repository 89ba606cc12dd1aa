"""Every bound once: what is judged, what a manifest may say, and what the README quotes."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketiqa.errors import BundleError
from pocketiqa.promises import ANY_NETWORK, GOLDEN, LEAST_PHOTOS, SHIPPED, Promise, promises_table

README = Path(__file__).parents[2] / "sdk_python" / "README.md"
NAMES = [field.name for field in fields(Promise)]
bounds = st.one_of(st.none(), st.floats(0, 1))


def test_the_readme_quotes_the_promises() -> None:
    assert promises_table() in README.read_text(encoding="utf-8")


def test_the_table_has_a_row_a_bound_and_is_markdown() -> None:
    lines = promises_table().splitlines()
    assert len(lines) == 2 + len(NAMES) + len(GOLDEN)
    assert {line.replace(r"\|", "").count("|") for line in lines} == {4}
    assert any("≥ 0.998" in line and "≥ 0.99" in line for line in lines)


@given(st.fixed_dictionaries({name: bounds for name in NAMES}))
def test_a_promise_is_read_back_as_it_was_written(values: dict[str, float | None]) -> None:
    promise = Promise(**values)
    assert Promise.from_dict(promise.to_dict()) == promise


@given(st.sampled_from(NAMES), st.floats(0, 1), st.floats(0, 1))
def test_a_bound_is_broken_on_one_side_only_and_holds_at_its_value(name: str, bound: float, value: float) -> None:
    broken = Promise(**{name: bound}).broken(1000, {name: value})
    wrong_side = value < bound if name in ("srcc", "unique") else value > bound
    assert len(broken) == wrong_side
    assert Promise(**{name: bound}).broken(1000, {name: bound}) == []


@pytest.mark.parametrize("name", NAMES)
def test_nan_keeps_no_bound_and_what_was_not_measured_or_not_promised_is_not_judged(name: str) -> None:
    assert len(Promise(**{name: 0.5}).broken(1000, {name: math.nan})) == 1
    assert Promise(**{name: 0.5}).broken(1000, {}) == Promise(**{name: 0.5}).broken(1000, {name: None}) == []
    assert Promise().broken(1000, {name: math.nan}) == []


@pytest.mark.parametrize("name", ["srcc", "bias", "flips", "unique"])
def test_what_is_estimated_over_photos_is_judged_from_24_on(name: str) -> None:
    promise = Promise(**{name: 0.5})
    assert promise.broken(LEAST_PHOTOS, {name: math.nan}) and not promise.broken(LEAST_PHOTOS - 1, {name: math.nan})
    assert Promise(max_abs=0.5).broken(1, {"max_abs": 0.6})


def test_a_bias_counts_in_both_directions_and_a_gain_in_agreement_is_no_loss() -> None:
    assert Promise(bias=0.1).broken(100, {"bias": -0.2}) == ["|bias| 0.2000 is over 0.1"]
    assert not Promise(mos_drop=0.1).broken(100, {"mos_drop": -0.2})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "must be an object"),
        ({"srcc": "high"}, r"srcc of 'high'; it must be a number in \[0, 1\]"),
        ({"srcc": True}, "number"),
        ({"srcc": None}, "number"),
        ({"mean_abs": -0.1}, "number"),
        ({"mean_abs": 1.1}, "number"),
        ({"mean_abs": math.nan}, "number"),
        ({"speed": 1}, "has 'speed'; known are srcc, mean_abs"),
    ],
)
def test_what_is_no_promise_is_refused(values: object, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        Promise.from_dict(values)


def test_a_promise_in_words_names_its_bounds_or_nothing() -> None:
    assert str(ANY_NETWORK) == "SRCC ≥ 0.99, mean |Δ| ≤ 0.01, unique share ≥ 0.95"
    assert str(Promise()) == "nothing"


def test_the_shipped_student_promises_more_than_any_network() -> None:
    figures = {"srcc": SHIPPED.srcc, "mean_abs": SHIPPED.mean_abs, "unique": SHIPPED.unique}
    assert ANY_NETWORK.broken(1000, figures) == [] and set(SHIPPED.to_dict()) == set(NAMES)


def test_on_golden_photos_the_shipped_student_is_held_to_all_and_others_to_twice_their_loss() -> None:
    assert SHIPPED.on_golden_photos() == SHIPPED
    assert Promise(srcc=0.99, mean_abs=0.01).on_golden_photos().to_dict() == pytest.approx(
        {"srcc": 0.98, "mean_abs": 0.02}
    )
    assert Promise(srcc=0.2, max_abs=0.9).on_golden_photos() == Promise(srcc=0.0, max_abs=1.0)


def test_the_bounds_need_neither_numpy_nor_torch() -> None:
    check = (
        "import sys, types; package = types.ModuleType('pocketiqa'); package.__path__ = [sys.argv[1]];"
        "sys.modules['pocketiqa'] = package; import pocketiqa.promises;"
        "print([name for name in ('numpy', 'torch', 'PIL') if name in sys.modules])"
    )
    package = str(README.parent / "pocketiqa")
    done = subprocess.run([sys.executable, "-c", check, package], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
