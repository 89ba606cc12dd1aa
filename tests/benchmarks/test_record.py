"""perf.json is read back as it was written, and nothing else is read."""

import json
from pathlib import Path

import pytest

from benchmarks.record import (
    ColdStart,
    DeviceProperties,
    DeviceState,
    ParityCheck,
    PerfRecord,
    Ratio,
    Run,
)
from benchmarks.result_file import RecordError
from benchmarks.statistics import Interval, summarize


def example(scale: float = 1.0) -> PerfRecord:
    samples = [scale * (10 + 0.1 * (i * 7 % 11)) for i in range(60)]
    run = Run(
        "int8", 2, "executorch 1.5.1", ParityCheck(True, 1, 0.0, 0.01, True, None, {"score": 0.0}, {"a.jpg": [0.5]}),
        [ColdStart(5.0, 20.0, 300.0, 40.0, 60.0)], 5, samples, [i / 10 for i in range(60)],
        summarize(samples), [DeviceState("before", {"cpu": 41.5}, {"cpu0": 1800.0}, "schedutil", 0.3, 0)],
        ["a flag"],
    )  # fmt: skip
    device = DeviceProperties("adb://X", "aarch64", "Android 15, API 35", "Maker Phone", "SoC", 8, ["i8mm"])
    ratios = [Ratio("fp32", "int8", 2, Interval(1.2, 1.1, 1.3))]
    return PerfRecord(
        "lite0", "0.1.0", ["score"], {"int8": "ab"}, device, "sdk", "2026-01-01", "abc", ["x"], [run], ratios
    )


def test_a_record_survives_the_file(tmp_path: Path) -> None:
    example().write(tmp_path / "perf.json")
    assert PerfRecord.read(tmp_path / "perf.json") == example()
    assert [path.name for path in tmp_path.iterdir()] == ["perf.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "other"}, "not a pocketiqa-perf file"),
        ({"schema_version": 3}, "format version 3"),
        ({"schema_version": "2"}, "not a pocketiqa-perf file"),
        ({"colour": "red"}, "damaged: Object contains unknown field `colour`"),
        ({"device": 3}, r"damaged: Expected `object`, got `int` - at `\$.device`"),
        ({"outputs": "score"}, "damaged"),
        ({"runs": [{"variant": "int8"}]}, "missing required field `threads`"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, change: dict, words: str) -> None:
    example().write(tmp_path / "perf.json")
    data = json.loads((tmp_path / "perf.json").read_text()) | change
    (tmp_path / "perf.json").write_text(json.dumps(data))
    with pytest.raises(RecordError, match=words):
        PerfRecord.read(tmp_path / "perf.json")


def test_text_and_nothing_are_no_records(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("hello")
    with pytest.raises(RecordError, match="not a JSON file"):
        PerfRecord.read(tmp_path / "text.json")
    with pytest.raises(RecordError, match="cannot be read"):
        PerfRecord.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threads": 0}, r">= 1 - at `\$.runs\[0\].threads`"),
        ({"samples_ms": [0]}, r"> 0.0 - at `\$.runs\[0\].samples_ms\[0\]`"),
        ({"samples_ms": ["10"]}, "got `str`"),
        ({"warmups_dropped": -1}, ">= 0"),
        ({"flag": []}, "unknown field `flag`"),
    ],
)
def test_a_value_that_no_measurement_gives_is_refused_with_its_place(
    tmp_path: Path, change: dict, words: str
) -> None:
    example().write(tmp_path / "perf.json")
    data = json.loads((tmp_path / "perf.json").read_text())
    data["runs"][0] |= change
    (tmp_path / "perf.json").write_text(json.dumps(data))
    with pytest.raises(RecordError, match=words):
        PerfRecord.read(tmp_path / "perf.json")


def test_a_deep_file_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(RecordError, match="not a"):
        PerfRecord.read(tmp_path / "deep.json")
