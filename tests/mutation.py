"""Which changes to ``pocketiqa`` would no test notice?

    uv run python -m tests.mutation [--work runs/mutation] [--module parity.py]

Lays the package and its tests out as mutmut wants them, with the tests' tiny bundle made once, and runs mutmut in the
SDK's own environment, without torch. It prints the mutants by module and writes every survivor's change to
``survivors.diff``. Stopped, it goes on from where it was; ``--again`` tries earlier survivors on tests that are newer.

A mutant runs with your rights, and one that forgot to check where it writes may write anywhere: use a container.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
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
{only}
"""
_PYTEST = "[pytest]\npythonpath = .\nmarkers =\n    slow: takes more than ten seconds\n"
_CAUGHT = ("killed", "timeout", "segfault", "suspicious")


def main() -> None:
    """Parse, lay out, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--work", type=Path, default=Path("runs/mutation"), help="kept between runs")
    parser.add_argument("--module", action="append", help="only this file of the package; may be given again")
    parser.add_argument("--again", action="store_true", help="try the survivors of earlier runs once more")
    parser.add_argument("--children", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--python", help="an interpreter with pocketiqa, pytest, hypothesis and mutmut")
    options = parser.parse_args()
    lay_out(options.work, options.module or [])
    environment = os.environ | {"POCKETIQA_TINY_BUNDLE": str((options.work / "tiny").resolve())}

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
    mutmut(*run, check=True)
    states, survivors = results()
    print(table(states))
    with open(options.work / "survivors.diff", "w") as file:
        for name in survivors:
            file.write(mutmut("show", name, capture_output=True, text=True, check=True).stdout)
    print(f"\n{len(survivors)} survivors' changes are in {options.work / 'survivors.diff'}")


def lay_out(work: Path, modules: list[str]) -> None:
    """Fill ``work``; what mutmut has found out there before stays."""
    sdk = CHECKOUT / "sdk_python" / "pocketiqa"
    without_bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(sdk, work / "pocketiqa", dirs_exist_ok=True, ignore=without_bytecode)
    tests = Path("tests") / "sdk_python"
    shutil.copytree(CHECKOUT / tests, work / tests, dirs_exist_ok=True, ignore=without_bytecode)
    shutil.copy2(CHECKOUT / "tests" / "conftest.py", work / "tests")
    inputs = Path("mobile_export") / "golden" / "inputs"
    shutil.copytree(CHECKOUT / inputs, work / inputs, dirs_exist_ok=True)
    only = "\n    ".join(["only_mutate=", *(f"pocketiqa/{module}" for module in modules)]) if modules else ""
    (work / "setup.cfg").write_text(_SETTINGS.format(only=only))
    (work / "pytest.ini").write_text(_PYTEST)
    if not (work / "tiny").is_dir():
        from tests.conftest import packaged_photos, write_tiny_bundle

        with tempfile.TemporaryDirectory(dir=work) as folder:
            write_tiny_bundle(Path(folder) / "tiny", packaged_photos())
            (Path(folder) / "tiny").rename(work / "tiny")


def read_states(lines: str) -> dict[str, str]:
    """Mutant → what became of it, from ``mutmut results``."""
    pairs = (line.strip().rsplit(": ", 1) for line in lines.splitlines() if ": " in line)
    return {name: state for name, state in pairs if name.startswith("pocketiqa.")}


def table(states: dict[str, str]) -> str:
    """Markdown: mutants by module, those that a test noticed, those that none did, those that none reaches."""
    modules: dict[str, Counter] = {}
    for name, state in states.items():
        modules.setdefault(name.split(".x")[0], Counter())[state] += 1
    modules["all"] = sum(modules.values(), Counter())
    lines = ["| module | mutants | noticed | survived | no test |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, counts in modules.items():
        noticed = sum(counts[state] for state in _CAUGHT)
        lines.append(f"| {name} | {counts.total()} | {noticed} | {counts['survived']} | {counts['no tests']} |")
    return "\n".join(lines)


def _interpreter(given: str | None) -> list[str]:
    if given:
        return [given]
    packages = ["pytest", "hypothesis", "scikit-image", "scikit-learn", "mutmut"]
    extra = [part for package in packages for part in ("--with", package)]
    return ["uv", "run", "--no-project", "--python", "3.12", "--with", str(CHECKOUT / "sdk_python"), *extra, "python"]


if __name__ == "__main__":
    main()
