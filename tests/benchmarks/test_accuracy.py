"""Agreement with mean opinion scores: known figures on made scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from pocketiqa.scorer import Scorer
from scipy.stats import kendalltau, pearsonr, spearmanr

from benchmarks.accuracy import agreement, logistic_plcc, measure_accuracy, read_teacher_scores, table
from benchmarks.commands.accuracy import accuracy
from benchmarks.consistency import measure_consistency
from distill.data.mos_sets import MosSet, MosSetError

GENERATOR = np.random.default_rng(0)
MOS = GENERATOR.random(300)
NOISY = MOS + GENERATOR.normal(0, 0.2, 300)


def test_the_correlations_are_scipys() -> None:
    row = agreement("all", NOISY, MOS)
    assert row.srcc == pytest.approx(spearmanr(NOISY, MOS)[0])
    assert row.krcc == pytest.approx(kendalltau(NOISY, MOS)[0])
    assert row.plcc == pytest.approx(pearsonr(NOISY, MOS)[0])


def test_the_interval_holds_the_figure_and_narrows_with_more_photos() -> None:
    few, many = agreement("few", NOISY[:40], MOS[:40]), agreement("many", NOISY, MOS)
    for row in (few, many):
        assert row.srcc_interval[0] < row.srcc < row.srcc_interval[1]
    assert np.diff(many.srcc_interval) < np.diff(few.srcc_interval)


def test_a_logistic_relation_correlates_fully_after_the_fit_only() -> None:
    scores = np.linspace(-4, 4, 200)
    mos = 1 / (1 + np.exp(-3 * scores))
    assert logistic_plcc(scores, mos) > 0.999 > np.corrcoef(scores, mos)[0, 1]


@pytest.fixture
def twelve(tmp_path: Path, photos: dict[str, np.ndarray]) -> MosSet:
    """Twelve photos of two sources with scores that rise."""
    paths = []
    for number in range(12):
        photo = list(photos.values())[number % 6]
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(photo[number * 5 : number * 5 + 100, :120]).save(paths[-1])
    return MosSet("made", paths, np.linspace(0, 1, 12), np.array(["a", "b"] * 6))


def test_a_bundle_is_measured_pooled_and_within_each_source(tiny_bundle: Path, twelve: MosSet) -> None:
    rows = measure_accuracy(twelve, tiny_bundle, "int8")
    assert [(row.group, row.n) for row in rows] == [("pooled", 12), ("a", 6), ("b", 6)]
    assert table(rows).count("\n") == 4


def test_a_source_of_few_photos_counts_in_the_pool_alone_and_a_few_photos_are_refused(
    tiny_bundle: Path, twelve: MosSet
) -> None:
    uneven = replace(twelve, sources=np.array(["a"] * 9 + ["b"] * 3))
    assert [row.group for row in measure_accuracy(uneven, tiny_bundle, "int8")] == ["pooled", "a"]
    with pytest.raises(MosSetError, match="4 scored photos"):
        measure_accuracy(twelve.take(np.arange(4)), tiny_bundle, "int8")


def test_opinions_or_scores_that_are_all_one_are_refused_or_left_out_with_the_reason(
    tiny_bundle: Path, twelve: MosSet, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MosSetError, match=r"no correlation can be measured over 12 photos that all have the score"):
        measure_accuracy(replace(twelve, mos=np.full(12, 0.5)), tiny_bundle, "int8")
    half = replace(twelve, mos=np.where(twelve.sources == "a", 0.5, twelve.mos))
    rows = measure_accuracy(half, tiny_bundle, "int8", np.full(12, 0.25))
    assert [row.group for row in rows] == ["pooled", "b"] and "nan" not in table(rows)
    said = capsys.readouterr().err
    assert "warning: a: no figures over 6 photos that all have the score 0.5" in said
    assert "warning: teacher: pooled: no figures over 12 photos that all have the score 0.25" in said
    assert "warning: 12 scored photos; over fewer than 16 a correlation is mostly chance" in said


def test_a_teachers_own_figures_and_the_students_agreement_with_it_follow(tiny_bundle: Path, twelve: MosSet) -> None:
    rows = {row.group: row for row in measure_accuracy(twelve, tiny_bundle, "int8", 1 - twelve.mos)}
    assert list(rows) == [title + name for title in ("", "teacher: ", "to teacher: ") for name in ("pooled", "a", "b")]
    assert rows["teacher: pooled"].srcc == pytest.approx(-1)
    assert rows["to teacher: pooled"].srcc == pytest.approx(-rows["pooled"].srcc)


def test_a_teachers_scores_are_found_by_name_in_any_order_and_among_others(twelve: MosSet, tmp_path: Path) -> None:
    lines = [f"{path.parent.name}/{path.name},{score}" for path, score in zip(twelve.paths, twelve.mos)]
    table_of_teacher = tmp_path / "teacher.csv"
    table_of_teacher.write_text("\n".join(["name,score", "another.png,0.5", *reversed(lines)]))
    assert read_teacher_scores(table_of_teacher, twelve) == pytest.approx(twelve.mos)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no table"),
        ("photo,mos\n0.png,1", "columns name and score"),
        ("name,score\n0.png,0.5", "no score of 1.png"),
        ("name,score\n0.png,2", r"line 2: score is '2'; give a number from 0 .bad. to 1"),
        ("name,score\n0.png,nan", "give a number"),
        ("name,score\n0.png,0.5\n0.png,0.6", "line 3: '0.png' has the score '0.6', and '0.5' in line 2"),
        ("name,score\n0.png", r"line 2: score of '0\.png' is missing; give a number"),
    ],
)
def test_a_table_that_is_no_teachers_of_this_set_is_refused(
    twelve: MosSet, tmp_path: Path, text: str | None, words: str
) -> None:
    table_of_teacher = tmp_path / "teacher.csv"
    if text is not None:
        table_of_teacher.write_text(text)
    with pytest.raises(MosSetError, match=words):
        read_teacher_scores(table_of_teacher, twelve)


def test_the_command_takes_a_folder_and_a_table_of_any_scale(
    tiny_bundle: Path, twelve: MosSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{path.name},{1 + 4 * mos}" for path, mos in zip(twelve.paths, twelve.mos)]
    own = tmp_path / "opinions.csv"
    own.write_text("\n".join(["img_name,mos", *lines]))
    assert accuracy(images=tmp_path, mos=own, scale=(1, 5), bundle=tiny_bundle) == 0
    printed, _, sources = capsys.readouterr().out.partition("\n\n")
    assert printed == table(measure_accuracy(replace(twelve, sources=np.full(12, "own")), tiny_bundle, "int8"))
    assert sources.startswith("tiny-0.0.1, int8. Measured 20") and "python -m benchmarks" in sources


def test_the_command_asks_for_photos_and_scores_together(tmp_path: Path) -> None:
    for given in ({}, {"images": tmp_path}, {"mos": tmp_path}, {"images": tmp_path, "mos_folder": tmp_path}):
        with pytest.raises(MosSetError, match="--images with --mos"):
            accuracy(**given)


def test_a_bundles_monotonicity_is_that_of_its_program(tiny_bundle: Path, tmp_path: Path, twelve: MosSet) -> None:
    two = tmp_path / "two"
    two.mkdir()
    for path in twelve.paths[:2]:
        path.rename(two / path.name)
    found = measure_consistency(two, tiny_bundle, "int8")
    assert found.flip.n == 2 and len(found.falls) == 24 and -1 <= found.monotonicity <= 1
    scorer = Scorer(tiny_bundle, variant="int8")
    mirrored = [scorer(ImageOps.mirror(Image.open(path))).score - scorer(path).score for path in sorted(two.iterdir())]
    assert found.flip.mean_abs == pytest.approx(np.abs(mirrored).mean())
