"""What a teacher says of photos: written, read again, and taken by the heads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from eager_trunk import EagerTrunk
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec

from distill.data.degraded_photos import DegradedPhoto, pristine_photos, severity_ladders
from distill.data.mos_sets import read_own_photos
from distill.heads.attributes import AttributesConfig
from distill.heads.hidden_units import HiddenUnitsConfig
from distill.stages.label_photos import LabelsConfig, label_photos
from distill.stages.train_student import StudentConfig, train_student
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.labels import read_labels, write_labels
from distill.training.run_folder import RunError


class Means:
    """Each view's mean colours, 6 numbers, in the place of CLIP."""

    input = PreprocessSpec(32, 32, ("whole", "detail"), 64)
    fingerprint = "means"

    def __call__(self, views: np.ndarray) -> np.ndarray:
        return np.concatenate([views.mean((2, 3)).ravel(), views.std((2, 3)).ravel()])


class Corners(Means):
    """Two pixels of each view, in the place of a taught trunk."""

    fingerprint = "corners"

    def __call__(self, views: np.ndarray) -> np.ndarray:
        return views[:, :, ::31, 0].ravel()


@pytest.fixture
def data(tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> LabelsConfig:
    """20 photos scored by their brightness, one pristine photo, two that nobody scored."""
    module = "distill.stages.label_photos"
    monkeypatch.setattr(f"{module}.Int8ClipFeatures", Means)
    monkeypatch.setattr(f"{module}.FrozenTrunk", lambda features, _: Means() if features is None else Corners())
    monkeypatch.setattr(f"{module}.StudentFeatures", lambda student: student)
    monkeypatch.setattr(f"{module}.STATISTICS_WIDTH", 6)
    draw, rows = np.random.default_rng(0), ["name,score,source"]
    for folder in ("scored", "pristine", "others"):
        (tmp_path / folder).mkdir()
    for i in range(20):
        photo = photos[list(photos)[i % 4]][:128, :128] * draw.uniform(0.2, 1)
        Image.fromarray(photo.astype(np.uint8)).save(tmp_path / "scored" / f"{i}.png")
        rows.append(f"{i}.png,{photo.mean() / 255:.3f},{'ab'[i % 2]}")
    (tmp_path / "scored" / "scores.csv").write_text("\n".join(rows))
    Image.fromarray(photos["coffee"][:160, :160]).save(tmp_path / "pristine" / "p.png")
    for name, part in (("bright", 1.0), ("dark", 0.3)):
        dimmed = (photos["chelsea"][:128, :128] * part).astype(np.uint8)
        Image.fromarray(dimmed).save(tmp_path / "others" / f"{name}.png")
    return LabelsConfig(
        tmp_path / "scored", [tmp_path / "pristine"], [tmp_path / "others"], "own", tmp_path / "labels.csv",
        tmp_path / "cache", kinds_per_photo=1,
    )  # fmt: skip


def test_labels_follow_peoples_scores_and_name_every_photo_and_copy(data: LabelsConfig) -> None:
    assert label_photos(data) == {"scored": 20, "copies": 6, "unscored": 2, "out": str(data.out)}
    labels, people = read_labels(data.out), read_own_photos(data.mos_folder, "train")
    assert np.corrcoef(labels.of(people), people.mos)[0, 1] > 0.9
    bright, dark = (labels.photos[data.photos[0] / f"{name}.png"] for name in ("bright", "dark"))
    assert bright > dark + 0.05
    assert list(labels.copies) == severity_ladders(pristine_photos(data.pristine), 1, 0)
    label_photos(replace(data, pristine=[data.photos[0]], photos=data.pristine, kinds_per_photo=2))
    assert len(read_labels(data.out).copies) == 2 * 11


def test_a_taught_trunk_is_read_in_place_of_imagenets_and_a_missing_one_is_named(
    data: LabelsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = read_own_photos(data.mos_folder, "train")
    with pytest.raises(FileNotFoundError, match="no student at none"):
        label_photos(replace(data, trunk=Path("none")))
    assert not data.out.exists()
    label_photos(data)
    plain = read_labels(data.out).of(people)
    monkeypatch.setattr("distill.stages.label_photos.load_student", lambda path: path)
    label_photos(replace(data, trunk=Path("taught")))
    assert not torch.allclose(read_labels(data.out).of(people), plain, atol=1e-3)


def test_heads_are_fitted_to_all_that_the_labels_hold(data: LabelsConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[ScoredFeatures] = []
    student = "distill.stages.train_student"
    monkeypatch.setattr(f"{student}.FrozenTrunk", EagerTrunk)
    fit = __import__(student, fromlist=["_"]).fit_hidden_units

    def watched(scored: ScoredFeatures, *rest: object) -> object:
        fitted.append(scored)
        return fit(scored, *rest)

    ordinary: list[int] = []
    attributes = __import__(student, fromlist=["_"]).fit_attributes

    def counted(ladders: LadderFeatures, natural: torch.Tensor, how: AttributesConfig) -> object:
        ordinary.append(len(natural))
        return attributes(ladders, natural, how)

    monkeypatch.setattr(f"{student}.fit_hidden_units", watched)
    monkeypatch.setattr(f"{student}.fit_attributes", counted)
    label_photos(data)
    run = data.out.parent / "student"
    config = StudentConfig(
        data.mos_folder, data.pristine, "own", run=run, labels=data.out, cache=data.cache, kinds_per_photo=1,
        attributes=AttributesConfig(iterations=2), hidden=HiddenUnitsConfig(steps=4, batch=8),
    )  # fmt: skip
    config = replace(config, distil=replace(config.distil, pseudo_labels=1.0))
    record = train_student(config)
    (scored,) = fitted
    labels = read_labels(data.out)
    assert [int((scored.sources == one).sum()) for one in ("without scores", "degraded copies")] == [2, 6]
    assert ordinary == [len(scored.mos) - 2 - 6], "degraded copies are no ordinary photos"
    others = torch.tensor([labels.photos[path] for path in labels.photos if path.parent == data.photos[0]])
    assert torch.equal(scored.mos[scored.sources == "without scores"], others)
    assert record["distillation"]["labels"]["copies"] == 6 and record["distillation"]["told"] == 1.0


def test_a_photo_or_a_file_that_is_missing_is_named(data: LabelsConfig, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="python -m distill labels writes one"):
        read_labels(tmp_path / "none.csv")
    write_labels(data.out, [(Path("x.jpg"), 0.5), (DegradedPhoto(Path("y.png"), "jpeg", 2, 7), 0.25)])
    labels = read_labels(data.out)
    assert labels.photos == {Path("x.jpg"): 0.5} and [*labels.copies.values()] == [0.25]
    with pytest.raises(RunError, match=r"no score of 20 of 20 photos, '.*0\.png' among them: give --mos-folder as"):
        labels.of(read_own_photos(data.mos_folder, "train"))


@pytest.mark.parametrize(("there", "instead"), [("score", "mark"), ("0.5", "good")])
def test_a_table_that_is_none_is_refused(there: str, instead: str, tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.csv", [(Path("x.jpg"), 0.5)])
    (tmp_path / "labels.csv").write_text((tmp_path / "labels.csv").read_text().replace(there, instead))
    with pytest.raises(RunError, match="is no table of labels"):
        read_labels(tmp_path / "labels.csv")
