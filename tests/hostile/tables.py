"""Tables of scores: every dialect of a spreadsheet is read right, and every fault is one line with file and cure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from distill.data.mos_sets import MosSet, MosSetError, read_biq2021, read_scored_photos
from distill.data.mos_sets.meta_info import LAYOUTS, read_meta_info
from tests.hostile.mutations import MUTATIONS
from tests.hostile.place import Place
from tests.hostile.tally import Tally

SCORES = {"grün/a.jpg": 0.72, "b, c.png": 0.31, "d.jpg": 1.0, 'e "f".jpg': 0.0}
_HEADINGS = (("name", "score"), ("Name", "Score"), ("IMAGE NAME", "MOS"), ("img_name", "mos"), None)
_FAULTS = {
    "short row": "{head}\nd.jpg\n",
    "long row": "{head}\nd.jpg,0,5\n",
    "giant cell": "{head}\n" + "x" * 300_000 + ",0.5\n",
    "a cell without an end": '{head}\n"d.jpg,0.5\na.jpg,0.5\n',
    "contradiction": "{head}\nd.jpg,0.5\n./d.jpg,0.6\n",
    "duplicate column": "{head},{score}\nd.jpg,0.5,0.6\n",
    "two columns for one thing": "{head},quality_mos\nd.jpg,0.5,0.6\n",
    "outside the scale": "{head}\nd.jpg,500\n",
    "no number": "{head}\nd.jpg,good\n",
    "nan": "{head}\nd.jpg,nan\n",
    "infinite": "{head}\nd.jpg,1e999\n",
    "no name": "{head}\n,0.5\n",
    "two decimal marks": '{head}\nd.jpg,0.5\na.jpg,"0,6"\n',
    "only a heading": "{head}\n",
}


def try_tables(place: Place, tally: Tally, n: int, every: int = 1) -> None:
    """Every ``every``-th dialect and fault, and ``n`` damaged tables."""
    folder = _photos(place.fresh("scored"))
    readers = _readers(folder)
    own, read_own = readers["own"]
    for content in _dialects()[::every]:
        outcome = _read(read_own, own, content)
        _count(tally, "as a spreadsheet writes it", outcome, outcome == SCORES)
    for (fault, text), (name, (file, read)) in list(itertools.product(_FAULTS.items(), readers.items()))[::every]:
        score = "score" if name == "own" else "mos"
        outcome = _read(read, file, text.format(head=f"name,{score}", score=score).encode())
        _count(tally, "with a fault", outcome, isinstance(outcome, Refused), f"{name}, {fault}: ")
    sound = "name,score\n" + "".join(f"{_quoted(name, ',')},{score}\n" for name, score in SCORES.items())
    for number in range(n):
        outcome = _read(read_own, own, MUTATIONS[number % len(MUTATIONS)](sound.encode(), place.random))
        in_range = isinstance(outcome, dict) and all(0 <= score <= 1 for score in outcome.values())
        _count(tally, "damaged", outcome, in_range or isinstance(outcome, Refused))


def _photos(folder: Path) -> Path:
    for name in SCORES:
        photo = folder / "Images" / name
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(photo)
    return folder


def _readers(folder: Path) -> dict[str, tuple[Path, Callable[[], MosSet]]]:
    """Where each reader looks for its table, and the reader."""
    own, biq = folder / "scores.csv", folder / "Train (Images and MOS).csv"
    spaq = folder / LAYOUTS["spaq"].tables[0]
    (folder / LAYOUTS["spaq"].photos[0]).symlink_to(folder / "Images")
    return {
        "own": (own, lambda: read_scored_photos(folder / "Images", own)),
        "biq2021": (biq, lambda: read_biq2021(folder)),
        "spaq": (spaq, lambda: read_meta_info("spaq", folder)),
    }


def _dialects() -> list[bytes]:
    made = []
    for delimiter, decimal, encoding, end, heading, excels_own in itertools.product(
        ",;\t", ".,", ("utf-8", "utf-8-sig", "utf-16", "cp1252"), ("\n", "\r\n", "\r"), _HEADINGS, (False, True)
    ):
        lines = [f"sep={delimiter}"] if excels_own else []
        lines += [] if heading is None else [delimiter.join(heading)]
        for name, score in SCORES.items():
            lines.append(_quoted(name, delimiter) + delimiter + _quoted(str(score).replace(".", decimal), delimiter))
        made.append(end.join([*lines, ""]).encode(encoding))
    return made


def _quoted(cell: str, delimiter: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if delimiter in cell or '"' in cell else cell


class Refused(str):
    """The words of a refusal that names the file and the cure."""


def _read(read: Callable[[], MosSet], file: Path, content: bytes) -> dict[str, float] | str:
    """The scores by name, a refusal, or what should not have been."""
    file.write_bytes(content)
    try:
        found = read()
    except MosSetError as error:
        words = str(error)
        told = file.name in words and "; " in words and "\n" not in words
        return Refused(words) if told else f"refused without file or cure: {words}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    names = ("/".join(path.relative_to(file.parent).parts[1:]) for path in found.paths)
    return dict(zip(names, found.mos.tolist()))


def _count(tally: Tally, given: str, outcome: dict[str, float] | str, right: bool, which: str = "") -> None:
    if right:
        tally.add("tables of scores", given, "harmless" if isinstance(outcome, dict) else "refused")
    else:
        tally.fail("tables of scores", given, f"{which}{outcome}")
