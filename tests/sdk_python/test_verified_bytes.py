"""The bytes that were compared with the manifest are the bytes that are used: whoever swaps a file after that changes
nothing, and whoever swaps it before is found out."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pocketiqa
import pytest
from pocketiqa import Bundle, Scorer, pack, preprocess
from pocketiqa.check_input import check_input, read_tensor
from pocketiqa.errors import PocketiqaError
from pocketiqa.inspection import inspect_bundle, inspect_program
from pocketiqa.verification import verify_bundle

PACKAGE = Path(pocketiqa.__file__).parent


@pytest.fixture
def swapped_after_reading(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A bundle in which every file is sound at the moment of its reading, and another one at once afterwards.

    The other one is of the same kind, so that using it would not fail but give wrong results: the photo of another
    scene, the program of another precision. What a path leads to is sound only inside ``open``.
    """
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "swapped"))
    originals = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.suffix != ".json"}
    others = {}
    for path in originals:
        alike = [other for other in originals if other.suffix == path.suffix and other != path]
        others[path] = originals[alike[0]]
    read = Bundle.read
    swaps: list[Path] = []

    def read_and_swap(bundle: Bundle, name: str) -> bytes:
        if bundle.root != copy:
            return read(bundle, name)
        path = bundle.root / name
        path.write_bytes(originals[path])
        content = read(bundle, name)
        path.write_bytes(others[path])
        swaps.append(path)
        return content

    monkeypatch.setattr(Bundle, "read", read_and_swap)
    yield copy
    assert swaps, "nothing was read through the bundle"


def test_scores_are_those_of_the_verified_program(
    swapped_after_reading: Path, tiny_bundle: Path, photos: dict[str, np.ndarray]
) -> None:
    scorer = Scorer(swapped_after_reading, "int8")
    assert scorer(photos["coffee"]).score == Scorer(Bundle.open(tiny_bundle), "int8")(photos["coffee"]).score
    scorer.program.unload()  # as a change of the thread pool does: it is loaded again from memory
    assert scorer(photos["chelsea"]).score == Scorer(tiny_bundle, "int8")(photos["chelsea"]).score


def test_verification_is_of_the_verified_programs_and_photos(swapped_after_reading: Path, tiny_bundle: Path) -> None:
    found = verify_bundle(swapped_after_reading)
    assert found.broken == [] and found.to_dict() == verify_bundle(tiny_bundle).to_dict()


def test_inspection_is_of_the_verified_programs(swapped_after_reading: Path, tiny_bundle: Path) -> None:
    assert inspect_bundle(swapped_after_reading) == inspect_bundle(tiny_bundle)


def test_an_input_is_compared_with_the_verified_photos(swapped_after_reading: Path, tiny_bundle: Path) -> None:
    bundle = Bundle.open(swapped_after_reading)
    tensor = preprocess(tiny_bundle / "golden" / "coffee.png", bundle.manifest.input)
    check = check_input(bundle, tensor)
    assert check.mistakes == [] and check.photo == "golden/coffee.png" and check.max_abs == 0


def test_an_archive_holds_the_verified_files(swapped_after_reading: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    pack(swapped_after_reading, tmp_path / "swapped.pocketiqa")
    pack(tiny_bundle, tmp_path / "sound.pocketiqa")
    assert (tmp_path / "swapped.pocketiqa").read_bytes() == (tmp_path / "sound.pocketiqa").read_bytes()


def test_a_lone_file_is_opened_once(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(shutil.copy(tiny_bundle / "xnnpack" / "student_int8.pte", tmp_path))
    tensor, photo = tmp_path / "x.npy", Path(shutil.copy(tiny_bundle / "golden" / "coffee.png", tmp_path))
    spec = Bundle.open(tiny_bundle).manifest.input
    np.save(tensor, preprocess(photo, spec))
    opened: list[str] = []
    real_open, os_open = open, os.open

    def counted(real):
        def call(path, *arguments, **options):
            opened.append(str(path))
            return real(path, *arguments, **options)

        return call

    monkeypatch.setattr("builtins.open", counted(real_open))
    monkeypatch.setattr("os.open", counted(os_open))
    digest = inspect_program(program)["sha256"]
    check_input(Bundle.open(tiny_bundle), read_tensor(tensor, spec), photo)
    Scorer(tiny_bundle)(photo)
    monkeypatch.undo()
    assert digest == hashlib.sha256(program.read_bytes()).hexdigest()
    assert [opened.count(str(path)) for path in (program, tensor, photo)] == [1, 1, 2]  # the photo once a command


def test_a_file_that_is_swapped_before_it_is_read_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    bundle = Bundle.open(copy)
    shutil.copy(copy / "xnnpack" / "student_fp32.pte", copy / "xnnpack" / "student_int8.pte")
    with pytest.raises(PocketiqaError, match="student_int8"):
        Scorer(bundle)


WRITES = {"write_text", "write_bytes", "mkstemp", "mkdtemp", "NamedTemporaryFile"}
WRITES |= {"replace", "rename", "save", "tofile"}
# unpack fills a folder that atomic_directory gave it; a journal's rows are there to outlive a run that is cut short.
ALLOWED = {("files.py", "mkstemp"), ("files.py", "mkdtemp"), ("files.py", "os.replace"), ("packing.py", "write_bytes")}
ALLOWED |= {("journal.py", "open for writing")}
# Under a temporary name first, and then in place only where nothing lies; a thumbnail is saved into memory.
ALLOWED |= {("new_files.py", "write_text"), ("new_files.py", "os.rename"), ("report/rows.py", "save")}


def writing_calls(tree: ast.AST) -> Iterator[str]:
    """Names of calls that write a file: by method, or by ``open`` with a mode that writes."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        of = getattr(getattr(call.func, "value", None), "id", "")
        if name in WRITES and not (name == "replace" and of not in ("os", "shutil")):
            yield f"os.{name}" if of == "os" else name
        words = [*call.args[:2], *(word.value for word in call.keywords if word.arg == "mode")]
        modes = [value for node in words if re.fullmatch("[rwaxbt+]+", value := str(getattr(node, "value", "")))]
        target = ast.unparse(call.args[0]) if call.args else ""
        if name == "open" and any(set("wax+") & set(mode) for mode in modes) and target != "os.devnull":
            yield "open for writing"


def test_whatever_the_package_writes_appears_whole_or_not_at_all() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in writing_calls(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == ALLOWED


@pytest.mark.parametrize(
    "code",
    ["open(p, 'w')", "p.open(mode='ab')", "p.open('r+')", "p.write_text(x)", "np.save(p, x)", "os.replace(a, b)"],
)
def test_the_search_for_writing_calls_finds_them(code: str) -> None:
    assert list(writing_calls(ast.parse(code)))


@pytest.mark.parametrize("code", ["open(p)", "open(p, 'rb')", "text.replace(a, b)", "open(os.devnull, 'w')"])
def test_the_search_for_writing_calls_finds_nothing_else(code: str) -> None:
    assert not list(writing_calls(ast.parse(code)))
