"""The house keeps its own rules: who imports whom, how long a file may be, how deep imports go."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

CHECKOUT = Path(__file__).parents[1]
FOLDERS = [CHECKOUT / name for name in ("sdk_python/pocketiqa", "distill", "quantize", "mobile_export", "benchmarks")]
CODE = {".py", ".kt", ".swift", ".cpp", ".js", ".ts", ".jinja"}


def test_the_contracts_in_pyproject_hold(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(str(CHECKOUT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out


def test_no_file_of_the_product_is_over_250_lines() -> None:
    files = [file for folder in FOLDERS for file in folder.rglob("*") if file.suffix in CODE]
    files = [file for file in files if "node_modules" not in file.parts]
    assert len(files) > 100
    lengths = {str(file.relative_to(CHECKOUT)): len(file.read_text().splitlines()) for file in files}
    assert not {name: lines for name, lines in lengths.items() if lines > 250}


def test_the_floor_of_distill_has_at_most_twelve_entries() -> None:
    entries = sorted(path.name for path in (CHECKOUT / "distill").iterdir() if path.name != "__pycache__")
    assert len(entries) <= 12, entries


def test_no_chain_of_imports_in_distill_is_deeper_than_six() -> None:
    graph = grimp.build_graph("distill", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    chains: dict[str, list[str]] = {}
    for module in TopologicalSorter(imports).static_order():
        chains[module] = [module, *max((chains[imported] for imported in imports[module]), key=len, default=[])]
    longest = max(chains.values(), key=len)
    assert len(longest) - 1 <= 6, " → ".join(longest)


def test_no_nan_reaches_a_json_file_of_training_quantization_or_export() -> None:
    calls = [
        (file.relative_to(CHECKOUT), call)
        for room in ("distill", "quantize", "mobile_export")
        for file in sorted((CHECKOUT / room).rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("json.dumps", "json.dump")
    ]
    assert len(calls) > 5
    strict = [any(ast.unparse(option) == "allow_nan=False" for option in call.keywords) for _, call in calls]
    assert not [f"{file}:{call.lineno}" for (file, call), is_strict in zip(calls, strict) if not is_strict]
