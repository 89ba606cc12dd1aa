"""The files for apps: their constants come from the Python sources, and what they do to a photo is the manifest's."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.bundle import Bundle
from pocketiqa.manifest import Manifest
from pocketiqa.preprocess import open_photo, preprocess

from distill.networks.student import ATTRIBUTES, INPUT_SPEC
from mobile_export.bundle.golden import WALL, golden_photos
from mobile_export.integration import write_integration
from mobile_export.integration.kotlin import CONTRACT, MODULE, kotlin_contract
from mobile_export.integration.resampling import app_input
from mobile_export.integration.swift import FOLDER, PREPROCESSING, with_constants


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Bundle.open().manifest


def test_the_committed_constants_are_the_sources(manifest: Manifest) -> None:
    text = (FOLDER / PREPROCESSING).read_text()
    assert text == with_constants(text, manifest)
    assert len(text.splitlines()) < 120
    assert (MODULE / CONTRACT).read_text() == kotlin_contract()


def test_another_manifest_gives_other_constants_in_its_bundle(manifest: Manifest, tmp_path: Path) -> None:
    other = replace(manifest, input=replace(manifest.input, height=224, views=("detail", "whole")))
    names = write_integration(other, tmp_path)
    assert set(names) == {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    text = (tmp_path / "integration" / PREPROCESSING).read_text()
    assert re.search(r"height = 224", text) and '"detail", "whole"' in text


def test_the_kotlin_module_goes_into_a_bundle_without_what_tests_it(manifest: Manifest, tmp_path: Path) -> None:
    names = [name for name in write_integration(manifest, tmp_path) if name.startswith("integration/android/")]
    kinds = {Path(name).suffix for name in names}
    assert kinds == {".kt", ".kts", ".md", ".xml"} and len(names) > 10
    assert not any("test" in name or "pom.xml" in name or "declarations" in name for name in names)


def test_a_filter_that_the_swift_files_do_not_have_leaves_them_out(manifest: Manifest, tmp_path: Path) -> None:
    names = write_integration(replace(manifest, input=replace(manifest.input, resample="lanczos")), tmp_path)
    assert names and not any(name.endswith(".swift") for name in names)


def test_the_swift_file_says_what_its_numpy_copy_does() -> None:
    text = (FOLDER / PREPROCESSING).read_text()
    for formula in ("(centre - 2 * widening + 0.5)", "(centre + 2 * widening + 0.5)", "((t - 5) * t + 8) * t - 4"):
        assert formula in text, formula
    assert all(attribute in text for attribute in ATTRIBUTES)


@pytest.mark.parametrize("photo", [WALL, *golden_photos()[::6]], ids=lambda path: path.stem)
def test_the_apps_preprocessing_is_pillows_to_the_level(photo: Path) -> None:
    gap = np.abs(app_input(open_photo(photo), INPUT_SPEC) - preprocess(photo, INPUT_SPEC)) * 255
    # Pillow sums in fixed point, so a sum on a rounding border may fall to the other side, once in each pass.
    assert gap.max() <= 1.01 and (gap > 0.5).mean() < 0.01


@pytest.mark.parametrize("size", [(321, 320), (320, 900), (1500, 1100), (900, 1400)], ids=str)
def test_odd_sizes_are_cut_and_resized_alike(size: tuple[int, int]) -> None:
    photo = Image.open(WALL).resize(size)
    assert np.abs(app_input(photo, INPUT_SPEC) - preprocess(photo, INPUT_SPEC)).max() * 255 <= 1.01


# A command around the preprocessing: PHOTO.raw WIDTH HEIGHT TENSOR.raw, planes of bytes to float32.
SWIFT = """
import Foundation
let a = CommandLine.arguments
let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: a[1])))
let photo = Planes(width: Int(a[2])!, height: Int(a[3])!, bytes: bytes)
let values = views.flatMap { view(photo, $0).map { Float($0) / 255 } }
try values.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: a[4]))
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command, compiled for this machine."""
    needs("swiftc")
    folder = tmp_path_factory.mktemp("swift")
    (folder / "main.swift").write_text(SWIFT)
    run("swiftc", "-O", FOLDER / PREPROCESSING, folder / "main.swift", "-o", folder / "app")
    return [str(folder / "app")]


@pytest.mark.slow
@pytest.mark.swift
def test_the_preprocessing_itself_gives_the_tensor(command: list[str], tmp_path: Path) -> None:
    for photo in (WALL, *golden_photos()[::6]):
        opened = open_photo(photo)
        np.ascontiguousarray(np.asarray(opened).transpose(2, 0, 1)).tofile(tmp_path / "photo.raw")
        run(*command, tmp_path / "photo.raw", str(opened.width), str(opened.height), tmp_path / "tensor.raw")
        made = np.fromfile(tmp_path / "tensor.raw", "<f4").reshape(INPUT_SPEC.shape)
        # The order of a sum may decide a rounding to 8 bits.
        assert (made != app_input(opened, INPUT_SPEC)).mean() < 1e-4
        assert np.abs(made - preprocess(photo, INPUT_SPEC)).max() * 255 <= 1.01


def needs(*tools: str) -> None:
    if missing := [tool for tool in tools if not shutil.which(tool)]:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
