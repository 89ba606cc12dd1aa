"""A manifest is read back as written, and every mistake in one is a line that names the field."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pocketiqa.errors import BundleError
from pocketiqa.files import atomic_directory, atomic_file, checked_relative, confined
from pocketiqa.manifest import FileEntry, Manifest, Variant, entries_of
from pocketiqa.preprocess import PreprocessSpec
from pocketiqa.promises import ANY_NETWORK, SHIPPED

HASH = "0" * 64


def example() -> Manifest:
    return Manifest(
        name="lite0",
        version="0.1.0",
        input=PreprocessSpec(320, 320, views=("whole", "detail")),
        outputs={
            "score": {"range": [0, 1]},
            "attributes": {"names": ["sharpness", "noise"], "range": [0, 1]},
            "map": {"shape": [10, 10], "range": [0, 1]},
        },
        files={
            "xnnpack/int8.pte": FileEntry(10, HASH, "int8", "xnnpack", {"subgraphs": 1}),
            "coreml/fp16.mlpackage/Data/weight.bin": FileEntry(20, HASH),
            "coreml/fp16.mlpackage.txt": FileEntry(20, HASH),
            "golden/a.png": FileEntry(30, HASH),
        },
        variants={
            "int8": Variant("xnnpack/int8.pte", "xnnpack"),
            "coreml_fp16": Variant("coreml/fp16.mlpackage", "coreml"),
        },
        golden={"golden/a.png": {"int8": [0.5, 0.6, 0.7], "fp32": [0.5, 0.6, 1]}},
        promise=SHIPPED,
        notes=["Vulkan was not built: nobody asked"],
    )


def test_a_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    example().write(tmp_path / "manifest.json")
    assert Manifest.from_json((tmp_path / "manifest.json").read_bytes()) == example()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_manifest_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    wrong = example()
    wrong.golden["golden/a.png"]["int8"].append(0.8)
    with pytest.raises(BundleError, match="3 numbers"):
        wrong.write(tmp_path / "manifest.json")
    assert not list(tmp_path.iterdir())


def test_what_a_manifest_may_leave_out_is_empty_then() -> None:
    needed = ("schema_version", "name", "version", "input", "outputs", "files", "variants")
    whole = json.loads(json.dumps(example().to_dict()))
    read = Manifest.from_dict({name: whole[name] for name in needed})
    assert (read.name, read.files) == (example().name, example().files)
    left_out = set(whole) - set(needed) - {"promise"}
    assert read.promise == ANY_NETWORK
    assert len(left_out) >= 9 and {name for name in left_out if getattr(read, name)} == set()


def test_a_subset_keeps_its_variants_files_and_the_golden_photos() -> None:
    subset = example().subset({"coreml_fp16"})
    assert set(subset.files) == {"coreml/fp16.mlpackage/Data/weight.bin", "golden/a.png"}
    assert set(subset.variants) == {"coreml_fp16"}
    assert subset.golden == example().golden


DELETE = object()
MISTAKES = [
    ("schema_version", DELETE, "lacks 'schema_version'"),
    ("schema_version", 3, "schema_version 3; this pocketiqa reads 1 to 2"),
    ("schema_version", 0, "schema_version 0; this pocketiqa reads 1 to 2"),
    ("schema_version", True, "must be an integer"),
    ("name", DELETE, "lacks 'name'"),
    ("name", 7, "'name' of type int; it must be a string"),
    ("name", "a\nb", "letters, digits"),
    ("version", "../1", "letters, digits"),
    ("outputs.attributes.names", ["noise\ud800", "a"], "letters, digits"),
    ("files.golden/a.png.bytes", 10**30, "bytes of 0 to"),
    ("input", DELETE, "lacks 'input'"),
    ("input.height", "320", "input height is '320'"),
    ("outputs", [], "must be an object"),
    ("outputs.score", DELETE, "outputs lacks 'score'"),
    ("outputs.attributes.names", ["noise", "noise"], "a name twice"),
    ("outputs.attributes.names", [["noise"], "a"], "must be a string"),
    ("outputs.attributes.names", ["error", "noise"], "columns already"),
    ("files", DELETE, "lacks 'files'"),
    ("files.golden/a.png", 30, "must be an object"),
    ("files.golden/a.png.bytes", -1, "bytes of 0 to"),
    ("files.golden/a.png.sha256", "abc", "64 lower-case hexadecimal"),
    ("files.golden/a.png.delegation", "all", "must be an object"),
    ("variants.int8.path", "../int8.pte", "not allowed"),
    ("variants.int8.path", "/etc/passwd", "not allowed"),
    ("variants.int8.backend", DELETE, "lacks 'backend'"),
    ("golden.golden/a.png.int8", [0.5], "3 numbers"),
    ("golden.golden/a.png.int8", [0.5, "0.6", 0.7], "3 numbers"),
    ("golden.golden/a.png", 1, "must be an object"),
    ("golden.golden/a.png.int8", [0.5, 10**400, 0.7], "3 numbers"),
    ("golden.golden/a.png.int8", [0.5, 1.1, 0.7], "in [0, 1]"),
    ("golden.golden/a.png.int8", [0.5, True, 0.7], "3 numbers"),
    ("files.golden/a.png.bytes", 256 * 1024**2 + 1, "bytes of 0 to"),
    ("files.golden/a.png.sha256", "0" * 63 + "\n", "64 lower-case hexadecimal"),
    ("variants.int8.path", "x/" * 120 + "y", "not allowed"),
    ("variants.\x1b[2J", {"path": "a", "backend": "b"}, "letters, digits"),
    ("notes", "none", "must be a list"),
    ("promise", [], "promise is list; it must be an object"),
    ("promise.srcc", 2, "promise has srcc of 2; it must be a number in [0, 1]"),
    ("promise.speed", 1, "promise has 'speed'; known are srcc"),
]


@pytest.mark.parametrize(("field", "value", "reason"), MISTAKES)
def test_every_mistake_is_one_line_that_names_its_field(field: str, value: Any, reason: str) -> None:
    values = copy.deepcopy(example().to_dict())
    place = values
    *parents, last = field.replace("a.png", "a,png").split(".")
    for parent in parents:
        place = place[parent.replace(",", ".")]
    last = last.replace(",", ".")
    if value is DELETE:
        del place[last]
    else:
        place[last] = value
    with pytest.raises(BundleError) as caught:
        Manifest.from_json(json.dumps(values).encode())
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "encoded",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": NaN}', b'{"a": 1e999}', b"9" * 5000,
     b"[" * 100_000, b" " * 5_000_000],
)
def test_what_is_no_json_object_is_refused(encoded: bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Manifest.from_json(encoded)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused_wherever_it_stands(number: str) -> None:
    with pytest.raises(BundleError, match="no finite number"):
        Manifest.from_json(b'{"notes": [' + number.encode() + b"]}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "../a",
        "a/../b",
        "a//b",
        "./a",
        "a/",
        "a\\b",
        "C:a",
        "a\0b",
        "a\nb",
        "..",
        ".",
        None,
        3,
        ["a"],
    ],
)
def test_only_plain_relative_paths_are_allowed(name: object) -> None:
    with pytest.raises(BundleError, match="not allowed"):
        checked_relative(name)


def test_a_link_may_not_lead_out_of_the_bundle(tmp_path: Path) -> None:
    root = tmp_path / "bundle"
    root.mkdir()
    (tmp_path / "secret").write_text("s")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    for name in ("link", "folder/secret"):
        with pytest.raises(BundleError, match="leads out"):
            confined(root, name)


def test_entries_are_the_files_inside_a_folder_and_not_the_folder(tmp_path: Path) -> None:
    (tmp_path / "p.mlpackage" / "Data").mkdir(parents=True)
    (tmp_path / "p.mlpackage" / "Data" / "weight.bin").write_bytes(b"123")
    entries = entries_of(tmp_path / "p.mlpackage", "coreml/p.mlpackage/", variant="coreml_fp16")
    assert list(entries) == ["coreml/p.mlpackage/Data/weight.bin"]
    assert entries["coreml/p.mlpackage/Data/weight.bin"].bytes == 3


def test_a_file_that_fails_halfway_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(path) as file:
        file.write("new")
        raise RuntimeError
    assert path.read_text() == "old"
    with atomic_file(path) as file:
        file.write("new")
    assert path.read_text() == "new"
    assert [child.name for child in tmp_path.iterdir()] == ["scores.csv"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "dist" / "bundle"
    with atomic_directory(target) as fresh:
        (fresh / "a").write_text("1")
    with pytest.raises(RuntimeError), atomic_directory(target) as fresh:
        (fresh / "b").write_text("2")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["a"]
    with atomic_directory(target) as fresh:
        (fresh / "b").write_text("2")
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in target.parent.iterdir()] == ["bundle"]
