"""A bundle's folder as one file ``NAME.pocketiqa``, and back.

    pack("dist/pocketiqa-lite0-0.1.0", "lite0.pocketiqa")
    unpack("lite0.pocketiqa", "lite0")

Both ways every file is compared with the manifest, and the result appears whole or not at all. A packed bundle
need not be unpacked to be scored with: ``Bundle.open`` reads it in place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pocketiqa.archive import write_archive
from pocketiqa.bundle import MANIFEST, Bundle
from pocketiqa.errors import BundleError
from pocketiqa.files import atomic_directory, atomic_file


def pack(bundle: str | Path, target: str | Path) -> Path:
    """Write the bundle's manifest and the files that it names into one archive; the same bundle gives the same
    bytes. An older file is replaced.

    Raises:
        BundleError: no sound bundle, or the target is no place for a file.
    """
    source, target = Bundle.open(bundle), Path(target)
    if os.path.lexists(target) and not os.path.isfile(target):
        raise BundleError(f"{target} is no regular file; name another one to pack into")
    try:
        with atomic_file(target, "wb") as file:
            write_archive(file, _contents(source))
    except OSError as error:
        raise BundleError(f"{target} cannot be written: {error.strerror}") from None
    return target


def unpack(archive: str | Path, target: str | Path) -> Path:
    """Write the files that the archive's manifest names into a new folder; whatever else it holds is left out.

    Raises:
        BundleError: no sound archive, or the target exists already.
    """
    source, target = Bundle.open(archive), Path(target)
    if os.path.lexists(target):
        raise BundleError(f"{target} exists already; name a new folder to unpack into")
    try:
        with atomic_directory(target) as folder:
            for name, content in _contents(source):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    except OSError as error:
        raise BundleError(f"{target} cannot be written: {error.strerror}") from None
    return target


def _contents(source: Bundle) -> Iterator[tuple[str, bytes]]:
    yield MANIFEST, source.manifest_bytes
    for name in sorted(source.manifest.files):
        if name != MANIFEST:
            yield name, source.read(name)
