"""The page of a folder: what it holds, that it loads nothing, and that no file name becomes markup."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from PIL import Image
from pocketiqa.cli import main
from pocketiqa.gate import Gate, Threshold
from pocketiqa.report.page import write_page
from pocketiqa.report.rows import MOST_BYTES, report_row, thumbnail_of
from pocketiqa.scorer import Result

ATTRIBUTES = ("sharpness", "noise")
HOSTILE = [
    "</script><script>alert(1)</script>.jpg", "<!-- rows -->.jpg", "<!--<script>.jpg", "a\"b'c&d.jpg", "$title.jpg",
    "evil\u202egpj.exe", "line\nbreak.jpg", "javascript:alert(1)", "\u2028.jpg", "latin-\udce9.jpg", "]]>.jpg",
]  # fmt: skip


class Page(HTMLParser):
    """The text of each script and style, the attributes of each element, and all text outside of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._script: dict[str, str | None] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._script = dict(attrs) if tag == "script" else None

    def handle_data(self, data: str) -> None:
        (self.text if self._script is None else self.scripts).append(
            data if self._script is None else (self._script, data)  # type: ignore[arg-type]
        )

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    @property
    def rows(self) -> list[dict]:
        ((_, data),) = [script for script in self.scripts if script[0].get("type") == "application/json"]
        return json.loads(data)["photos"]


def page_of(rows: list[dict], title: str = "A title", at: Path = Path("/somewhere/page.html")) -> tuple[Page, str]:
    file = io.StringIO()
    write_page(file, at, title, ATTRIBUTES, rows, {"bundle": "lite0"})
    return Page(file.getvalue()), file.getvalue()


def row(path: str, score: float | None = 0.5, error: str | None = None) -> dict:
    return {
        "path": path,
        "score": score,
        "sharpness": 0.123456,
        "noise": 0.5,
        "error": error,
        "thumbnail": "",
        "map": None,
    }


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    (tmp_path / "album").mkdir()
    for name in ("coffee", "rocket"):
        Image.fromarray(photos[name]).save(tmp_path / "album" / f"{name}.jpg")
    (tmp_path / "album" / "broken.jpg").write_text("no photo")
    return tmp_path / "album"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text(name: str) -> None:
    page, text = page_of([row(f"/x/{name}", None, error=name), row("/x/b.jpg")], title=name)
    assert [attributes.get("type") for attributes, _ in page.scripts] == ["application/json", None]
    shown = os.fsencode(name).decode(errors="backslashreplace")
    assert page.rows[0]["path"] == f"/x/{shown}" and page.rows[0]["error"] == name
    assert [tag for tag, _ in page.elements].count("img") == 1
    assert text.count("alert(1)") == 0 or "alert(1)" in shown
    assert shown in "".join(page.text)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_link_is_a_path_beside_the_page_and_nothing_else(name: str) -> None:
    page, _ = page_of([row(f"/somewhere/below/{name}")])
    link = page.rows[0]["link"]
    assert link.startswith("./below/") and not set(link) & set("<>\"'?#&:\\ \n")
    assert unquote_to_bytes(link.removeprefix("./below/")) == os.fsencode(name)


