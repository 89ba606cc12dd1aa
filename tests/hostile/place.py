"""Where the inputs are made: a folder, a sound photo with its score, and a sound small bundle."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.runtime import RUNTIMES, installed_runtimes
from pocketiqa.scorer import Scorer
from pocketiqa.threadpool import executorch_bindings

from tests.hostile.isolation import in_a_child

GOLDEN_KEPT = 2
_SIZE = (160, 120)
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF"}


@dataclass(frozen=True)
class Place:
    """What every kind of input starts from.

    Attributes:
        root: an empty folder that may be filled.
        bundle: a folder, the embedded int8 program with two golden photos, so that verifying takes little.
        photo: a sound file.
        score: of that photo.
        random: seeded.
    """

    root: Path
    bundle: Path
    photo: Path
    score: float
    random: np.random.Generator

    @classmethod
    def make(cls, root: Path, seed: int) -> Place:
        """Imports the runtime, so that children fork with it, and starts none of its threads."""
        package = next(iter(installed_runtimes()))
        if package == "executorch":
            executorch_bindings()
        else:
            importlib.import_module(RUNTIMES[package].module)
        bundle = root / "bundle"
        values = small_manifest()
        for name in values["files"]:
            target = bundle / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(DEFAULT_BUNDLE / name, target)
        (bundle / "manifest.json").write_text(json.dumps(values))
        photo = root / "good.jpg"
        shutil.copy(bundle / next(iter(values["golden"])), photo)
        score = in_a_child(lambda: Scorer(bundle)(photo).score)
        if score.kind != "returned":
            raise RuntimeError(f"the sound photo cannot be scored: {score.value}")
        return cls(root, bundle, photo, score.value, np.random.default_rng(seed))

    def photos(self) -> dict[str, bytes]:
        """A real photo, small, in six formats by suffix."""
        image = Image.open(self.photo).resize(_SIZE)
        files = {}
        for suffix, style in FORMATS.items():
            path = self.root / f"source.{suffix}"
            image.save(path, style)
            files[suffix] = path.read_bytes()
            path.unlink()
        return files

    def fresh(self, name: str) -> Path:
        """An empty folder, an older one of that name removed."""
        folder = self.root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def copy_of_bundle(self, name: str) -> Path:
        """The bundle again, its large files linked and not copied: replace them, do not write into them."""
        folder = self.fresh(name)
        shutil.copytree(self.bundle, folder, copy_function=os.link, dirs_exist_ok=True)
        return folder


def small_manifest() -> dict[str, Any]:
    """The embedded bundle's manifest with two golden photos and the variants that are there."""
    bundle = Bundle.open()
    values = json.loads(bundle.manifest_bytes)
    values["variants"] = {name: entry for name, entry in values["variants"].items() if bundle.has(name)}
    values["golden"] = dict(list(values["golden"].items())[:GOLDEN_KEPT])
    kept = {entry["path"] for entry in values["variants"].values()} | set(values["golden"]) | {values.get("gate")}
    values["files"] = {name: entry for name, entry in values["files"].items() if name in kept}
    return values


def replace_file(path: Path, content: bytes) -> None:
    """New content under a name whose old content may be linked elsewhere."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
