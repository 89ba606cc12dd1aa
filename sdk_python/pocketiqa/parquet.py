"""Rows as a Parquet file, where pyarrow is installed: ``pip install pocketiqa[parquet]``."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import IO, Any

from pocketiqa.errors import PocketiqaError
from pocketiqa.outputs import Row, escaped_path, printable_path

_ROWS_IN_A_GROUP = 10_000


def import_pyarrow() -> ModuleType:
    """Raises PocketiqaError where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise PocketiqaError(
            "--format parquet needs pyarrow: pip install pocketiqa[parquet], or take csv or jsonl"
        ) from None
    return pyarrow


def write_parquet(
    file: IO[bytes], columns: Mapping[str, type], paths: Sequence[str], rows: Iterable[Row], made_by: dict[str, Any]
) -> None:
    """Write ``rows``, in groups of 10,000.

    Args:
        columns: of the table, with their types; ``path_bytes`` (binary) comes last where one of ``paths`` needs it.
        paths: of all rows.
        made_by: JSON-ready; stands in the file's metadata under ``pocketiqa``.
    """
    pyarrow = import_pyarrow()
    text = pyarrow.string()
    kinds = {str: text, float: pyarrow.float64(), int: pyarrow.int64(), list: pyarrow.list_(text)}
    fields = [(name, kinds[kind]) for name, kind in columns.items()]
    if any(map(escaped_path, paths)):
        fields.append(("path_bytes", pyarrow.binary()))
    schema = pyarrow.schema(fields, metadata={"pocketiqa": json.dumps(made_by)})
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        rows = iter(rows)
        while group := [_with_bytes(row) for row in itertools.islice(rows, _ROWS_IN_A_GROUP)]:
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


def _with_bytes(row: Row) -> Row:
    shown = printable_path(row)
    return {**shown, "path_bytes": base64.b64decode(shown["path_bytes"])} if "path_bytes" in shown else shown
