"""The files for apps: their constants are the manifest's, and what they do to a photo is what the manifest says."""

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
from mobile_export.integration import FILES, FOLDER, PREPROCESSING, with_constants, write_integration
from mobile_export.integration.resampling import app_input


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Bundle.open().manifest


@pytest.mark.parametrize("name", PREPROCESSING)
def test_the_committed_constants_are_the_shipped_manifests(name: str, manifest: Manifest) -> None:
    text = (FOLDER / name).read_text()
    assert text == with_constants(text, manifest, name.rpartition(".")[2])
    assert len(text.splitlines()) < 120


def test_another_manifest_gives_other_constants_in_its_bundle(manifest: Manifest, tmp_path: Path) -> None:
    other = replace(manifest, input=replace(manifest.input, height=224, views=("detail", "whole")))
    assert set(write_integration(other, tmp_path)) == {f"integration/{name}" for name in FILES}
    for name in PREPROCESSING:
        text = (tmp_path / "integration" / name).read_text()
        assert re.search(r"(?i)height = 224", text) and '"detail", "whole"' in text


def test_a_filter_that_the_files_do_not_have_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bicubic"):
        write_integration(replace(manifest, input=replace(manifest.input, resample="lanczos")), tmp_path)


@pytest.mark.parametrize("name", PREPROCESSING)
def test_a_file_says_what_its_numpy_copy_does(name: str) -> None:
    text = (FOLDER / name).read_text()
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
KOTLIN = """
package pocketiqa
fun main(a: Array<String>) {
    val photo = Planes(a[1].toInt(), a[2].toInt(), java.io.File(a[0]).readBytes())
    val order = java.nio.ByteOrder.LITTLE_ENDIAN
    val out = java.nio.ByteBuffer.allocate(4 * VIEWS.size * 3 * HEIGHT * WIDTH).order(order)
    for (name in VIEWS) for (x in view(photo, name)) out.putFloat(x)
    java.io.File(a[3]).writeBytes(out.array())
}
"""
SWIFT = """
import Foundation
let a = CommandLine.arguments
let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: a[1])))
let photo = Planes(width: Int(a[2])!, height: Int(a[3])!, bytes: bytes)
let values = views.flatMap { view(photo, $0).map { Float($0) / 255 } }
try values.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: a[4]))
"""


@pytest.fixture(scope="module")
def kotlin(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command, compiled for a JVM."""
    needs("kotlinc", "java")
    folder = tmp_path_factory.mktemp("kotlin")
    (folder / "Command.kt").write_text(KOTLIN)
    run("kotlinc", FOLDER / "Preprocessing.kt", folder / "Command.kt", "-d", folder / "app.jar", "-include-runtime")
    return ["java", "-cp", str(folder / "app.jar"), "pocketiqa.CommandKt"]


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command, compiled for this machine."""
    needs("swiftc")
    folder = tmp_path_factory.mktemp("swift")
    (folder / "main.swift").write_text(SWIFT)
    run("swiftc", "-O", FOLDER / "Preprocessing.swift", folder / "main.swift", "-o", folder / "app")
    return [str(folder / "app")]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["kotlin", pytest.param("swift", marks=pytest.mark.swift)])
def test_the_preprocessing_itself_gives_the_tensor(
    language: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    command = request.getfixturevalue(language)
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
