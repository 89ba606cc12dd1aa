"""Each kind of broken bundle is found and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from pocketiqa.bundle import DEFAULT_BUNDLE
from pocketiqa.errors import BundleError
from pocketiqa.manifest import FileEntry, Manifest
from pocketiqa.promises import ANY_NETWORK, SHIPPED, Promise
from pocketiqa.runtime import installed_runtimes
from pocketiqa.scorer import Scorer
from pocketiqa.verification import verify_bundle


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def rewrite(bundle: Path, **changes: object) -> None:
    values = json.loads((bundle / "manifest.json").read_bytes()) | changes
    Manifest.from_dict(values).write(bundle / "manifest.json")


def manifest_of(bundle: Path) -> dict:
    return json.loads((bundle / "manifest.json").read_bytes())


def photos_of(bundle: Path) -> list[Path]:
    return [bundle / name for name in manifest_of(bundle)["golden"]]


def test_a_sound_bundle_is_sound(tiny_bundle: Path) -> None:
    found = verify_bundle(tiny_bundle)
    assert found.broken == [] and found.failed == {}
    assert set(found.golden) == {"int8", "fp32"}
    assert found.parity.n == 4 and set(found.attributes) >= {"sharpness", "noise"}
    assert "sound" in str(found) and found.source == "4 golden photos"
    assert found.runtime.split()[0] in installed_runtimes()
    for variant, row in found.golden.items():
        assert row["n"] == 4 and row["mean_abs"] <= row["max_abs"] <= row["bound"], variant
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_report_tells_the_bundle_its_golden_scores_and_the_comparison(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    lines = str(verify_bundle(tiny_bundle, [*photos_of(tiny_bundle), tmp_path / "text.jpg"])).splitlines()
    assert lines[0].startswith("tiny-0.0.1 with executorch")
    assert [line.split(":")[0] for line in lines[1:3]] == ["golden int8", "golden fp32"]
    assert "int8 against fp32 on 5 photos" in lines
    assert any(line.startswith("SRCC") for line in lines)
    assert any(line.startswith("left out: ") and "text.jpg: " in line and "None" not in line for line in lines)
    assert lines[-1] == "sound"


def test_the_gap_of_each_attribute_is_its_mean_over_the_photos(tiny_bundle: Path) -> None:
    int8, fp32 = (
        [list(result.attributes.values()) for result in Scorer(tiny_bundle, variant).batch(photos_of(tiny_bundle))]
        for variant in ("int8", "fp32")
    )
    gaps = np.abs(np.array(int8) - np.array(fp32)).mean(axis=0)
    assert list(verify_bundle(tiny_bundle).attributes.values()) == pytest.approx(gaps.tolist())


def test_a_bundle_without_a_program_for_this_machine_is_named(copy: Path) -> None:
    manifest = Manifest.from_dict(manifest_of(copy)).subset(set())
    manifest.write(copy / "manifest.json")
    for path in (copy / "xnnpack").iterdir():
        path.unlink()
    assert verify_bundle(copy).broken == ["the bundle holds no program that runs here (int8 or fp32)"]


def test_a_variant_without_golden_scores_is_named(copy: Path) -> None:
    golden = {name: {"fp32": rows["fp32"]} for name, rows in manifest_of(copy)["golden"].items()}
    rewrite(copy, golden=golden)
    assert "int8: the manifest has no expected golden scores" in verify_bundle(copy).broken


def test_a_changed_file_is_named_and_nothing_is_run(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "golden" / "coffee.png").write_bytes(b"x")
    monkeypatch.setattr("pocketiqa.verification.Scorer", lambda *_: pytest.fail("it was run"))
    assert "golden/coffee.png" in verify_bundle(copy).broken[0]


def test_swapped_programs_do_not_give_their_golden_scores(copy: Path) -> None:
    """Hashes recomputed, as a careless exporter would: only the golden scores can show it."""
    manifest = manifest_of(copy)
    golden = manifest["golden"]
    for expected in golden.values():
        expected["int8"] = expected["int8"][::-1]
    rewrite(copy, golden=golden)
    broken = verify_bundle(copy).broken
    assert any("int8 on golden/coffee.png" in line and "golden scores" in line for line in broken)


def test_without_the_float_program_its_recorded_scores_stand_in_and_it_is_said(copy: Path) -> None:
    manifest = Manifest.from_dict(manifest_of(copy)).subset({"int8"})
    manifest.write(copy / "manifest.json")
    (copy / "xnnpack" / "student_fp32.pte").unlink()
    found = verify_bundle(copy)
    assert found.broken == [] and found.parity.n == 4
    assert "recorded fp32 scores stand in" in found.source and found.source in str(found)
    with pytest.raises(BundleError, match="has not both int8 and fp32"):
        verify_bundle(copy, images=[copy / "golden" / "coffee.png"])


def test_a_quantized_program_that_is_far_off_breaks_the_promise(tiny_bundle: Path) -> None:
    found = verify_bundle(tiny_bundle, promise=Promise(mean_abs=1e-6))
    assert [line for line in found.broken if line.startswith("int8 against fp32: mean |Δ|")]


def test_a_bundle_is_held_to_the_promise_that_it_carries(copy: Path) -> None:
    found = verify_bundle(copy)
    asked = ANY_NETWORK.on_golden_photos()
    assert found.promise == asked and f"promised: {asked}" in str(found)
    rewrite(copy, promise={"max_abs": 1e-6})
    found = verify_bundle(copy)
    assert found.promise == Promise(max_abs=2e-6) and found.to_dict()["promise"] == {"max_abs": 2e-6}
    assert [line for line in found.broken if line.startswith("int8 against fp32: max |Δ|")] == found.broken != []
    assert verify_bundle(copy, promise=ANY_NETWORK).broken == []


def test_the_shipped_bundle_keeps_what_the_shipped_student_promises() -> None:
    if not DEFAULT_BUNDLE.is_dir():
        pytest.skip("this checkout carries no default bundle")
    found = verify_bundle(DEFAULT_BUNDLE)
    assert found.promise == SHIPPED and found.parity.n == 24 and found.broken == []


def test_coarse_and_unordered_scores_break_only_with_enough_photos(
    tiny_bundle: Path, tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    paths = []
    for radius in range(6):
        for name, photo in list(photos.items())[:4]:
            path = tmp_path / f"{name}-{radius}.png"
            Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius)).save(path)
            paths.append(path)
    same = [tmp_path / f"again-{i}.png" for i in range(10)]
    for i, path in enumerate(same):
        Image.open(paths[0]).save(path, dpi=(72 + i, 72))  # another file of the same pixels
    found = verify_bundle(tiny_bundle, images=[*paths, *same], promise=Promise(srcc=0.5, unique=0.95))
    assert {line.split(":")[0] for line in found.broken} == {"int8 against fp32", "fp32"}
    assert all("unique share" in line for line in found.broken)
    assert found.parity.worst[0][0].endswith(".png") and "/" not in found.parity.worst[0][0]
    assert verify_bundle(tiny_bundle, images=paths, promise=Promise(srcc=0.5, unique=0.95)).broken == []


def test_a_copy_of_a_photo_is_compared_once(tiny_bundle: Path, tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    for name in ("astronaut", "coffee"):
        Image.fromarray(photos[name]).save(tmp_path / f"{name}.png")
    shutil.copy(tmp_path / "coffee.png", tmp_path / "again.png")
    paths = [*sorted(tmp_path.iterdir()), tmp_path / "missing.png", tmp_path / "gone.png"]
    found = verify_bundle(tiny_bundle, images=paths, promise=Promise())
    assert found.parity.n == 2 and found.source == "4 photos (copies of them left out: 1)"
    assert set(found.failed) == {"missing.png", "gone.png"}


def test_photos_that_cannot_be_scored_are_left_out_by_name(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    shutil.copy(tiny_bundle / "golden" / "coffee.png", tmp_path / "coffee.png")
    found = verify_bundle(tiny_bundle, images=[tmp_path / "empty.jpg", tmp_path / "coffee.png"])
    assert list(found.failed) == ["empty.jpg"] and found.parity.n == 1 and found.broken == []
    nothing = verify_bundle(tiny_bundle, images=[tmp_path / "empty.jpg"])
    assert any("could not be compared" in line for line in nothing.broken)


def test_a_bundle_without_golden_photos_proves_nothing(copy: Path) -> None:
    rewrite(copy, golden={})
    assert any("no golden photos" in line for line in verify_bundle(copy).broken)


def test_a_program_that_no_runtime_loads_is_reported(copy: Path) -> None:
    path = copy / "xnnpack" / "student_int8.pte"
    path.write_bytes(path.read_bytes()[:5000])
    files = manifest_of(copy)["files"]
    entry = FileEntry.of(path)
    files["xnnpack/student_int8.pte"] |= {"bytes": entry.bytes, "sha256": entry.sha256}
    rewrite(copy, files=files)
    assert any(line.startswith("int8: ") and "cannot load" in line for line in verify_bundle(copy).broken)
