"""Which changes to ``pocketiqa`` would no test notice?

    uv run python -m tests.mutation [--work runs/mutation] [--module parity]

Lays the package and its tests out as mutmut wants them, with the tests' tiny bundles made once, and runs mutmut in the
SDK's own environment, without torch. It prints the mutants by module and writes every survivor's change to
``survivors.diff``. Stopped, it goes on from where it was; ``--again`` tries earlier survivors on tests that are newer.

A mutant runs with your rights, and one that forgot to check where it writes may write anywhere: use a container.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
_SETTINGS = """[mutmut]
source_paths=
    pocketiqa
pytest_add_cli_args_test_selection=
    tests/sdk_python
also_copy=
    mobile_export
    tests
    pytest.ini
"""
_PYTEST = "[pytest]\npythonpath = .\nmarkers =\n    slow: takes more than ten seconds\n"
_DIFFS = """import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
print("\\f".join(f"# {name}\\n{get_diff_for_mutant(name)}" for name in sys.argv[1:]))"""
_TEXT = re.compile(r"""f?"[^"]*"|f?'[^']*'""")
_CAUGHT = ("killed", "timeout", "segfault", "suspicious")


def main() -> None:
    """Parse, lay out, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--work", type=Path, default=Path("runs/mutation"), help="kept between runs")
    parser.add_argument("--module", action="append", help="only this one; may be given again")
    parser.add_argument("--again", action="store_true", help="try the survivors of earlier runs once more")
    parser.add_argument("--children", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--python", help="an interpreter with pocketiqa, pytest, hypothesis and mutmut")
    options = parser.parse_args()
    lay_out(options.work)
    environment = os.environ | {"POCKETIQA_TINY_BUNDLES": str((options.work / "bundles").resolve())}

    def mutmut(*arguments: str, **settings: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*_interpreter(options.python), "-m", "mutmut", *arguments], cwd=options.work, env=environment, **settings
        )

    def results() -> tuple[dict[str, str], list[str]]:
        shown = mutmut("results", "--all", "true", capture_output=True, text=True, check=True)
        states = read_states(shown.stdout)
        return states, [name for name, state in states.items() if state == "survived"]

    run = ("run", "--max-children", str(options.children))
    if options.again:
        mutmut(*run, *results()[1], check=True)
    mutmut(*run, *(f"pocketiqa.{module}.*" for module in options.module or []), check=True)
    states, survivors = results()
    shown = subprocess.run(
        [*_interpreter(options.python), "-c", _DIFFS, *survivors],
        cwd=options.work, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (options.work / "survivors.diff").write_text(shown.stdout)
    diffs = dict(zip(survivors, shown.stdout.split("\f")))
    print(table(states, {name for name, diff in diffs.items() if only_words(diff)}))
    print(f"\nThe survivors' changes are in {options.work / 'survivors.diff'}")


def lay_out(work: Path) -> None:
    """Fill ``work``; what mutmut has found out there before stays."""
    sdk = CHECKOUT / "sdk_python" / "pocketiqa"
    without_bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(sdk, work / "pocketiqa", dirs_exist_ok=True, ignore=without_bytecode)
    tests = Path("tests") / "sdk_python"
    shutil.copytree(CHECKOUT / tests, work / tests, dirs_exist_ok=True, ignore=without_bytecode)
    shutil.copy2(CHECKOUT / "tests" / "conftest.py", work / "tests")
    inputs = Path("mobile_export") / "golden" / "inputs"
    shutil.copytree(CHECKOUT / inputs, work / inputs, dirs_exist_ok=True)
    (work / "setup.cfg").write_text(_SETTINGS)
    (work / "pytest.ini").write_text(_PYTEST)
    if not (work / "bundles").is_dir():
        with tempfile.TemporaryDirectory(dir=work) as folder:
            bundles = Path(folder) / "bundles"
            subprocess.run([sys.executable, "-m", "tests.tiny_bundles", str(bundles)], cwd=CHECKOUT, check=True)
            bundles.rename(work / "bundles")


def read_states(lines: str) -> dict[str, str]:
    """Mutant → what became of it, from ``mutmut results``."""
    pairs = (line.strip().rsplit(": ", 1) for line in lines.splitlines() if ": " in line)
    return {name: state for name, state in pairs if name.startswith("pocketiqa.")}


def only_words(diff: str) -> bool:
    """Whether a change is one of a text's words, or leaves out the text of an error."""
    before, after = (
        [_TEXT.sub("text", line[1:]) for line in diff.splitlines() if line.startswith(sign) and line[1:2] == " "]
        for sign in "-+"
    )
    return [line.replace("(None)", "(text)") for line in after] == before


def table(states: dict[str, str], words: set[str]) -> str:
    """Markdown: mutants by module; noticed by a test, by none, of these only words; in lines that no test reaches."""
    modules: dict[str, Counter] = {}
    for name, state in states.items():
        counts = modules.setdefault(name.split(".x")[0].removeprefix("pocketiqa."), Counter())
        counts["noticed" if state in _CAUGHT else state] += 1
        counts["words"] += name in words
    modules["all"] = sum(modules.values(), Counter())
    columns = ("noticed", "survived", "words", "no tests", "not checked")
    lines = ["| module | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    lines += [f"| {name} | " + " | ".join(str(counts[c]) for c in columns) + " |" for name, counts in modules.items()]
    return "\n".join(lines)


def _interpreter(given: str | None) -> list[str]:
    if given:
        return [given]
    packages = ["pytest", "hypothesis", "scikit-image", "scikit-learn", "mutmut"]
    extra = [part for package in packages for part in ("--with", package)]
    return ["uv", "run", "--no-project", "--python", "3.12", "--with", str(CHECKOUT / "sdk_python"), *extra, "python"]


if __name__ == "__main__":
    main()
