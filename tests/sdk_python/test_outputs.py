"""What each form of output writes, to the character."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest
from pocketiqa.outputs import columns_of, row_of, row_writer
from pocketiqa.scorer import Result

SCORED = Result(
    score=0.123456789, attributes={"sharpness": 0.5, "noise": 1.0}, map=None, path="a.jpg", error=None, runtime="r 1",
    width=40, height=30,
)  # fmt: skip
FAILED = Result(score=None, attributes={}, map=None, path="b\nc.jpg", error="no\nphoto", runtime="r 1")


def written(style: str, longest_path: int = 10) -> str:
    file, attributes = io.StringIO(), ("sharpness", "noise")
    write = row_writer(file, style, columns_of(attributes), ["x" * longest_path])
    for result in (SCORED, FAILED):
        write(row_of(result, attributes))
    return file.getvalue()


def test_csv_has_six_decimals_and_nothing_where_there_is_no_score() -> None:
    assert written("csv").splitlines()[:2] == [
        "path,score,sharpness,noise,error,width,height,warning", "a.jpg,0.123457,0.500000,1.000000,,40,30,",
    ]  # fmt: skip
    assert written("csv").endswith('"b\nc.jpg",,,,"no\nphoto",,,\n') and "\r" not in written("csv")


def test_a_json_line_holds_the_whole_number_and_null_where_there_is_none() -> None:
    first, second = map(json.loads, written("jsonl").splitlines())
    assert first == {
        "path": "a.jpg", "score": 0.123456789, "sharpness": 0.5, "noise": 1.0, "error": None, "runtime": "r 1",
        "width": 40, "height": 30, "warning": None,
    }  # fmt: skip
    assert second == {
        "path": "b\nc.jpg", "score": None, "sharpness": None, "noise": None, "error": "no\nphoto", "runtime": "r 1",
        "width": None, "height": None, "warning": None,
    }  # fmt: skip


@pytest.mark.parametrize(("longest", "width"), [(1, 4), (10, 10), (60, 60), (500, 60)])
def test_the_table_aligns_numbers_and_keeps_a_row_to_a_line(longest: int, width: int) -> None:
    header, first, second = written("table", longest).splitlines()
    assert header == "path".ljust(width) + "     score  sharpness     noise  error"
    assert first == "a.jpg".ljust(width) + "  0.123457   0.500000  1.000000"
    assert second.startswith("b") and second.endswith("photo")


def test_a_warning_stands_in_every_form() -> None:
    damaged = dataclasses.replace(SCORED, warning="the file is damaged: a hole")
    for style, expected in (
        ("csv", ",40,30,the file is damaged: a hole"),
        ("jsonl", '"warning": "the file is damaged: a hole"'),
        ("table", "  1.000000  warning: the file is damaged: a hole"),
    ):
        file = io.StringIO()
        row_writer(file, style, columns_of(("sharpness", "noise")), ["a.jpg"])(row_of(damaged, ("sharpness", "noise")))
        assert expected in file.getvalue().splitlines()[-1]
