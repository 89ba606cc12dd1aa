"""Read a bundle: the folder, or one packed file, that holds programs, manifest and golden photos.

    bundle = Bundle.open("dist/pocketiqa-lite0-0.1.0")
    program = load_program(bundle.read_variant("int8"))

Nothing is handed out before its size and sha256 agree with the manifest, and the bytes that were checked are
the bytes that are returned.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from pocketiqa.archive import is_archive, member_names, read_member
from pocketiqa.errors import BundleError
from pocketiqa.files import atomic_directory, confined, files_under, read_regular_file, sha256_of
from pocketiqa.manifest import MAX_MANIFEST_BYTES, FileEntry, Manifest, Variant, entries_of

__all__ = ["Bundle", "FileEntry", "Manifest", "Variant", "atomic_directory", "entries_of", "sha256_of"]

DEFAULT_BUNDLE = Path(__file__).parent / "default_bundle"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. Its manifest is checked; its files are checked as they are read.

    Attributes:
        root: the bundle's folder, or its packed file.
        manifest: as read from ``manifest.json``.
        manifest_bytes: the same as it came.
        packed: names of the files in a packed bundle; None for a folder.
    """

    root: Path
    manifest: Manifest
    manifest_bytes: bytes = field(repr=False)
    packed: frozenset[str] | None = field(default=None, repr=False)

    @classmethod
    def open(cls, path: str | Path | None = None) -> Bundle:
        """Open a bundle's folder or packed file, or the bundle that is shipped inside this package.

        Raises:
            BundleError: no such folder or file, no manifest, or a manifest against the schema.
        """
        root = DEFAULT_BUNDLE if path is None else Path(path)
        packed = member_names(root) if is_archive(root) else None
        if packed is None and not os.path.isdir(root):
            if path is None:
                raise BundleError("this installation carries no bundle; pass one with bundle= or --bundle")
            raise BundleError(
                f"{root} is not a folder or packed file; a bundle is a folder with a {MANIFEST}, or its .pocketiqa"
            )
        encoded = _read_manifest(root, packed)
        return cls(root, Manifest.from_json(encoded), encoded, packed)

    @property
    def label(self) -> str:
        """``name-version`` of the manifest."""
        return f"{self.manifest.name}-{self.manifest.version}"

    @property
    def golden(self) -> dict[str, dict[str, list[float]]]:
        """Golden photos' paths with the quality vectors expected of each variant."""
        return self.manifest.golden

    def has(self, variant: str) -> bool:
        """Whether the variant's artifact is in the bundle (an embedded bundle carries only some)."""
        entry = self.manifest.variants.get(variant)
        if entry is None:
            return False
        if self.packed is not None:
            return any(name == entry.path or name.startswith(f"{entry.path}/") for name in self.packed)
        return os.path.exists(confined(self.root, entry.path))

    def variant(self, name: str) -> Variant:
        """Raises BundleError when the manifest does not name the variant."""
        if name not in self.manifest.variants:
            known = ", ".join(sorted(self.manifest.variants)) or "none"
            raise BundleError(f"the bundle {self.label} has no variant {name!r}; it has: {known}")
        return self.manifest.variants[name]

    def artifact(self, variant: str) -> Path:
        """The verified path of a variant's file or ``.mlpackage`` folder.

        Raises:
            BundleError: unknown variant, a packed bundle, or a file that is missing, unlisted or not what its
                hash promises.
        """
        name = self.variant(variant).path
        if self.packed is not None:
            raise BundleError(f"{self.root} is packed, so {name} has no path; `pocketiqa unpack` it first")
        path = confined(self.root, name)
        if os.path.isdir(path):
            listed = {file for file in self.manifest.files if file.startswith(f"{name}/")}
            present = {f"{name}/{file}" for file in files_under(path)}
            if unlisted := sorted(present - listed):
                raise BundleError(f"{unlisted[0]} is not in the manifest; build the bundle anew")
            if not listed:
                raise BundleError(f"{name} is an empty folder; build the bundle anew")
            for file in sorted(listed):
                self.read(file)
        else:
            self.read(name)
        return path

    def read_variant(self, variant: str) -> bytes:
        """The verified bytes of a variant that is one file, a ``.pte``; raises as ``artifact`` does."""
        return self.read(self.variant(variant).path)

    def read(self, name: str) -> bytes:
        """A file's bytes, after its size and sha256 were compared with the manifest.

        Raises:
            BundleError: not in the manifest, missing, outside the bundle, or changed.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(f"{name} is not in the manifest's files; build the bundle anew")
        if self.packed is not None:
            content = read_member(self.root, name, entry.bytes + 1)
            size = len(content)
        else:
            content, size = self._read_file(name, entry.bytes)
        if size != entry.bytes or len(content) != entry.bytes:
            many = f"over {entry.bytes}" if self.packed is not None and size > entry.bytes else size
            raise BundleError(f"{name} has {many} bytes, not {entry.bytes} as the manifest says: do not use it")
        digest = hashlib.sha256(content).hexdigest()
        if digest != entry.sha256:
            raise BundleError(
                f"{name} has sha256 {digest[:12]}…, not {entry.sha256[:12]}… of the manifest: do not use it"
            )
        return content

    def problems(self) -> list[str]:
        """Every file that is missing, changed or unlisted inside an ``.mlpackage``, one line each."""
        found = []
        for name in self.manifest.files:
            try:
                self.read(name)
            except BundleError as error:
                found.append(str(error))
        for name, variant in self.manifest.variants.items():
            try:
                if self.packed is None and os.path.isdir(confined(self.root, variant.path)):
                    self.artifact(name)
            except BundleError as error:
                found.append(str(error))
        return list(dict.fromkeys(found))

    def _read_file(self, name: str, expected: int) -> tuple[bytes, int]:
        """A file's bytes and size; a file of another size than expected is not read."""
        path = confined(self.root, name)
        if not os.path.isfile(path):
            raise BundleError(f"{name} is missing from the bundle {self.label}, or no regular file")
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                return file.read(expected) if size == expected else b"", size
        except OSError as error:
            raise BundleError(f"{name} cannot be read: {error.strerror}") from None


def _read_manifest(root: Path, packed: frozenset[str] | None) -> bytes:
    """At most one byte over the limit of a manifest, which ``Manifest.from_json`` then refuses."""
    if packed is not None:
        return read_member(root, MANIFEST, MAX_MANIFEST_BYTES + 1)
    return read_regular_file(root / MANIFEST, MAX_MANIFEST_BYTES + 1, f"{root} has no readable {MANIFEST}")
