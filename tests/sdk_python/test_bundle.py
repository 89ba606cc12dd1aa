"""Nothing of a bundle is handed out that is not what its manifest promises."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pocketiqa.bundle import Bundle
from pocketiqa.errors import BundleError
from pocketiqa.manifest import Manifest, entries_of


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def test_a_sound_bundle_has_no_problems(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    assert bundle.problems() == []
    assert bundle.artifact("int8").name == "student_int8.pte"
    assert bundle.has("fp32") and not bundle.has("coreml_fp16")
    assert len(bundle.golden) == 4


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_changed_byte_is_refused(copy: Path, place: int) -> None:
    path = copy / "xnnpack" / "student_int8.pte"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    bundle = Bundle.open(copy)
    for attempt in (bundle.artifact, bundle.read_variant):
        with pytest.raises(BundleError, match="sha256"):
            attempt("int8")
    assert len(bundle.problems()) == 1
    bundle.artifact("fp32")


@pytest.mark.parametrize(("change", "reason"), [(lambda c: c[:-1], "bytes"), (lambda c: c + b"x", "bytes")])
def test_a_shorter_or_longer_file_is_refused(copy: Path, change: object, reason: str) -> None:
    path = copy / "golden" / "coffee.png"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BundleError, match=reason):
        Bundle.open(copy).read("golden/coffee.png")


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "xnnpack" / "student_fp32.pte").unlink()
    bundle = Bundle.open(copy)
    assert not bundle.has("fp32")
    with pytest.raises(BundleError, match=r"student_fp32\.pte is missing"):
        bundle.artifact("fp32")


def test_a_link_out_of_the_bundle_is_refused_even_with_the_right_bytes(copy: Path, tmp_path: Path) -> None:
    path = copy / "xnnpack" / "student_int8.pte"
    path.rename(tmp_path / "elsewhere.pte")
    path.symlink_to(tmp_path / "elsewhere.pte")
    with pytest.raises(BundleError, match="leads out"):
        Bundle.open(copy).artifact("int8")


def test_an_unknown_variant_lists_the_known_ones(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="fp32, int8"):
        Bundle.open(tiny_bundle).artifact("int4")


def test_a_file_the_manifest_does_not_name_cannot_be_read(copy: Path) -> None:
    (copy / "extra.pte").write_bytes(b"x")
    with pytest.raises(BundleError, match="not in the manifest"):
        Bundle.open(copy).read("extra.pte")


def test_what_is_no_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a folder"):
        Bundle.open(tmp_path / "missing")
    with pytest.raises(BundleError, match=r"no readable manifest\.json"):
        Bundle.open(tmp_path)


def test_an_mlpackage_is_checked_file_by_file(copy: Path) -> None:
    package = copy / "coreml" / "student.mlpackage"
    package.mkdir(parents=True)
    (package / "Manifest.json").write_text("{}")
    (package / "weight.bin").write_bytes(b"12345")
    values = json.loads((copy / "manifest.json").read_bytes())
    values["variants"]["coreml_fp16"] = {"path": "coreml/student.mlpackage", "backend": "coreml"}
    for path, entry in entries_of(package, "coreml/student.mlpackage/").items():
        values["files"][path] = {"bytes": entry.bytes, "sha256": entry.sha256}
    Manifest.from_dict(values).write(copy / "manifest.json")
    bundle = Bundle.open(copy)
    assert bundle.artifact("coreml_fp16") == package
    (package / "smuggled.bin").write_bytes(b"1")
    with pytest.raises(BundleError, match=r"smuggled\.bin is not in the manifest"):
        bundle.artifact("coreml_fp16")
    assert bundle.problems() == ["coreml/student.mlpackage/smuggled.bin is not in the manifest; build the bundle anew"]
    (package / "smuggled.bin").unlink()
    (package / "weight.bin").write_bytes(b"12346")
    with pytest.raises(BundleError, match="sha256"):
        bundle.artifact("coreml_fp16")
