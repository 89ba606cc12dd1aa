"""Put a built bundle's int8 program and golden photos into the SDK package, as what ``pip install`` brings.

    python -m mobile_export && python -m mobile_export embed
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.files import atomic_directory

from distill.networks.registry import DEFAULT_NETWORK
from mobile_export.artifacts import XNNPACK_INT8
from mobile_export.sources import default_bundle

_BUILT = default_bundle(DEFAULT_NETWORK)


@dataclass(frozen=True)
class Config:
    """What is embedded, and where.

    Attributes:
        bundle: as ``python -m mobile_export`` wrote it.
        out: the folder inside the SDK package.
    """

    bundle: Path = _BUILT
    out: Path = DEFAULT_BUNDLE


def run(config: Config) -> int:
    """Embed, and print the size."""
    embed(config.bundle, config.out)
    size = sum(path.stat().st_size for path in config.out.rglob("*") if path.is_file())
    print(f"{size / 1e6:.2f} MB embedded")
    return 0


def embed(bundle: Path, target: Path) -> Path:
    """Write the embedded bundle to ``target``, replacing an older one at the end.

    Raises:
        BundleError: no bundle, or one whose files are not what its manifest says.
    """
    source = Bundle.open(bundle)
    manifest = source.manifest.subset({XNNPACK_INT8.name})
    contents = {name: source.read(name) for name in manifest.files}
    with atomic_directory(target) as root:
        for name, content in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        manifest.write(root / "manifest.json")
    return target
