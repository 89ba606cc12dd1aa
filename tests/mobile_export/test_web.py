"""The package for browsers where none is needed: Pillow's tensors bit by bit, manifests, the golden comparison."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pocketiqa import gate
from pocketiqa.bundle import Bundle
from pocketiqa.manifest import Manifest
from pocketiqa.photo import PhotoLimits
from pocketiqa.preprocess import PreprocessSpec, open_photo, preprocess
from pocketiqa.promises import GOLDEN

from mobile_export.bundle.golden import WALL, golden_photos
from mobile_export.integration import web_page
from mobile_export.integration.web_page import FOLDER, NO_RUNTIME, write_web

COMPILER = FOLDER / "node_modules/typescript/bin/tsc"


def node(*arguments: str | Path, stdin: str = "") -> str:
    """What a program for node prints."""
    if not shutil.which("node"):
        pytest.skip("not installed: node")
    done = subprocess.run(["node", *arguments], input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_node(expression: str, given: object = None) -> Any:
    """The value of an expression in which ``web`` is the package and ``given`` is what is given."""
    code = (
        f"import * as web from {json.dumps(str(FOLDER / 'dist/index.js'))};\n"
        'import { readFileSync, writeFileSync } from "node:fs";\n'
        "const given = JSON.parse(readFileSync(0));\n"
        'const said = (run) => { try { run(); return ""; } catch (error) { return `${error}`; } };\n'
        f"console.log(JSON.stringify(await ({expression})));"
    )
    return json.loads(node("--input-type=module", "-e", code, stdin=json.dumps(given)))


SPECS = (
    PreprocessSpec(320, 320, ("whole", "detail"), reduction="halves"),
    PreprocessSpec(224, 300, ("detail",), detail_short_side=333, resample="lanczos"),
    PreprocessSpec(97, 131, ("detail", "whole"), resample="bilinear"),
    PreprocessSpec(64, 64, ("whole", "detail"), detail_short_side=100, reduction="halves"),
)
SIZES = [
    *((320, 320), (321, 320), (320, 900), (900, 320), (1500, 1100), (900, 1400), (60, 1200), (1200, 60), (17, 16)),
    (1301, 1283),  # halved for the whole view alone by the first spec; the last halves 1500×1100 for both, and then on
]


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Bundle.open().manifest


def test_the_cores_tensors_are_pillows_bit_by_bit(manifest: Manifest, tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    photos = {path.stem: np.asarray(open_photo(path)) for path in (WALL, *golden_photos())}
    # Black and white alone: sums leave [0, 255] and are cut, so that the order of the two passes shows.
    photos |= {f"{w}×{h}": 255 * noise.integers(0, 2, (h, w, 3)).astype(np.uint8) for w, h in SIZES}
    jobs, expected = [], []
    for number, spec in enumerate(SPECS):
        replace(manifest, input=spec).write(tmp_path / f"{number}.json")
        for name, photo in photos.items() if number == 0 else list(photos.items())[-len(SIZES) :]:
            height, width, _ = photo.shape
            file = tmp_path / f"{len(jobs)}"
            np.dstack([photo, noise.integers(0, 256, (height, width), np.uint8)]).tofile(file)
            jobs.append({"manifest": f"{tmp_path}/{number}.json", "width": width, "height": height, "file": str(file)})
            expected.append((f"{name} {spec.resample}", preprocess(photo, spec)))
    in_node(
        """given.map(({ manifest, width, height, file }) => {
          const { input } = web.parseManifest(readFileSync(manifest, "utf8"));
          const tensor = web.preprocess({ width, height, rgba: readFileSync(file) }, input);
          writeFileSync(file, new Uint8Array(tensor.buffer));
        }).length""",
        jobs,
    )
    made = [np.fromfile(job["file"], "<f4").reshape(x.shape) for job, (_, x) in zip(jobs, expected)]
    assert not [name for x, (name, pillows) in zip(made, expected) if not np.array_equal(x, pillows)]


def test_limits_bounds_and_words_are_the_python_packages() -> None:
    limits = PhotoLimits()
    assert in_node("[web.LIMITS, web.GOLDEN_BOUNDS, web.FILTERS, web.GATE_WORDS]") == [
        {"maxPixels": limits.max_pixels, "maxBytes": limits.max_bytes, "minSide": limits.min_side},
        GOLDEN,
        ["bilinear", "bicubic", "lanczos"],
        gate.WORDS,
    ]


DAMAGES = {
    "schema_version": (3, "schema_version 3; this package reads 1 to 2"),
    "name": ("", 'name is ""; it must be a string'),
    "input": ({"height": 320}, "input.width is missing; it must be an integer of 1 to 4096"),
    "input ": ({"height": 9, "width": 9, "rounding": "none"}, 'input.rounding is "none"; this package implements only'),
    "input  ": ({"height": 9, "width": 9, "views": ["left"]}, "allowed are whole and detail, each once"),
    "input   ": ({"height": 9, "width": 9, "resample": "box"}, "implemented are bilinear, bicubic, lanczos"),
    "input    ": ({"height": 9, "width": 9, "reduction": "thirds"}, "implemented are none, halves"),
    "outputs": ({}, "outputs.score is missing; it must be an object"),
    "outputs ": ({"score": {}, "map": {"shape": [3]}}, "it must be [h, w]"),
    "files": ({"a": {"bytes": 1, "sha256": "0"}}, '"a" needs bytes of 0 or more and a sha256'),
    "golden": ({"toString": {}}, "golden photo toString is not among files"),
    "variants": ([], "variants is []; it must be an object"),
}


def test_a_manifest_with_a_mistake_is_refused_and_the_mistake_is_named(manifest: Manifest) -> None:
    texts = ["{", *(json.dumps(manifest.to_dict() | {k.strip(): value}) for k, (value, _) in DAMAGES.items())]
    found = in_node("given.map((text) => said(() => web.parseManifest(text)))", texts)
    for said, words in zip(found, ["is not JSON", *(words for _, words in DAMAGES.values())]):
        assert said.startswith("PocketIqaError: ") and words in said


def test_a_photo_that_is_too_small_or_has_too_few_bytes_is_refused_in_words() -> None:
    spec = {"height": 9, "width": 9, "views": ["whole"], "resample": "bicubic", "detailShortSide": 1024}
    small, short = in_node(
        """[[15, 900], [20, 20]].map(([width, height]) =>
             said(() => web.preprocess({ width, height, rgba: new Uint8Array(3 * width * height) }, given)))""",
        spec,
    )
    assert "15×900 pixels is too small to be judged; each side needs at least 16" in small
    assert "20×20 pixels are 1600 bytes, not 1200" in short


def test_a_flipped_rank_a_large_difference_and_no_number_break_the_golden_check() -> None:
    given = {"good": [0.8, 0.5], "fair": [0.785, 0.5], "bad": [0.1, 0.5]}
    sound, flipped, far, nothing = in_node(
        """[given, { ...given, good: [0.791, 0.5], fair: [0.794, 0.5] }, { ...given, bad: [0.1, 0.52] },
            { ...given, bad: [NaN, 0.5] }].map((found) => web.compareGolden(given, found, 0.01))""",
        given,
    )
    assert sound == {"n": 3, "maxAbs": 0, "worst": "", "bound": 0.01, "broken": []}
    assert flipped["broken"] == ["good ranks below fair"]
    assert far["worst"] == "bad" and far["broken"] == ["bad is 0.0200 off, over 0.01"]
    assert "bad is NaN off, over 0.01" in nothing["broken"]
    assert in_node("web.compareGolden({}, {}, 0.01).broken") == ["the bundle has no golden scores of this program"]


def test_what_is_committed_as_javascript_is_what_the_compiler_makes(tmp_path: Path) -> None:
    if not COMPILER.is_file():
        pytest.skip(f"not installed: typescript; run `npm install` in {FOLDER}")
    node(COMPILER, "--project", FOLDER, "--outDir", tmp_path)
    made, committed = (
        {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path, FOLDER / "dist")
    )
    assert made == committed


def test_a_bundle_without_the_runtime_says_what_to_run(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules", web_page.RUNTIME))
    names, notes = write_web(tmp_path / "bundle", tmp_path / "web")
    assert notes == [NO_RUNTIME] and {"web/index.html", "web/dist/index.js", "web/src/index.ts"} <= set(names)
    assert all((tmp_path / "bundle" / name).is_file() for name in names)
