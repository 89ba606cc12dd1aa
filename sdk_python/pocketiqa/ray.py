"""Score photos on many machines with Ray Data: ``pip install 'pocketiqa[ray]'`` on each of them.

    from pocketiqa.ray import score
    score("s3://bucket/photos/", "s3://bucket/scores", workers=64)
    score(ray.data.read_parquet("s3://bucket/photos.parquet", columns=["path", "bytes"]), "s3://bucket/scores")

Each worker is an actor with a ``Scorer`` of its own, and writes a Parquet file for each block of photos. The same call
goes on after a run that was stopped, and scores what came in since.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pocketiqa.ahead import done_ahead
from pocketiqa.errors import PhotoError, PocketiqaError, one_line
from pocketiqa.outputs import Row, columns_of, escaped_path, row_of
from pocketiqa.parquet import write_parquet
from pocketiqa.photo import Photo
from pocketiqa.row_run import settings_of
from pocketiqa.scorer import Result, Scorer
from pocketiqa.stores import is_local, photos_in, place_of, read_photo_file

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.fs import FileSystem
    from ray.data import Dataset

# Of paths: a worker loses no more when it is killed, and a million photos make two thousand files.
_LARGEST_BLOCK = 512
_BLOCKS_A_WORKER = 8
_READ_AHEAD = 4  # photos from a store that is slow to answer
Address = str | os.PathLike[str]


def score(
    photos: Dataset | Address | Sequence[Address],
    output: Address,
    *,
    workers: int = 1,
    threads: int = 1,
    **scorer: Any,
) -> Counter[str]:
    """Score photos and write a row each, as ``pocketiqa score --format parquet`` has them, into files of a folder.

    A photo whose path is in the folder already, with a score or an error, is left out.

    Args:
        photos: a folder, a file or an object store's prefix, or several in one store; or a dataset with the columns
            ``path`` (unique) and ``bytes`` (of the encoded file).
        output: a folder or an object store's prefix. It and local photos must be there for every machine.
        workers: actors, each of which scores one photo at a time.
        threads: of each worker's program; it asks Ray for as many CPUs.
        scorer: as ``Scorer`` takes them: ``bundle``, ``variant``, ``limits``, ``strict``, ``runtime``.

    Returns:
        How many photos were ``scored`` now, and how many ``failed``.

    Raises:
        PocketiqaError: Ray is not installed, there are no photos, the dataset lacks a column, or the folder holds rows
            that were made with other settings.
    """
    try:
        import pyarrow
        import ray.data
    except ImportError:
        raise PocketiqaError("scoring with Ray needs pip install 'pocketiqa[ray]'") from None
    settings = settings_of(Scorer(threads=threads, **scorer))  # a mistake is told here, before any worker starts
    target, folder = place_of(output)
    done = _paths_in(target, folder, settings)
    source = None
    if isinstance(photos, ray.data.Dataset):
        dataset = photos
        if missing := sorted({"path", "bytes"} - set(dataset.columns(fetch_if_missing=False) or ("path", "bytes"))):
            raise PocketiqaError(f"the dataset has no column {' and no '.join(missing)}; it needs path and bytes")
    else:
        source, paths = photos_in([photos] if isinstance(photos, (str, os.PathLike)) else photos)
        known = set(done.to_pylist())
        paths = [path for path in paths if (escaped_path(path) or path) not in known]
        if not paths:
            return Counter()
        size = min(_LARGEST_BLOCK, -(-len(paths) // (workers * _BLOCKS_A_WORKER)))
        blocks = [list(map(os.fsencode, paths[start : start + size])) for start in range(0, len(paths), size)]
        dataset = ray.data.from_arrow([pyarrow.table({"path": block}) for block in blocks])
    arguments = {"threads": threads, **scorer}
    counts = dataset.map_batches(
        _Worker, fn_constructor_args=(arguments, settings, source, target, folder, done), batch_size=None,
        batch_format="pyarrow", compute=ray.data.ActorPoolStrategy(size=workers), num_cpus=threads,
    )  # fmt: skip
    total: Counter[str] = Counter()
    for row in counts.iter_rows():
        total.update(row)
    return total


def _paths_in(target: FileSystem, folder: str, settings: dict[str, Any]) -> pyarrow.Array:
    """The paths of rows that are there, made with the same settings."""
    import pyarrow.dataset
    from pyarrow.fs import FileSelector

    try:
        target.create_dir(folder, recursive=True)
        there = target.get_file_info(FileSelector(folder))
    except OSError as error:
        raise PocketiqaError(f"rows cannot be written to {folder}: {one_line(error)}") from None
    files = [file.path for file in there if file.base_name.endswith(".parquet") and not file.base_name.startswith(".")]
    if not files:
        return pyarrow.array([], pyarrow.string())
    rows = pyarrow.dataset.dataset(files, filesystem=target, format="parquet")
    found = json.loads((rows.schema.metadata or {}).get(b"pocketiqa", "null"))
    if found is None:
        raise PocketiqaError(f"{folder} holds Parquet files that are no rows of pocketiqa; name another folder")
    if found != settings:
        raise PocketiqaError(
            f"{folder} holds rows that were made with {json.dumps(found)}, and these are {json.dumps(settings)}: give "
            "the same, or name another folder"
        )
    return rows.to_table(columns=["path"])["path"].combine_chunks()


class _Worker:
    """One scorer, in an actor: scores a block of photos, writes its rows and says how many."""

    def __init__(
        self,
        scorer: dict[str, Any],
        settings: dict[str, Any],
        source: FileSystem | None,
        target: FileSystem,
        folder: str,
        done: pyarrow.Array,
    ) -> None:
        self._scorer, self._settings, self._source = Scorer(**scorer), settings, source
        self._target, self._folder, self._done = target, folder, done
        if (mine := settings_of(self._scorer)) != settings:
            raise PocketiqaError(f"this machine scores with {mine}, the first with {settings}: install the same")

    def __call__(self, block: pyarrow.Table) -> dict[str, list[int]]:
        attributes = self._scorer.attribute_names
        rows = [{**row_of(result, attributes), "path": path} for path, result in self._results(block)]
        if rows:
            self._write(rows)
        failed = sum(row["error"] is not None for row in rows)
        return {"scored": [len(rows) - failed], "failed": [failed]}

    def _results(self, block: pyarrow.Table) -> Iterator[tuple[str, Result]]:
        for (path, _), photo in done_ahead(self._read, self._photos(block), _READ_AHEAD, at_once=lambda _: False):
            try:
                yield path, next(self._scorer.batch([photo()]))
            except PhotoError as error:
                yield path, Result(path, None, {}, None, self._scorer.runtime_name, one_line(error))

    def _photos(self, block: pyarrow.Table) -> Iterator[tuple[str, bytes | None]]:
        """Paths, and the bytes where they came with them."""
        if self._source is not None:
            yield from ((os.fsdecode(path.as_py()), None) for path in block["path"])
            return
        import pyarrow.compute

        known = pyarrow.compute.is_in(block["path"].cast(pyarrow.string()), self._done)
        block = block.filter(pyarrow.compute.invert(known))
        yield from ((path.as_py(), content.as_py()) for path, content in zip(block["path"], block["bytes"]))

    def _read(self, photo: tuple[str, bytes | None]) -> Photo | None:
        path, content = photo
        if self._source is None:
            return content
        return path if is_local(self._source) else read_photo_file(self._source, path, self._scorer.limits)

    def _write(self, rows: list[Row]) -> None:
        """A file that appears whole. A block that is scored again, where a machine failed, has the same name again."""
        paths = [row["path"] for row in rows]
        name = hashlib.sha256(json.dumps(paths).encode()).hexdigest()[:32] + ".parquet"
        hidden = f"{self._folder}/.{name}"
        with self._target.open_output_stream(hidden) as file:
            write_parquet(file, columns_of(self._scorer.attribute_names), paths, rows, self._settings)
        self._target.move(hidden, f"{self._folder}/{name}")
