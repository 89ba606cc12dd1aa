"""Scores of Ray Data's workers are those of ``score`` to the bit; what was scored is not scored again."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa import ray as pocketiqa_ray
from pocketiqa.cli import main
from pocketiqa.errors import PocketiqaError
from pocketiqa.outputs import escaped_path
from pocketiqa.photo_list import find_photos
from pocketiqa.ray import _Worker, score
from pocketiqa.row_run import settings_of
from pocketiqa.scorer import Scorer
from pocketiqa.stores import photos_in, place_of

# Else workers get an environment of their own where `uv run` started the tests, and Ray reports its use.
os.environ |= {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}
ray = pytest.importorskip("ray", reason="it is in the extra `ray`")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    options = {
        "num_cpus": 2, "include_dashboard": False, "log_to_driver": False, "logging_level": "error",
        "object_store_memory": 100 * 1024**2, "_node_ip_address": "127.0.0.1",
        "_system_config": {"worker_niceness": 0},
    }  # fmt: skip
    before = signal.getsignal(signal.SIGTERM)  # Ray takes it, and would keep it from the tests that come after
    try:
        ray.init(**options)
    except Exception:  # it gives a node 30 seconds to start, which are few on a machine with much else to do
        ray.shutdown()
        ray.init(**options)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def album(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    """Three photos, one of them in a folder, one with a name of Latin 1; no photos, and what is skipped."""
    album = tmp_path / "album"
    (album / "sub").mkdir(parents=True)
    Image.fromarray(photos["coffee"]).save(album / "coffee.jpg")
    shutil.copy(album / "coffee.jpg", os.fsencode(album) + b"/caf\xe9.jpg")
    Image.fromarray(photos["rocket"]).save(album / "sub" / "rocket.png")
    for name in ("broken.jpg", ".hidden.jpg", "notes.txt"):
        (album / name).write_text("no photo")
    return album


def rows_in(*files: Path) -> list[dict]:
    rows = [{"path_bytes": None, **row} for file in files for row in parquet.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: row["path"])


def rows_of_score(bundle: Path, *photos: str) -> list[dict]:
    """What the command says of the same photos."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "rows.parquet"
        main(["score", *photos, "--recursive", "--bundle", str(bundle), "--format", "parquet", "-o", str(output)])
        return rows_in(output)


@pytest.mark.slow
def test_rows_are_those_of_score_and_the_next_call_goes_on(
    local_ray: None, album: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    scores = tmp_path / "scores"
    gone = str(album / "gone.jpg")
    assert score([album, gone], scores, bundle=tiny_bundle) == {"scored": 3, "failed": 2}
    first = {file: file.stat().st_mtime_ns for file in scores.iterdir()}
    assert rows_in(*first) == rows_of_score(tiny_bundle, str(album), gone)
    assert score(str(album), scores, bundle=tiny_bundle) == {}
    with pytest.raises(PocketiqaError, match=r"holds rows that were made with .*int8.* and these are .*fp32"):
        score(album, scores, bundle=tiny_bundle, variant="fp32")

    shutil.copy(album / "coffee.jpg", album / "in bytes.jpg")
    paths = [path for path in find_photos([str(album)], recursive=True)[0] if escaped_path(path) is None]
    photos = {"path": paths, "bytes": [Path(path).read_bytes() for path in paths]}
    parquet.write_table(pyarrow.table(photos), tmp_path / "photos.parquet")
    dataset = ray.data.read_parquet(str(tmp_path / "photos.parquet"))
    assert score(dataset, scores, bundle=tiny_bundle) == {"scored": 1, "failed": 0}

    later = rows_in(*set(scores.iterdir()) - set(first))
    assert later == rows_of_score(tiny_bundle, str(album / "in bytes.jpg"))
    assert all(file.stat().st_mtime_ns == changed for file, changed in first.items())


def test_a_worker_scores_what_lies_in_a_store_as_score_does_in_a_folder(
    album: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    (album / os.fsdecode(b"caf\xe9.jpg")).unlink()  # no store has such names
    store, paths = photos_in([f"fsspec+file://{album}", f"fsspec+file://{album}/gone.jpg"])
    target, folder = place_of(f"file://{tmp_path}/scores")
    target.create_dir(folder)
    settings = settings_of(Scorer(tiny_bundle))
    worker = _Worker({"bundle": tiny_bundle}, settings, store, target, folder, pyarrow.array([], pyarrow.string()))
    block = pyarrow.table({"path": [path.encode() for path in paths]})
    for _ in range(2):  # a block that Ray tries again takes the place of what it wrote before
        assert worker(block) == {"scored": [2], "failed": [2]}
    (file,) = Path(folder).iterdir()
    *rows, gone = sorted(rows_in(file), key=lambda row: row["path"] == f"{album}/gone.jpg")
    assert rows == rows_of_score(tiny_bundle, str(album))
    assert gone["path"] == f"{album}/gone.jpg" and "cannot be read: " in gone["error"]
    with pytest.raises(PocketiqaError, match=r"this machine scores with .* the first with .*: install the same"):
        _Worker({"bundle": tiny_bundle}, {**settings, "runtime": "x"}, store, target, folder, None)
    with pytest.raises(PocketiqaError, match="in several stores"):
        photos_in([album, f"fsspec+file://{album}"])


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PocketiqaError, match=r"pip install 'pocketiqa\[ray\]'"):
        pocketiqa_ray.score(tmp_path, tmp_path / "scores")


@pytest.mark.parametrize(
    ("given", "output", "said"),
    [
        ("nowhere://bucket/photos", "scores", "nowhere://bucket/photos names no folder or store"),
        ("empty", "scores", "no photos there"),
        ("album", "album/coffee.jpg", "rows cannot be written"),
        ("album", "others", "holds Parquet files that are no rows of pocketiqa"),
    ],
)
def test_a_mistake_is_told_before_any_worker_starts(
    album: Path, tmp_path: Path, tiny_bundle: Path, given: str, output: str, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "others").mkdir()
    parquet.write_table(pyarrow.table({"path": ["a"]}), tmp_path / "others" / "a.parquet")
    with pytest.raises(PocketiqaError, match=said):
        score(given if "://" in given else tmp_path / given, tmp_path / output, bundle=tiny_bundle)
