"""The folder ``web`` of a bundle: the package for browsers and its page, which score with the bundle's ONNX programs.

Nothing in it depends on the network: the page reads ``manifest.json``. Its JavaScript is committed as ``npm run build``
makes it, so that a bundle is built without node. ONNX Runtime's wasm, 14 MB, goes along where ``npm install`` was run
in ``mobile_export/integration/web``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = Path(__file__).parent / "web"
RUNTIME = "ort"
_FILES = ("README.md", "index.html", "package.json", "place_runtime.mjs", "style.css", "tsconfig.json")
_FOLDERS = ("dist", "src", RUNTIME)
NO_RUNTIME = (
    "The page for browsers lacks ONNX Runtime's wasm, because npm was not run before the build: run `npm install` in "
    "the bundle's folder web, once, before you serve the bundle."
)


def write_web(root: Path, source: Path = FOLDER) -> tuple[list[str], list[str]]:
    """Write ``root/web``.

    Args:
        root: the bundle's folder.
        source: where the package lies.

    Returns:
        The files' names relative to ``root``, and what has to be said about them in words.
    """
    inner = [path for folder in _FOLDERS for path in sorted((source / folder).rglob("*")) if path.is_file()]
    names = []
    for path in (*(source / file for file in _FILES), *inner):
        name = f"web/{path.relative_to(source).as_posix()}"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, root / name)
        names.append(name)
    return names, [] if (source / RUNTIME).is_dir() else [NO_RUNTIME]
