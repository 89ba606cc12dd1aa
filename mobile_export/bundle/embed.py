"""Put a built bundle's int8 program and golden photos into the SDK package, as what ``pip install`` brings.

python -m mobile_export && python -m mobile_export.bundle.embed
"""

from __future__ import annotations

import sys
from pathlib import Path

import tyro
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle, atomic_directory
from pocketiqa.errors import PocketiqaError

from mobile_export.build import DEFAULT_OUT

EMBEDDED = {"int8"}


def embed(bundle: Path, target: Path = DEFAULT_BUNDLE) -> Path:
    """Write the embedded bundle to ``target``, replacing an older one at the end.

    Raises:
        BundleError: no bundle, or one whose files are not what its manifest says.
    """
    source = Bundle.open(bundle)
    manifest = source.manifest.subset(EMBEDDED)
    contents = {name: source.read(name) for name in manifest.files}
    with atomic_directory(target) as root:
        for name, content in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        manifest.write(root / "manifest.json")
    return target


def main(bundle: Path = DEFAULT_OUT) -> int:
    """Embed ``bundle`` into the SDK package."""
    try:
        target = embed(bundle)
    except PocketiqaError as error:
        print(f"mobile_export.bundle.embed: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{size / 1e6:.2f} MB embedded")
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
