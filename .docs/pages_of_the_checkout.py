"""The site's pages are the checkout's Markdown files, where they lie; what they link to goes with them.

mkdocs reads one folder. This hook adds every Markdown file of the root and of the rooms under its own path, so that a
relative link means the same on a forge and in the site. The folder `.docs` holds what only the site needs.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ROOMS = ("sdk_python", "distill", "quantize", "mobile_export", "benchmarks", "tests")
MERMAID = "assets/mermaid.js"
_LINK = re.compile(r"""(?:\]\(|(?:src|href)=")(?P<target>[^)#"\s:]+)""")
_TEXT_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>[^)#\s:]+)\)")
_CODE = re.compile(r"`[^`\n]+`")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """A room's results follow its page, where it has any."""
    for entry in config.nav:
        ((title, page),) = entry.items()
        if isinstance(page, list):
            continue
        results = Path(str(page)).parent / "experiments" / "RESULTS.md"
        if (ROOT / results).is_file():
            entry[title] = [page, {"Results": results.as_posix()}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, the files that they show or link to, and the script that draws diagrams."""
    pages = [*ROOT.glob("*.md"), *(page for room in ROOMS for page in (ROOT / room).rglob("*.md"))]
    pages = [page for page in pages if "node_modules" not in page.parts]
    wanted = set(pages)
    for page in pages:
        targets = (page.parent / match["target"] for match in _LINK.finditer(page.read_text()))
        wanted |= {target.resolve() for target in targets if target.is_file()}
    for path in sorted(wanted):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    (package,) = importlib.util.find_spec("mermaidx").submodule_search_locations
    files.append(File.generated(config, MERMAID, abs_src_path=f"{package}/assets/mermaid.js"))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """What a forge shows and a site does not: a folder behind a link, and an escaped pipe in a table's code.

    A link to a folder leads to its README, or is words alone where the folder has none.
    """
    here = (ROOT / page.file.src_uri).parent

    def of_a_folder(match: re.Match[str]) -> str:
        if not (here / match["target"]).is_dir():
            return match[0]
        readme = f"{match['target'].rstrip('/')}/README.md"
        return f"[{match['text']}]({readme})" if (here / readme).is_file() else match["text"]

    return _CODE.sub(lambda match: match[0].replace("\\|", "|"), _TEXT_LINK.sub(of_a_folder, markdown))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """A page with a diagram loads mermaid from the site itself; the theme would take it from elsewhere."""
    if 'class="mermaid"' not in output:
        return output
    up = "../" * page.url.count("/")
    scripts = "".join(f'<script src="{up}{script}"></script>' for script in (MERMAID, "diagrams.js"))
    return output.replace("</head>", f"{scripts}</head>", 1)
