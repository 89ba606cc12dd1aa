"""Read a bundle: the folder (or the one inside this package) that holds programs, manifest and golden photos.

    bundle = Bundle.open("dist/pocketiqa-lite0-0.1.0")
    program = load_program(bundle.read_variant("int8"))

Nothing is handed out before its size and sha256 agree with the manifest, and the bytes that were checked are
the bytes that are returned.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pocketiqa.errors import BundleError
from pocketiqa.files import atomic_directory, confined, files_under, sha256_of
from pocketiqa.manifest import FileEntry, Manifest, Variant, entries_of

__all__ = ["Bundle", "FileEntry", "Manifest", "Variant", "atomic_directory", "entries_of", "sha256_of"]

DEFAULT_BUNDLE = Path(__file__).parent / "default_bundle"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. Its manifest is checked; its files are checked as they are read.

    Attributes:
        root: the bundle's folder.
        manifest: as read from ``manifest.json``.
    """

    root: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path | None = None) -> Bundle:
        """Open a bundle folder, or the one that is shipped inside this package.

        Raises:
            BundleError: no such folder, no manifest, or a manifest against the schema.
        """
        root = DEFAULT_BUNDLE if path is None else Path(path)
        if not root.is_dir():
            if path is None:
                raise BundleError("this installation carries no bundle; pass one with bundle= or --bundle")
            raise BundleError(f"{root} is not a folder; a bundle is a folder with a manifest.json")
        return cls(root, Manifest.read(root / "manifest.json"))

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
        return entry is not None and confined(self.root, entry.path).exists()

    def variant(self, name: str) -> Variant:
        """Raises BundleError when the manifest does not name the variant."""
        if name not in self.manifest.variants:
            known = ", ".join(sorted(self.manifest.variants)) or "none"
            raise BundleError(f"the bundle {self.label} has no variant {name!r}; it has: {known}")
        return self.manifest.variants[name]

    def artifact(self, variant: str) -> Path:
        """The verified path of a variant's file or ``.mlpackage`` folder.

        Raises:
            BundleError: unknown variant, or a file that is missing, unlisted or not what its hash promises.
        """
        name = self.variant(variant).path
        path = confined(self.root, name)
        if path.is_dir():
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
        path = confined(self.root, name)
        if not path.is_file():
            raise BundleError(f"{name} is missing from the bundle {self.label}, or no regular file")
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size  # compared first: a huge file is not read to refuse it
                content = file.read(entry.bytes) if size == entry.bytes else b""
        except OSError as error:
            raise BundleError(f"{name} cannot be read: {error.strerror}") from None
        if size != entry.bytes or len(content) != entry.bytes:
            raise BundleError(
                f"{name} has {size} bytes, not {entry.bytes} as the manifest says: do not use it"
            )
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
                if confined(self.root, variant.path).is_dir():
                    self.artifact(name)
            except BundleError as error:
                found.append(str(error))
        return list(dict.fromkeys(found))
