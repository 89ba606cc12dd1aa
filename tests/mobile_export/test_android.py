"""The Kotlin code for apps, compiled and run: its input is Pillow's, and Android's decoder and camera lead into it.

One run of Maven compiles the module and runs its own tests, on a JVM and in Robolectric, which has Android's classes
and its graphics. They read what ``exchange`` writes, and leave there what is compared with Pillow here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from app_inputs import SPECS, tensor_hash, write_pixels, written_photos
from PIL import Image
from pocketiqa.bundle import DEFAULT_BUNDLE
from pocketiqa.photo import open_photo
from pocketiqa.preprocess import preprocess
from pocketiqa.promises import APP_INPUT_MAX, APP_INPUT_MEAN
from program_server import program_server

from mobile_export.bundle.golden import WALL, golden_photos
from mobile_export.integration.kotlin import MODULE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exchange(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path, score_only_bundle: Path, photos: dict[str, np.ndarray]
) -> Path:
    """The folder through which the Kotlin tests and these speak, after Maven's run."""
    if missing := [tool for tool in ("mvn", "javac") if not shutil.which(tool)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("android")
    for name in ("bundles", "encoded", "decoded", "skia", "scaled", "frames", "large"):
        (folder / name).mkdir()
    write_pixels(folder / "inputs")
    write_encoded(folder / "encoded", photos["coffee"])
    shutil.copy(MODULE.parent / "gate_cases.json", folder)
    write_large(folder / "large")
    write_frame(folder / "frames", photos["astronaut"][100:196, 100:228])
    Image.new("RGB", (40, 15)).save(folder / "small.png")
    bundles = {"shipped": DEFAULT_BUNDLE, "tiny": tiny_bundle, "score_only": score_only_bundle}
    for name, bundle in bundles.items():
        (folder / "bundles" / name).symlink_to(bundle)
    with ZipFile(folder / "app.apk", "w") as apk:
        for file in (path for path in tiny_bundle.rglob("*") if path.is_file()):
            apk.write(file, f"assets/pocketiqa/{file.relative_to(tiny_bundle).as_posix()}")
    with program_server() as port:
        (folder / "port").write_text(str(port))
        run_maven(folder)
    return folder


def run_maven(folder: Path) -> None:
    folders = [f"-Dpocketiqa.exchange={folder}", f"-Dpocketiqa.build={folder / 'build'}"]
    quick_to_start = {"MAVEN_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    done = subprocess.run(
        ["mvn", "-q", "-o", "-B", *folders, "test"],
        cwd=MODULE,
        env=os.environ | quick_to_start,
        capture_output=True,
        text=True,
    )
    if "in offline mode" in done.stdout:
        pytest.skip("Maven lacks an artifact; `mvn test` in mobile_export/integration/android gets them once")
    # The tests of the outcomes say more; a compilation that failed leaves none.
    assert list((folder / "build" / "surefire-reports").glob("*.xml")), done.stdout


def write_encoded(folder: Path, pixels: np.ndarray) -> None:
    """What a decoder may trip over: EXIF orientations, a colour profile, transparency, grey, palettes, formats."""
    photo = Image.fromarray(pixels).resize((120, 80))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo.save(folder / f"orientation{orientation}.jpg", exif=exif, quality=95, subsampling=0)
    photo.save(folder / "subsampled.jpg", quality=90)
    photo.save(folder / "progressive.jpg", quality=90, subsampling=0, progressive=True)
    photo.save(folder / "plain.png")
    photo.save(folder / "lossless.webp", lossless=True)
    photo.convert("L").save(folder / "grey.png")
    photo.convert("L").save(folder / "grey.jpg", quality=95)
    photo.quantize(32).save(folder / "palette.png")
    fading = Image.linear_gradient("L").resize(photo.size)
    Image.merge("RGBA", [*photo.split(), fading]).save(folder / "transparent.png")


def write_large(folder: Path) -> None:
    """Photos that are halved: turned by EXIF, of odd sides, and no JPEG."""
    wall = open_photo(WALL)
    turned = Image.Exif()
    turned[0x0112] = 6
    wall.resize((3222, 2868)).save(folder / "even.jpg", quality=92, progressive=True)
    wall.resize((2868, 3222)).save(folder / "even-turned.jpg", quality=92, exif=turned)
    wall.resize((2869, 3221)).save(folder / "odd-turned.jpg", quality=92, exif=turned)
    wall.resize((3222, 2868)).save(folder / "even.bmp")


def write_frame(folder: Path, pixels: np.ndarray) -> None:
    """A camera's frame in YUV 4:2:0, and the pixels that Pillow makes of it."""
    height, width = pixels.shape[:2]
    y, u, v = Image.fromarray(pixels).convert("YCbCr").split()
    u, v = (plane.resize((width // 2, height // 2), Image.Resampling.BOX) for plane in (u, v))
    (folder / f"frame.{width}x{height}").write_bytes(y.tobytes() + u.tobytes() + v.tobytes())
    full = [plane.resize((width, height), Image.Resampling.NEAREST) for plane in (u, v)]
    (folder / "frame.rgb").write_bytes(Image.merge("YCbCr", [y, *full]).convert("RGB").tobytes())


def test_every_test_of_the_module_passes(exchange: Path) -> None:
    reports = [ET.parse(path).getroot() for path in (exchange / "build" / "surefire-reports").glob("*.xml")]
    cases = [case for report in reports for case in report.iter("testcase")]
    failed = [
        f"{case.get('name')}: {outcome.get('message') or outcome.text}"
        for case in cases
        for outcome in case
        if outcome.tag in ("failure", "error", "skipped")
    ]
    assert failed == []
    assert len(cases) == 24


@pytest.mark.parametrize("name", SPECS)
def test_the_cores_tensors_are_pillows_to_the_bit(name: str, exchange: Path) -> None:
    photos = written_photos(exchange / "inputs", name)
    made = {photo.name: photo.with_name(f"{photo.name}.sha256").read_text() for photo in photos}
    assert made == {photo.name: tensor_hash(photo, name) for photo in photos}


def test_the_golden_photos_that_android_decodes_give_pillows_tensors(exchange: Path) -> None:
    spec = SPECS["shipped"]
    made = {photo: np.fromfile(exchange / "skia" / photo.name, "<f4").reshape(spec.shape) for photo in golden_photos()}
    gaps = [255 * np.abs(tensor - preprocess(photo, spec)) for photo, tensor in made.items()]
    print(f"levels: mean {np.mean(gaps):.4f}, max {np.max(gaps):.0f}, n {len(gaps)}")
    # Both decoders are libjpeg-turbo here and give the same bits; another build of it may be off by a level.
    assert np.max(gaps) <= 1.01 and np.mean(gaps) <= 0.01


def test_large_photos_that_android_halves_give_pillows_tensors(exchange: Path) -> None:
    spec = SPECS["shipped"]
    photos = list((exchange / "large").iterdir())
    assert len(photos) == 4
    for photo in photos:
        made = np.fromfile(exchange / "skia" / photo.name, "<f4").reshape(spec.shape)
        # Sides that are odd are not halved while a JPEG is decoded: as of other formats, means of squares are taken.
        gap = 255 * np.abs(made - preprocess(open_photo(photo) if "odd" in photo.name else photo, spec))
        assert gap.max() <= 1.01 and gap.mean() <= 0.01, (photo.name, gap.max(), gap.mean())


def test_androids_own_scaler_would_be_outside_the_bound_of_an_apps_input(exchange: Path) -> None:
    spec = SPECS["shipped"]
    gaps = []
    for photo in golden_photos():
        made = np.frombuffer((exchange / "scaled" / photo.name).read_bytes(), np.uint8)
        made = made.reshape(spec.height, spec.width, 3).astype(np.float32).transpose(2, 0, 1)
        gaps.append(np.abs(made - 255 * preprocess(photo, spec)[0]))
    print(f"levels: mean {np.mean(gaps):.4f}, max {np.max(gaps):.0f}, n {len(gaps)}")
    assert max(gap.max() for gap in gaps) > APP_INPUT_MAX
    assert max(gap.mean() for gap in gaps) > APP_INPUT_MEAN


def test_encoded_photos_are_upright_srgb_on_white_as_pillow_makes_them(exchange: Path) -> None:
    decoded = list((exchange / "decoded").iterdir())
    assert len(decoded) == len(list((exchange / "encoded").iterdir()))
    for path in decoded:
        expected = open_photo(exchange / "encoded" / path.stem)
        assert path.suffix == f".{expected.width}x{expected.height}", path.name
        made = np.frombuffer(path.read_bytes(), np.uint8).astype(int).reshape(np.asarray(expected).shape)
        lossless = path.suffixes[-2] in (".png", ".webp")
        assert np.abs(made - np.asarray(expected)).max() <= (0 if lossless else 1), path.name


def test_a_frame_is_converted_and_turned_as_pillow_does(exchange: Path) -> None:
    frames = exchange / "frames"
    width, height = map(int, next(frames.glob("frame.*x*")).suffix[1:].split("x"))
    expected = np.frombuffer((frames / "frame.rgb").read_bytes(), np.uint8).reshape(height, width, 3).astype(int)
    for quarter in range(4):
        turned = np.rot90(expected, -quarter)
        made = np.frombuffer((frames / f"upright.{90 * quarter}").read_bytes(), np.uint8).reshape(turned.shape)
        assert np.abs(made - turned).max() <= 1, quarter


def test_the_core_names_no_type_of_a_platform() -> None:
    core = list((MODULE / "src/main/kotlin/pocketiqa/core").glob("*.kt"))
    imports = {line.split()[1] for file in core for line in file.read_text().splitlines() if line.startswith("import ")}
    # org.json is in Android, and in Maven Central for everybody else.
    assert {name.split(".")[0] for name in imports} <= {"java", "kotlin", "org"} and len(core) > 5
    assert not [name for name in imports if name.startswith("org.") and not name.startswith("org.json.")]


def test_the_page_for_newcomers_shows_the_code_that_is_compiled() -> None:
    code = (MODULE / "src/example/kotlin/PhotoRater.kt").read_text()
    assert f"```kotlin\n{code}```" in (MODULE / "README.md").read_text()
    assert len(code.splitlines()) <= 30
