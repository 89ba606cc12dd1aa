"""The rows of a CSV as spreadsheets write them: commas, semicolons or tabs; UTF-8, UTF-16 or cp1252."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from distill.data.mos_sets.photo_set import MosSetError

_MOST_BYTES = 64 * 2**20
# The comma last: it may stand in a number as well.
_DELIMITERS = (";", "\t", ",")
# Bytes at the start of a file → its encoding. What Excel calls "Unicode text" is UTF-16.
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# A line that Excel writes for itself, and hides when it reads.
_EXCELS_OWN = re.compile(r"sep=.?(\r\n|\r|\n)", re.IGNORECASE)
_SAVE = "save it as CSV UTF-8"


@dataclass(frozen=True)
class CsvRow:
    """One row.

    Attributes:
        line: of the file where it begins, from 1.
        cells: without the spaces around them.
    """

    line: int
    cells: list[str]


@dataclass(frozen=True)
class CsvRows:
    """The rows of one file that hold something, the heading among them; ``guessed`` where no byte told the encoding."""

    rows: list[CsvRow]
    guessed: bool


def read_csv(file: Path, fits: Callable[[list[str]], bool]) -> CsvRows:
    """Read ``file`` with the delimiter under which its first row ``fits``; where none does, with the first's most.

    Raises:
        MosSetError: the file is missing, no text, a workbook, too large, or a quotation mark or a cell has no end; the
            message names the file and says what to do.
    """
    text, guessed = _text(file)
    lines_before = 0
    if found := _EXCELS_OWN.match(text):
        text, lines_before = text[found.end() :], 1
    firsts = {delimiter: next(iter(_rows(file, text, delimiter, lines_before)), None) for delimiter in _DELIMITERS}
    known = {delimiter: first.cells for delimiter, first in firsts.items() if first}
    chosen = next((delimiter for delimiter, cells in known.items() if fits(cells)), None)
    if chosen is None:
        chosen = max(known, key=lambda delimiter: len(known[delimiter]), default=",")
    return CsvRows(list(_rows(file, text, chosen, lines_before)), guessed)


def _rows(file: Path, text: str, delimiter: str, lines_before: int) -> Iterator[CsvRow]:
    # csv has the line where a row ends; one that begins a line may hold line breaks in quotation marks.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    begins = lines_before + 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield CsvRow(begins, stripped)
            begins = lines_before + reader.line_num + 1
    except csv.Error as error:
        raise MosSetError(
            f"{file}, line {begins}: a cell has no end ({error}); a quotation mark in a name is written twice, and the "
            "name in quotation marks"
        ) from None


def _text(file: Path) -> tuple[str, bool]:
    """The file's text, and whether its encoding was guessed."""
    # os.path's, which takes a name that no file can have.
    if not os.path.isfile(file):
        raise MosSetError(f"there is no table of scores {file}; give a CSV with the columns name and score")
    try:
        if (size := file.stat().st_size) > _MOST_BYTES:
            raise MosSetError(
                f"{file} holds {size:,} bytes, more than any table of scores; give a CSV of name and score"
            )
        content = file.read_bytes()
    except OSError as error:
        raise MosSetError(f"{file} cannot be read: {error.strerror}") from None
    if content.startswith(_WORKBOOKS):
        raise MosSetError(f"{file} is a workbook, not a CSV; {_SAVE}")
    mark = next((mark for mark in _MARKS if content.startswith(mark)), None)
    try:
        text, guessed = content.decode(_MARKS.get(mark, "utf-8")), False
    except UnicodeDecodeError:
        if mark is not None:
            raise MosSetError(f"{file} begins as {_MARKS[mark]} and does not go on so; {_SAVE}") from None
        text, guessed = _as_cp1252(file, content), True
    if "\0" in text:
        raise MosSetError(f"{file} is no text: it holds zero bytes; {_SAVE}")
    return text, guessed


def _as_cp1252(file: Path, content: bytes) -> str:
    """What a Western Excel writes where nobody asks it for UTF-8."""
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        raise MosSetError(f"{file} is neither UTF-8 nor cp1252; {_SAVE}") from None
