"""The page: one HTML file that loads nothing, with its rows as JSON inside.

Names of files are a stranger's. They stand in the JSON alone, where ``<`` is written as an escape, and the script puts
them into the page as text. A Content-Security-Policy allows the one script whose hash it names, and no other.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import IO, Any
from urllib.parse import quote

from pocketiqa.outputs import Row, printable_path

_MARK = "<!-- rows -->"


def write_page(
    file: IO[str], page: Path, title: str, attributes: Sequence[str], rows: Iterable[Row], made_by: dict[str, Any]
) -> None:
    """Write the page.

    Args:
        file: open for text.
        page: where the page will lie: links to the photos are relative to its folder.
        title: of the page.
        attributes: their names, in order.
        rows: of ``pocketiqa.report.rows.report_row``; with ``decision`` and ``reasons`` where a gate decided.
        made_by: what the rows were made with.
    """
    script = _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data: 'self' file:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    before, after = Template(_part("page.html")).substitute(
        title=html.escape(_shown(title)), style=_part("page.css"), script=script, policy=html.escape(policy),
    ).split(_MARK)  # fmt: skip
    file.write(before)
    file.write(f'{{"attributes": {_json(list(attributes))}, "made_by": {_json(made_by)}, "photos": [')
    for number, row in enumerate(rows):
        file.write(",\n" if number else "\n")
        rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
        file.write(_json({**printable_path(rounded), "link": _link(row["path"], page)}))
    file.write("\n]}")
    file.write(after)


def _part(name: str) -> str:
    return files("pocketiqa.report").joinpath(name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    """JSON in ASCII without ``<``: nothing in it can end the script element or begin a comment."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _link(photo: str, page: Path) -> str | None:
    """The photo's address relative to the page's folder; None where there is none (another drive)."""
    try:
        relative = os.path.relpath(photo, page.absolute().parent)
    except ValueError:
        return None
    return "./" + quote(os.fsencode(relative.replace(os.sep, "/")))


def _shown(text: str) -> str:
    return os.fsencode(text).decode(errors="backslashreplace")
