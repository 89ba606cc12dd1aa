"""The Swift code for apps, compiled and run: its input is Pillow's to the bit, and it judges a bundle as Python does.

What Apple's frameworks alone can run, no machine here runs: it is compiled against declarations of what it calls.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from app_inputs import SPECS, size_of, tensor_hash, write_pixels, written_photos
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.gate import Gate
from pocketiqa.photo import open_photo
from pocketiqa.runtime import load_program
from pocketiqa.scorer import Scorer
from swift_core import SwiftCore

from mobile_export.integration.swift import PACKAGE
from tests.debian_root import RootUnavailable

pytestmark = pytest.mark.swift

GATES = json.loads((PACKAGE.parent / "gate_cases.json").read_text())
PROGRAM = "xnnpack/student_int8.pte"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftCore]:
    try:
        core = SwiftCore(tmp_path_factory.mktemp("swift"))
    except RootUnavailable as reason:
        pytest.skip(str(reason))
    yield core
    core.close()


@pytest.fixture(scope="module")
def swift(core: SwiftCore, tiny_bundle: Path, score_only_bundle: Path) -> SwiftCore:
    """The core, with three bundles in its folder."""
    for name, bundle in {"shipped": DEFAULT_BUNDLE, "tiny": tiny_bundle, "score_only": score_only_bundle}.items():
        shutil.copytree(bundle, core.folder / name)
    (core.folder / "decoded").mkdir()
    return core


@pytest.fixture(scope="module")
def inputs(swift: SwiftCore) -> Path:
    write_pixels(swift.folder / "inputs")
    return swift.folder / "inputs"


@pytest.mark.parametrize("name", SPECS)
def test_the_cores_tensors_are_pillows_to_the_bit(name: str, swift: SwiftCore, inputs: Path) -> None:
    photos = written_photos(inputs, name)
    made = {}
    for photo in photos:
        width, height = size_of(photo)
        given = {"manifest": f"inputs/{name}/manifest.json", "file": f"inputs/{name}/{photo.name}"}
        answer = swift.ask("tensor", width=width, height=height, **given)
        assert answer["shape"] == list(SPECS[name].shape)
        made[photo.name] = answer["sha256"]
    assert made == {photo.name: tensor_hash(photo, name) for photo in photos}


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("layout", ["rgb", "rgbx", "bgrx"])
def test_a_frame_stands_upright_whatever_the_layout_of_its_bytes(layout: str, turn: int, swift: SwiftCore) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 31, 3), np.uint8)
    padding = 4 * (layout != "rgb")
    columns = {"rgb": pixels, "rgbx": np.insert(pixels, 3, 99, 2), "bgrx": np.insert(pixels[..., ::-1], 3, 99, 2)}
    rows = np.pad(columns[layout].reshape(20, -1), ((0, 0), (0, padding)), constant_values=77)
    rows.tofile(swift.folder / "frame")
    frame = {"file": "frame", "width": 31, "height": 20, "layout": layout, "stride": rows.shape[1]}
    answer = swift.ask("pixels", **frame, turn=turn)
    upright = np.rot90(pixels, -turn // 90)
    assert answer["shape"] == list(upright.shape)
    assert answer["sha256"] == hashlib.sha256(upright.tobytes()).hexdigest()


def test_photos_that_are_not_judged_are_refused_in_words(swift: SwiftCore) -> None:
    np.zeros(3 * 16 * 400, np.uint8).tofile(swift.folder / "black")
    black = {"manifest": "tiny/manifest.json", "file": "black"}
    too_small = swift.ask("tensor", width=15, height=40, **black)
    assert too_small["error"] == "15×40 pixels is too small to be judged; each side needs at least 16"
    assert "no photo of 400×300 pixels" in swift.ask("tensor", width=400, height=300, **black)["error"]
    turned = swift.ask("tensor", width=400, height=16, turn=45, **black)
    assert turned["error"] == "a rotation of 45 degrees; it must be 0, 90, 180 or 270"


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000])
def test_hashes_are_hashlibs(length: int, swift: SwiftCore) -> None:
    content = bytes(range(256)) * 4
    (swift.folder / "content").write_bytes(content[:length])
    assert swift.ask("sha256", file="content")["sha256"] == hashlib.sha256(content[:length]).hexdigest()


def test_every_file_of_a_bundle_is_what_its_manifest_says(swift: SwiftCore) -> None:
    for name in ("shipped", "tiny", "score_only"):
        manifest = Bundle.open(swift.folder / name).manifest
        shape = manifest.map_shape and list(manifest.map_shape)
        assert swift.ask("read", bundle=name) == {"name": manifest.name} | ({"shape": shape} if shape else {})
    assert swift.ask("program", bundle="shipped", variant="int8") == {"name": "student_int8.pte"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:50] + b"?" + content[51:], "sha256"),
        (lambda content: content + b"?", "bytes"),
        (lambda content: content[:5], "bytes"),
        (None, "cannot be read"),
    ],
    ids=["changed", "longer", "shorter", "missing"],
)
def test_a_file_that_is_not_what_the_manifest_says_is_refused(change: object, said: str, swift: SwiftCore) -> None:
    path = swift.folder / "tiny" / PROGRAM
    content = path.read_bytes()
    try:
        path.unlink()
        if change is not None:
            path.write_bytes(change(content))
        for answer in (
            swift.ask("read", bundle="tiny", files=[PROGRAM]),
            swift.ask("program", bundle="tiny", variant="int8"),
        ):
            assert said in answer["error"] and PROGRAM in answer["error"]
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"schema_version": 1', '"schema_version": 7', "schema_version 7"),
        ('"bicubic"', '"nearest"', "resample is nearest"),
        ('"RGB"', '"BGR"', "colour_order is BGR"),
        ('"antialias": true', '"antialias": false', "antialias is false"),
        ('"detail"', '"corner"', "views is corner"),
        ('"uint8"', '"float"', "rounding is float"),
        ('"height": 64', '"height": "64"', "input lacks a usable height"),
        ('"files"', '"papers"', "it lacks files"),
        ('"name": "', '"name": 1, "was": "', "name has another type"),
        ("{", "", "damaged"),
    ],
)
def test_a_manifest_that_the_core_does_not_implement_is_refused_with_the_fields_name(
    old: str, new: str, said: str, swift: SwiftCore, tiny_bundle: Path
) -> None:
    changed = swift.folder / "changed"
    changed.mkdir(exist_ok=True)
    text = (tiny_bundle / "manifest.json").read_text()
    assert old in text
    (changed / "manifest.json").write_text(text.replace(old, new, 1))
    answer = swift.ask("read", bundle="changed", files=[])
    assert said in answer["error"] and answer["error"].startswith("manifest.json")


def test_paths_and_variants_that_there_are_not_are_refused(swift: SwiftCore, tiny_bundle: Path) -> None:
    outside = swift.folder / "outside"
    outside.mkdir()
    text = (tiny_bundle / "manifest.json").read_text()
    (outside / "manifest.json").write_text(text.replace(PROGRAM, f"../tiny/{PROGRAM}"))
    assert "outside the bundle" in swift.ask("program", bundle="outside", variant="int8")["error"]
    assert "it has fp32, int8" in swift.ask("program", bundle="tiny", variant="int4")["error"]
    assert "not in the manifest" in swift.ask("read", bundle="tiny", files=["nowhere"])["error"]
    assert "manifest.json cannot be read" in swift.ask("read", bundle="decoded")["error"]


def test_a_package_is_verified_file_by_file(swift: SwiftCore) -> None:
    root = swift.folder / "packaged"
    shutil.copytree(swift.folder / "tiny", root)
    manifest = Bundle.open(root).manifest
    inner = [f"{PROGRAM}/{name}" for name in ("model", "weights/0")]
    files = {name: entry for name, entry in manifest.files.items() if name != PROGRAM}
    moved = dict.fromkeys(inner, manifest.files[PROGRAM])
    replace(manifest, files=files | moved).write(root / "manifest.json")
    content = (root / PROGRAM).read_bytes()
    (root / PROGRAM).unlink()
    for name in inner:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    assert swift.ask("program", bundle="packaged", variant="int8") == {"name": "student_int8.pte"}
    (root / inner[1]).write_bytes(content[::-1])
    assert inner[1] in swift.ask("program", bundle="packaged", variant="int8")["error"]


def scores(*values: float | None) -> dict[str, list[float | None]]:
    return {f"photo{number}": [value, 0.5] for number, value in enumerate(values)}


def test_scores_within_the_bound_hold_and_a_close_pair_may_change_places(swift: SwiftCore) -> None:
    near = scores(0.506, 0.504, 0.9)
    check = swift.ask("compare", expected=scores(0.5, 0.505, 0.9), found=near, bound=0.01)
    assert check["holds"] and check["worst"] == "photo0" and check["flips"] == 0
    assert check["words"].startswith("3 golden photos: largest difference 0.00")
    assert check["words"].endswith("bound 0.01, 0 flipped pairs: this phone scores as the exporter did")


@pytest.mark.parametrize(
    ("expected", "found", "bound", "flips"),
    [
        (scores(0.5, 0.9), scores(0.52, 0.9), 0.01, 0),
        (scores(0.5, 0.9), scores(None, 0.9), 0.01, 0),
        (scores(0.5, 0.6), scores(0.6, 0.5), 1.0, 1),
    ],
    ids=["over the bound", "no number", "a flipped rank"],
)
def test_scores_that_are_not_the_exporters_do_not_hold(
    expected: dict, found: dict, bound: float, flips: int, swift: SwiftCore
) -> None:
    check = swift.ask("compare", expected=expected, found=found, bound=bound)
    assert not check["holds"] and check["flips"] == flips
    assert check["words"].endswith("do not use these scores")


def test_no_photos_or_a_photo_without_its_scores_is_an_error(swift: SwiftCore) -> None:
    assert "no golden photos" in swift.ask("compare", expected={}, found={}, bound=1)["error"]
    assert "photo0 has 0 outputs" in swift.ask("compare", expected=scores(0.5), found={}, bound=1)["error"]


@pytest.mark.parametrize(("name", "variant"), [("shipped", "int8"), ("tiny", "fp32"), ("score_only", "int8")])
def test_the_golden_check_of_a_bundle_holds_with_its_program_in_executorch(
    name: str, variant: str, swift: SwiftCore
) -> None:
    bundle = Bundle.open(swift.folder / name)
    for path in bundle.golden:
        photo = open_photo(bundle.root / path)
        place = swift.folder / "decoded" / hashlib.sha256((bundle.root / path).read_bytes()).hexdigest()
        place.write_bytes(f"{photo.width}x{photo.height}\n".encode() + photo.tobytes())
    program = load_program(bundle.root / bundle.manifest.variants[variant].path)
    check = swift.ask("check", program=program.run, bundle=name, variant=variant)
    assert check["holds"], check
    # The same runtime on the same tensors as the exporter's.
    assert check["largest"] < 1e-6
    wrong = swift.ask("check", lambda x: program.run(x[:, ::-1].copy()), bundle=name, variant=variant)
    assert not wrong["holds"]


def test_a_score_comes_with_the_attributes_and_the_map_that_the_network_gives(swift: SwiftCore) -> None:
    for name in ("tiny", "score_only"):
        bundle = Bundle.open(swift.folder / name)
        photo = bundle.root / next(iter(bundle.golden))
        (swift.folder / "pixels").write_bytes(open_photo(photo).tobytes())
        width, height = open_photo(photo).size
        program = load_program(bundle.root / bundle.manifest.variants["int8"].path)
        given = {"bundle": name, "variant": "int8", "file": "pixels", "width": width, "height": height}
        made = swift.ask("score", program.run, **given)
        expected = Scorer(bundle.root)(photo)
        assert made["score"] == pytest.approx(expected.score, abs=1e-6)
        assert made["attributes"] == pytest.approx(expected.attributes, abs=1e-6)
        assert made.get("shape") == (bundle.manifest.map_shape and list(bundle.manifest.map_shape))
        if expected.map is not None:
            assert made["map"] == pytest.approx(expected.map.ravel().tolist(), abs=1e-6)
    too_few = swift.ask("score", lambda x: [program.run(x)[0], np.zeros(3)], **given)
    assert "copy the bundle anew" in too_few["error"]


@pytest.mark.parametrize("group", GATES, ids=lambda group: group["what"])
def test_the_cases_that_every_app_decides_alike(group: dict, swift: SwiftCore) -> None:
    gate = json.dumps(group["gate"])
    found = [swift.ask("gate", gate=gate, values=case["values"]) for case in group["cases"]]
    assert found == [{"accepted": case["accepted"], "reasons": case["reasons"]} for case in group["cases"]]


def test_a_bundles_gate_decides_as_pythons_does(swift: SwiftCore) -> None:
    gate = Gate.of(Bundle.open(swift.folder / "shipped"))
    names = [threshold.measure for threshold in (*gate.thresholds, *gate.hints)]
    random = np.random.default_rng(5)
    for _ in range(40):
        values = {name: float(np.float32(random.random())) for name in {"score", *names}}
        decision = gate.decide_values(values)
        expected = {"accepted": decision.accepted, "reasons": [str(reason) for reason in decision.reasons]}
        assert swift.ask("gate of the bundle", bundle="shipped", values=values) == expected


def test_a_gate_that_there_is_not_or_that_asks_for_too_much_is_an_error_in_words(swift: SwiftCore) -> None:
    assert "no gate" in swift.ask("gate of the bundle", bundle="tiny", values={})["error"]
    gate = {"schema_version": 1, "thresholds": [{"measure": "beauty", "least": 0.5}]}
    asked = swift.ask("gate", gate=json.dumps(gate), values={"score": 1})
    assert "asks for beauty, and this bundle gives score" in asked["error"]
    for text, said in (
        ("{}", "cannot be read"),
        ('{"schema_version": 2, "thresholds": []}', "this code reads 1"),
        ('{"schema_version": 1, "thresholds": [{"measure": "score", "least": 2}]}', "must be in [0, 1]"),
    ):
        assert said in swift.ask("gate", gate=text, values={"score": 1})["error"]


def test_the_apple_layer_and_the_newcomers_code_are_compiled_against_what_they_call(swift: SwiftCore) -> None:
    swift.check_the_apple_layer()
