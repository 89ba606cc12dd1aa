"""The page of a bundle and the page of the README, used in a real Chromium as a person does; nothing leaves it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from pocketiqa.bundle import Bundle
from pocketiqa.manifest import FileEntry, Manifest, Variant
from pocketiqa.preprocess import PreprocessSpec, preprocess

from benchmarks.browser import in_chromium, serve
from mobile_export.bundle.golden import golden_photos
from mobile_export.commands.build import BuildResult
from mobile_export.integration.web_page import FOLDER, RUNTIME, write_web
from tests.made_once import made_once

SCRIPT = Path(__file__).parent / "web/page_in_chromium.mjs"


def write_plain_bundle(root: Path) -> None:
    """A bundle of a network that gives a photo's brightness as its score, no attributes and no map."""
    spec = PreprocessSpec(70, 90, ("detail",), resample="lanczos")
    photo, score = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("photo", spec.shape), ("quality", (1, 1)))
    )
    mean = [
        helper.make_node("GlobalAveragePool", ["photo"], ["channels"]),
        helper.make_node("ReduceMean", ["channels", "axis"], ["whole"]),
        helper.make_node("Flatten", ["whole"], ["quality"]),
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(mean, "brightness", [photo], [score], [axis])
    names = ["onnx/student_fp32.onnx", *(f"golden/{path.name}" for path in golden_photos()[:2])]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), root / names[0])
    for path in golden_photos()[:2]:
        shutil.copy(path, root / "golden")
    golden = {f"golden/{path.name}": {"fp32": [float(preprocess(path, spec).mean())]} for path in golden_photos()[:2]}
    Manifest(
        name="brightness", version="1", input=spec, outputs={"score": {"range": [0, 1]}},
        files={name: FileEntry.of(root / name) for name in names},
        variants={"onnx_fp32": Variant(names[0], "onnx")}, golden=golden,
    ).write(root / "manifest.json")  # fmt: skip
    write_web(root)


@pytest.fixture(scope="module")
def page(chromium: str, built: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a person saw who used the pages of three bundles, at phone width, and the README's."""

    def make(folder: Path) -> None:
        shutil.copytree(built.out, folder / "bundle")
        write_plain_bundle(folder / "plain")
        shutil.copytree(folder / "plain", folder / "bare", ignore=shutil.ignore_patterns(RUNTIME))
        (folder / "example.html").write_text(example())
        task = {
            "tools": str(FOLDER / "tools"),
            "bundles": ["bundle", "plain", "bare"],
            "photos": [str(built.out / "golden" / name) for name in ("coffee-clean.jpg", "rocket-noisy.jpg")],
            "notAPhoto": str(built.out / "manifest.json"),
            "example": "example.html",
        }
        with serve(folder) as origin:
            found = in_chromium(SCRIPT, task | {"origin": origin})
        (folder / "seen.json").write_text(json.dumps(found | {"origin": origin}))

    return json.loads((made_once(tmp_path_factory, "page", make) / "seen.json").read_text())


def example() -> str:
    """The page that the README shows."""
    return re.search(r"^```html\n(.*?)^```", (FOLDER / "README.md").read_text(), re.MULTILINE | re.DOTALL)[1]


def test_the_page_shows_score_attributes_and_map_of_chosen_and_dropped_photos(
    page: dict[str, dict[str, Any]], built: BuildResult
) -> None:
    seen = page["bundle"]
    assert seen["scored"] == "2 photos scored, 1 photo not readable."
    shown = {card["name"]: card for card in seen["cards"]}
    assert set(shown) == {"coffee-clean.jpg", "rocket-noisy.jpg", "dropped.jpg", "manifest.json"}
    golden = Bundle.open(built.out).golden["golden/coffee-clean.jpg"]["int8"]
    assert shown["coffee-clean.jpg"]["score"] == shown["dropped.jpg"]["score"] == pytest.approx(golden[0], abs=0.0151)
    assert shown["coffee-clean.jpg"]["attributes"][0].startswith("sharpness0.")
    assert len(shown["coffee-clean.jpg"]["attributes"]) == 6
    assert "cannot read the file as a picture" in shown["manifest.json"]["error"]
    assert seen["maps"] == 3


def test_the_page_works_by_keyboard_and_at_phone_width(page: dict[str, dict[str, Any]]) -> None:
    seen = page["bundle"]
    assert seen["focused"] == "files" and not seen["isWider"]
    scores = [card["score"] for card in seen["cards"] if card["score"] is not None]
    assert scores == sorted(scores, reverse=True), "the order box went to best first"
    assert seen["left"] == 0


def test_the_page_checks_the_golden_photos(page: dict[str, dict[str, Any]], built: BuildResult) -> None:
    words = (
        rf"This browser scores as exported: {len(Bundle.open(built.out).golden)} photos scored; .* is 0\.00\d+, allowed"
    )
    assert re.match(words, page["bundle"]["checked"])


def test_the_page_takes_any_networks_bundle(page: dict[str, dict[str, Any]]) -> None:
    seen = page["plain"]
    assert seen["scored"].startswith("2 photos scored") and "2 photos scored" in seen["checked"]
    assert not seen["hasMap"] and seen["maps"] == 0 and not any(card["attributes"] for card in seen["cards"])


def test_without_the_runtime_the_page_says_what_to_run(page: dict[str, dict[str, Any]]) -> None:
    assert "run `npm install` in the folder web" in page["bare"]["status"]


def test_nothing_leaves_the_browser(page: dict[str, dict[str, Any]]) -> None:
    origin = page["origin"]
    for name in ("bundle", "plain", "bare", "example"):
        requests = page[name]["requests"]
        # The last ones are the test's own tries.
        foreign = [each for each in requests if not each.startswith((origin, f"blob:{origin}", "data:"))]
        assert not [each for each in foreign if not each.startswith("http://127.0.0.1:9/")], name
        assert any(each.startswith(origin) for each in requests)
    assert page["bundle"]["foreign"] == page["plain"]["foreign"] == []


def test_the_readmes_page_is_short_and_scores(page: dict[str, dict[str, Any]], built: BuildResult) -> None:
    assert len(example().splitlines()) <= 30
    assert page["example"]["ready"] == "Ready."
    said = json.loads(page["example"]["said"])
    assert (
        0 < said["score"] < 1 and "sharpness" in said and said["map"] == list(Bundle.open(built.out).manifest.map_shape)
    )
