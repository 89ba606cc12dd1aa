"""The command starts with little: what is heavy, or only some need, is imported when it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "mobile_export" / "golden"
# Of the command with its arguments parsed and a photo prepared; Python itself and numpy are most of them.
MOST_MODULES = 430

PROGRAM = """
import json, sys
from pocketiqa.cli import _parser
_parser().parse_args(["score", "photo.jpg"])
parsed = sorted(sys.modules)
from pocketiqa import Bundle, preprocess
preprocess(sys.argv[1], Bundle.open().manifest.input)
print(json.dumps([parsed, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def modules() -> tuple[set[str], set[str]]:
    """Names of the modules after the arguments are parsed, and after a JPEG has become the input."""
    command = [sys.executable, "-c", PROGRAM, str(GOLDEN / "coffee-clean.jpg")]
    parsed, prepared = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return set(parsed), set(prepared)


def packages(names: set[str]) -> set[str]:
    """Top-level packages that are not Python's own; names with an underscore are of tools that install and compile."""
    tops = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"cython_runtime"}
    return {top for top in tops if not top.startswith("_")}


def test_the_command_parses_with_four_packages(modules: tuple[set[str], set[str]]) -> None:
    assert packages(modules[0]) == {"pocketiqa", "numpy", "PIL", "tqdm"}


def test_a_jpeg_needs_its_decoder_and_none_of_the_other_readers(modules: tuple[set[str], set[str]]) -> None:
    assert packages(modules[1]) - packages(modules[0]) == {"simplejpeg"}
    readers = {name for name in modules[1] if name.startswith("PIL.") and name.endswith("Plugin")}
    assert readers == {"PIL.JpegImagePlugin"}


def test_few_modules_are_there_in_all(modules: tuple[set[str], set[str]]) -> None:
    assert len(modules[1]) <= MOST_MODULES
    assert not modules[1] & {"multiprocessing", "asyncio", "sqlite3", "xml.etree.ElementTree", "unittest"}