def test_the_policy_allows_the_pages_own_script_and_loads_nothing() -> None:
    page, text = page_of([row("/x/a.jpg")])
    (policy,) = [attributes["content"] for tag, attributes in page.elements if attributes.get("http-equiv")]
    _, script = page.scripts[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'") and f"script-src 'sha256-{digest}'" in policy
    assert not [a for _, a in page.elements if a.get("src") or a.get("href")]
    assert "http:" not in text and "https:" not in text and "innerHTML" not in script


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_can_be_parsed(tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text(page_of([])[0].scripts[1][1])
    subprocess.run(["node", "--check", str(tmp_path / "page.js")], check=True, timeout=60)


def test_every_element_that_the_script_asks_for_is_there() -> None:
    import re

    page, _ = page_of([])
    wanted = set(re.findall(r'\$\("([\w-]+)"\)', page.scripts[1][1]))
    assert len(wanted) > 15 and wanted <= {attributes.get("id") for _, attributes in page.elements}


def test_numbers_are_rounded_and_made_by_is_told() -> None:
    page, text = page_of([row("/x/a.jpg", 0.98765432)])
    assert page.rows[0]["score"] == 0.9877 and page.rows[0]["sharpness"] == 0.1235
    assert '"made_by": {"bundle":"lite0"}' in text


# A photo's part of the page


def test_a_photo_takes_at_most_six_kilobytes(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    for pixels in (noise, photos["coffee"], noise[:30, :900]):
        Image.fromarray(pixels).save(tmp_path / "photo.png")
        map_ = np.random.default_rng(1).random((10, 10), dtype=np.float32)
        values = dict.fromkeys(["sharpness", "noise", "exposure", "contrast", "colour", "compression"], 1 / 3)
        made = report_row(Result(str(tmp_path / "photo.png"), 2 / 3, values, map_, "runtime 1.2.3"), tuple(values))
        thumbnail = Image.open(io.BytesIO(base64.b64decode(made["thumbnail"])))
        assert thumbnail.format == "WEBP" and max(thumbnail.size) <= 192
        _, empty = page_of([])
        _, text = page_of([made], at=tmp_path / "page.html")
        assert len(text) - len(empty) <= 6000
        assert np.abs(np.array(made["map"]) / 100 - map_).max() <= 0.006


def test_what_cannot_be_made_small_by_quality_is_made_small_by_size() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    encoded = thumbnail_of(Image.fromarray(noise))
    assert len(encoded) <= MOST_BYTES and Image.open(io.BytesIO(encoded)).width < 800


def test_a_photo_that_vanished_after_it_was_scored_is_an_error(tmp_path: Path) -> None:
    made = report_row(Result(str(tmp_path / "gone.jpg"), 0.5, {"sharpness": 0.5}, None, "r"), ("sharpness",))
    assert "cannot be read" in made["error"] and made["score"] is made["sharpness"] is made["thumbnail"] is None


# The command


def test_the_page_holds_every_photo_and_the_csv_the_same_rows(folder: Path, capsys: pytest.CaptureFixture) -> None:
    page, rows = folder.parent / "page.html", folder.parent / "rows.csv"
    assert main(["report", str(folder), "-o", str(page), "--csv", str(rows)]) == 1  # one file is no photo
    shown = {Path(row["path"]).name: row for row in Page(page.read_text()).rows}
    assert set(shown) == {"coffee.jpg", "rocket.jpg", "broken.jpg"}
    assert "no picture" in shown["broken.jpg"]["error"] and shown["broken.jpg"]["thumbnail"] is None
    assert np.array(shown["coffee.jpg"]["map"]).shape == (10, 10)
    assert shown["coffee.jpg"]["link"] == "./album/coffee.jpg"
    assert "takes most" in shown["coffee.jpg"]["explanation"] and shown["coffee.jpg"]["width"] == 600
    with open(rows, newline="") as file:
        for written in csv.DictReader(file):
            score = shown[Path(written["path"]).name]["score"]
            assert written["score"] == "" if score is None else abs(float(written["score"]) - score) <= 6e-5
    assert "shows 2 photos; 1 could not be scored" in capsys.readouterr().err
    assert sorted(path.name for path in folder.parent.iterdir()) == ["album", "page.html", "rows.csv"]


def test_a_gate_adds_its_decision_to_page_and_csv(folder: Path, capsys: pytest.CaptureFixture) -> None:
    page, rows, gate = (folder.parent / name for name in ("page.html", "rows.csv", "gate.json"))
    main(["score", str(folder / "coffee.jpg"), "--format", "jsonl"])
    coffee = json.loads(capsys.readouterr().out)["score"]
    Gate((Threshold("score", round(coffee + 0.002, 3), "poor"),)).write(gate)
    main(["report", str(folder / "coffee.jpg"), "-o", str(page), "--csv", str(rows), "--gate", str(gate)])
    (shown,) = Page(page.read_text()).rows
    assert shown["decision"] == "refused" and shown["reasons"].startswith("poor: score 0.")
    assert ',refused,"poor: score 0.' in rows.read_text()
    main(["report", str(folder / "coffee.jpg"), "-o", str(page), "--gate", "default"])
    assert Page(page.read_text()).rows[0]["decision"] in ("accepted", "refused")


def test_a_stopped_report_goes_on_to_the_same_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    page = folder.parent / "page.html"
    call = ["report", str(folder), "-o", str(page)]
    main(call)
    whole = page.read_text()
    page.unlink()
    made: list[str] = []

    def stopped(result: Result, attributes: tuple[str, ...], gate: None) -> dict:
        made.append(Path(result.path).name)
        if len(made) == 3:
            raise KeyboardInterrupt
        return report_row(result, attributes)

    monkeypatch.setattr("pocketiqa.commands.report.report_row", stopped)
    assert main(call) == 130 and not page.exists()
    assert main([*call, "--resume"]) == 1
    assert page.read_text() == whole
    assert made == ["broken.jpg", "coffee.jpg", "rocket.jpg", "broken.jpg", "rocket.jpg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "{tmp}/page.html", "--csv", "{tmp}/page.html"], "give two files"),
        (["-o", "{tmp}/page.html", "--csv", "{tmp}"], "name a file"),
        (["-o", "{tmp}/none/page.html"], "a folder that exists"),
        (["-o", "{tmp}/album/coffee.jpg"], "is one of the photos"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, options: list[str], words: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["report", str(folder), *(option.format(tmp=folder.parent) for option in options)]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_a_report_needs_a_file(folder: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["report", str(folder)])
    assert caught.value.code == 2 and "-o" in capsys.readouterr().err
