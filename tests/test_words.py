"""The READMEs are short, their links lead somewhere, their diagrams can be drawn and their commands exist."""

from __future__ import annotations

import re
import runpy
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
ROOMS = ("distill", "quantize", "mobile_export", "sdk_python", "benchmarks", "tests")
PAGES = [*CHECKOUT.glob("*.md"), *(page for room in ROOMS for page in (CHECKOUT / room).rglob("*.md"))]
PAGES = [page for page in PAGES if "node_modules" not in page.parts]
READMES = [page for page in PAGES if page.name == "README.md"]
LIMITS = {CHECKOUT / "README.md": 120} | {CHECKOUT / room / "README.md": 100 for room in ROOMS}

LINK = re.compile(r"""(?:\]\(|(?:src|href)=")([^)#"\s]+)""")
CODE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)|^(?: {4}|\t).*?$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(
    r"^[`$\s]*(?:.*&& )?(?:uv run )?(?:python3? -m (?P<module>[\w.]+)|pocketiqa)(?=[\s`]|$)(?P<rest>.*)"
)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def name_of(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


def commands() -> dict[str, tuple[str | None, list[str]]]:
    """The module, None for ``pocketiqa``, and the words of every command in a README, by its text."""
    found = {}
    for page in READMES:
        for code in CODE.findall(page.read_text()):
            for line in code.replace("\\\n", " ").splitlines():
                if match := COMMAND.match(line.strip()):
                    rest = re.split(r"[`|;]|\s[#>&]", match["rest"])[0]
                    found[f"{match['module'] or 'pocketiqa'} {' '.join(rest.split())}"] = match["module"], rest.split()
    return found


@pytest.mark.parametrize(("page", "limit"), LIMITS.items(), ids=map(name_of, LIMITS))
def test_a_readme_is_short(page: Path, limit: int) -> None:
    lines = page.read_text().count("\n")
    assert lines <= limit


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = [target for target in LINK.findall(CODE.sub("", page.read_text())) if not re.match(r"\w+:", target)]
    assert not [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", [page for page in PAGES if "```mermaid" in page.read_text()], ids=name_of)
def test_every_diagram_can_be_drawn(page: Path) -> None:
    mermaidx = pytest.importorskip("mermaidx", reason="it is in the group docs")
    for diagram in DIAGRAM.findall(page.read_text()):
        assert "<svg" in mermaidx.Diagram(diagram).svg()


@pytest.mark.parametrize(("module", "words"), commands().values(), ids=commands())
def test_a_command_of_a_readme_exists_and_takes_what_is_shown(
    module: str | None, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if module is not None:
        assert find_spec(module) is not None
    if words or module is None:  # a module without words may be a script, which takes none and would run
        monkeypatch.setattr(sys, "argv", ["command", *words, "--help"])
        with pytest.raises(SystemExit) as ended:
            run(module)
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        known = set(re.findall(r"--[\w.-]+", COLOURS.sub("", said.out)))
        assert not {word.partition("=")[0] for word in words if word.startswith("--")} - known


def run(module: str | None) -> None:
    if module is not None:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    (command,) = entry_points(group="console_scripts", name="pocketiqa")
    command.load()()
