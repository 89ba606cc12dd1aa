"""A table of figures: Markdown with three digits, CSV without rounding."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from distill.experiments.table import Estimate, Table


@pytest.fixture
def table() -> Table:
    rows = {"x": [Estimate(0.12345, 0.0101), 0.5], "y, z": [Estimate(-0.5, 0.02, sign="+"), None]}
    return Table("head", ["a", "b"], "n = 3.", rows)


def test_the_table_is_markdown_with_three_digits_and_a_note(table: Table) -> None:
    assert [" ".join(line.split()) for line in str(table).splitlines()] == [
        "| head | a | b |",
        "|:-------|---------------:|------:|",
        "| x | 0.123 ± 0.010 | 0.500 |",
        "| y, z | -0.500 ± 0.020 | – |",
        "",
        "n = 3.",
    ]


def test_the_csv_holds_every_digit_and_an_interval_in_a_column_of_its_own(table: Table, tmp_path: Path) -> None:
    table.write_csv(tmp_path / "results" / "table.csv")
    with (tmp_path / "results" / "table.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["head", "a", "a ±", "b"],
            ["x", "0.12345", "0.0101", "0.5"],
            ["y, z", "-0.5", "0.02", ""],
        ]
