"""Code for apps that load a bundle, preprocess to its spec, score, and check the golden photos: Kotlin and Swift, and
a page for servers, where the package itself scores.

How to feed the network stands in the manifest, which the code reads. What no manifest says is generated from the Python
sources, so that it cannot drift; every bundle gets its own copy.
``python -m mobile_export integration --out mobile_export`` renews the committed ones.
"""

from __future__ import annotations

from pathlib import Path

from mobile_export.integration.kotlin import kotlin_files
from mobile_export.integration.swift import swift_files

SERVER = "server/README.md"


def write_integration(root: Path) -> list[str]:
    """Write the code to ``root/integration``; the files' names relative to ``root``."""
    texts = {SERVER: (Path(__file__).parent / SERVER).read_text()}
    texts |= {f"android/{name}": text for name, text in kotlin_files().items()}
    texts |= {f"apple/{name}": text for name, text in swift_files().items()}
    for name, text in texts.items():
        path = root / "integration" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [f"integration/{name}" for name in texts]
