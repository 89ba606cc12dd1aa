"""The same photo gets the same score, however it comes; a bad photo never costs the others theirs."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa import BundleError, PhotoError, PhotoLimits, Scorer
from pocketiqa.manifest import Manifest
from pocketiqa.runtime import installed_runtimes, load_program


@pytest.fixture(scope="module")
def scorer(tiny_bundle: Path) -> Scorer:
    return Scorer(tiny_bundle)


def test_a_result_has_a_score_named_attributes_a_map_and_its_runtime(
    scorer: Scorer, photos: dict[str, np.ndarray]
) -> None:
    result = scorer(photos["coffee"])
    assert 0 <= result.score <= 1 and result.error is None and result.path is None
    assert list(result.attributes) == ["sharpness", "noise", "exposure", "contrast", "colour", "compression"]
    assert result.map.shape == (2, 2) and result.map.dtype == np.float32
    assert result.runtime == scorer.runtime_name
    found = json.loads(json.dumps(result.to_dict()))
    assert found["score"] == result.score and found["map"] == result.map.tolist()
    assert dataclasses.replace(result, map=None).to_dict()["map"] is None


def test_different_photos_get_different_scores(scorer: Scorer, photos: dict[str, np.ndarray]) -> None:
    assert len({scorer(photo).score for photo in photos.values()}) == len(photos)


def test_a_path_an_image_and_an_array_score_the_same(
    scorer: Scorer, photos: dict[str, np.ndarray], tmp_path: Path
) -> None:
    image = Image.fromarray(photos["chelsea"])
    image.save(tmp_path / "cat.png")
    by_path = scorer(tmp_path / "cat.png")
    assert by_path.path == str(tmp_path / "cat.png")
    assert by_path.score == scorer(image).score == scorer(photos["chelsea"]).score


def test_a_grey_photo_scores_like_its_rgb_copy(scorer: Scorer, photos: dict[str, np.ndarray]) -> None:
    grey = Image.fromarray(photos["rocket"]).convert("L")
    assert scorer(grey).score == scorer(grey.convert("RGB")).score


def test_golden_photos_score_what_the_manifest_promises(scorer: Scorer) -> None:
    for name, expected in scorer.bundle.golden.items():
        result = scorer(scorer.bundle.root / name)
        assert [result.score, *result.attributes.values()] == pytest.approx(expected["int8"], abs=0.02)


def test_a_batch_streams_and_keeps_going_past_bad_photos(
    scorer: Scorer, photos: dict[str, np.ndarray], tmp_path: Path
) -> None:
    asked: list[int] = []

    def endless() -> object:
        while True:
            asked.append(1)
            yield photos["coffee"] if len(asked) % 2 else tmp_path / "missing.jpg"

    results = scorer.batch(endless())
    first, second, third = next(results), next(results), next(results)
    assert len(asked) == 3
    assert first.score == third.score and first.error is None
    assert second.score is None and second.attributes == {} and "No such file" in second.error


def test_threads_and_runtime_reach_the_runtime_also_after_pickling(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(content: bytes, threads: int | None, runtime: str | None) -> object:
        asked.append((threads, runtime))
        return load_program(content, threads, runtime)

    monkeypatch.setattr("pocketiqa.loading.load_program", load)
    (runtime,) = list(installed_runtimes())[:1]
    pickle.loads(pickle.dumps(Scorer(tiny_bundle, threads=1, runtime=runtime)))
    assert asked == [(1, runtime)] * 2


def test_a_photo_that_cannot_be_read_is_named_once(scorer: Scorer, tmp_path: Path) -> None:
    missing = tmp_path / "missing.jpg"
    with pytest.raises(PhotoError, match=f"^{missing}: cannot be read"):
        scorer(missing)
    (result,) = scorer.batch([missing])
    assert str(result.path) == str(missing) and "missing.jpg" not in result.error


def test_limits_are_the_scorers_to_set(tiny_bundle: Path, photos: dict[str, np.ndarray]) -> None:
    strict = Scorer(tiny_bundle, limits=PhotoLimits(max_pixels=100))
    with pytest.raises(PhotoError, match="limit of 100 pixels"):
        strict(photos["coffee"])


def test_many_threads_get_the_serial_scores(scorer: Scorer, photos: dict[str, np.ndarray]) -> None:
    many = list(photos.values()) * 5
    serial = [result.score for result in scorer.batch(many)]
    with ThreadPoolExecutor(8) as pool:
        assert [result.score for result in pool.map(scorer, many)] == serial


def test_a_pickled_scorer_scores_the_same(scorer: Scorer, photos: dict[str, np.ndarray]) -> None:
    other = pickle.loads(pickle.dumps(scorer))
    assert other(photos["coffee"]).score == scorer(photos["coffee"]).score


def scores_and_threads(scorer: Scorer, photos: dict[str, np.ndarray]) -> tuple[list[float], int]:
    threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
    return [scorer(photo).score for photo in photos.values()], threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_workers_get_the_serial_scores_and_a_bounded_number_of_threads(
    scorer: Scorer, photos: dict[str, np.ndarray]
) -> None:
    serial = [scorer(photo).score for photo in photos.values()]
    with multiprocessing.get_context("fork").Pool(3) as pool:
        done = [pool.apply_async(partial(scores_and_threads, scorer, photos)) for _ in range(6)]
        for scores, threads in (result.get(timeout=60) for result in done):
            assert scores == serial
            assert threads <= 2 * (os.cpu_count() or 1) + 8


def test_int8_is_close_to_fp32_but_not_the_same_program(
    tiny_bundle: Path, scorer: Scorer, photos: dict[str, np.ndarray]
) -> None:
    exact = Scorer(tiny_bundle, "fp32")
    gaps = [abs(exact(photo).score - scorer(photo).score) for photo in photos.values()]
    assert 0 < max(gaps) < 0.01


def test_a_tampered_program_never_reaches_a_runtime(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    path = copy / "xnnpack" / "student_int8.pte"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    monkeypatch.setattr("pocketiqa.loading.load_program", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(BundleError, match="sha256"):
        Scorer(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"height": 65}, "the manifest says"),
        ({"resample": "lanczos"}, "was exported for the input"),
        ({"views": ["detail", "whole"]}, "was exported for the input"),
    ],
)
def test_a_manifest_that_does_not_fit_its_program_is_refused(
    tiny_bundle: Path, tmp_path: Path, change: dict, reason: str
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    values = json.loads((copy / "manifest.json").read_bytes())
    values["input"] |= change
    Manifest.from_dict(values).write(copy / "manifest.json")
    with pytest.raises(BundleError, match=reason):
        Scorer(copy)


def test_a_variant_for_another_machine_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    values = json.loads((copy / "manifest.json").read_bytes())
    values["variants"]["coreml_fp16"] = {"path": "coreml/student.mlpackage", "backend": "coreml"}
    Manifest.from_dict(values).write(copy / "manifest.json")
    with pytest.raises(BundleError, match="does not run here; take one of fp32, int8"):
        Scorer(copy, "coreml_fp16")


def test_importing_the_package_loads_no_torch_and_no_runtime() -> None:
    heavy = ["torch", "executorch", "executorch_numpy_runtime", "scipy"]
    check = f"import pocketiqa, pocketiqa.cli, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
