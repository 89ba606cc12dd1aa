"""The house keeps its own rules: who imports whom, how long a file may be, how deep imports go."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

CHECKOUT = Path(__file__).parents[1]
ROOMS = ("distill", "quantize", "mobile_export", "benchmarks", "pocketiqa")
FOLDERS = [CHECKOUT / "sdk_python" / "pocketiqa", *(CHECKOUT / room for room in ROOMS if room != "pocketiqa")]
CODE = {".py", ".kt", ".swift", ".cpp", ".js", ".jinja"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*ROOMS, cache_dir=None)


def test_the_contracts_in_pyproject_hold(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(str(CHECKOUT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out


def test_no_file_of_the_product_is_over_250_lines() -> None:
    files = [file for folder in FOLDERS for file in folder.rglob("*") if file.suffix in CODE]
    assert len(files) > 100
    lengths = {str(file.relative_to(CHECKOUT)): len(file.read_text().splitlines()) for file in files}
    assert not {name: lines for name, lines in lengths.items() if lines > 250}


def test_the_floor_of_distill_has_at_most_twelve_entries() -> None:
    entries = sorted(path.name for path in (CHECKOUT / "distill").iterdir() if path.name != "__pycache__")
    assert len(entries) <= 12, entries


def test_no_chain_of_imports_in_distill_is_deeper_than_six(graph: grimp.ImportGraph) -> None:
    """Counted floor by floor: a folder is one step on the floor above it, and has a count of its own within."""
    floors = [module for module in graph.modules if module.split(".")[0] == "distill" and graph.find_children(module)]
    assert len(floors) > 5
    for floor in floors:
        chain = longest_chain(graph, floor)
        assert len(chain) - 1 <= 6, " → ".join(chain)


def longest_chain(graph: grimp.ImportGraph, package: str) -> list[str]:
    """The longest chain of imports among the modules and folders directly in ``package``."""
    children = sorted(graph.find_children(package))
    imports = {
        importer: {other for other in children if other != importer and depends(graph, importer, other)}
        for importer in children
    }
    chains: dict[str, list[str]] = {}
    for child in TopologicalSorter(imports).static_order():
        chains[child] = [child, *max((chains[other] for other in imports[child]), key=len, default=[])]
    return max(chains.values(), key=len)


def depends(graph: grimp.ImportGraph, importer: str, imported: str) -> bool:
    """Whether something in ``importer`` directly imports something in ``imported``."""
    within = {importer, *graph.find_descendants(importer)}
    targets = {imported, *graph.find_descendants(imported)}
    return any(graph.find_modules_directly_imported_by(module) & targets for module in within)
