"""A packed bundle is the bundle, and a hostile archive is one line."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pocketiqa import BundleError, Scorer, pack, unpack
from pocketiqa.archive import read_member
from pocketiqa.bundle import Bundle
from pocketiqa.files import files_under
from pocketiqa.inspection import inspect_bundle
from pocketiqa.manifest import Manifest, entries_of
from pocketiqa.verification import verify_bundle


@pytest.fixture(scope="module")
def packed(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tiny_bundle, tmp_path_factory.mktemp("packed") / "tiny.pocketiqa")


@pytest.mark.parametrize("most", [0, 10, 5000])
def test_no_more_of_a_member_is_unpacked_than_is_asked_for(packed: Path, most: int) -> None:
    assert read_member(packed, "manifest.json", most) == members(packed)["manifest.json"][:most]


def test_members_of_a_packed_bundle_are_files_that_their_owner_may_write(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, content: dict[str, bytes], **options: object) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, encoded in content.items():
            archive.writestr(name, encoded)
    return path


def test_a_packed_bundle_scores_like_its_folder(
    tiny_bundle: Path, packed: Path, photos: dict[str, np.ndarray]
) -> None:
    for variant in ("int8", "fp32"):
        assert Scorer(packed, variant)(photos["coffee"]).score == Scorer(tiny_bundle, variant)(photos["coffee"]).score
    assert not verify_bundle(packed).broken
    assert inspect_bundle(packed)["problems"] == []
    assert Bundle.open(packed).has("int8") and not Bundle.open(packed).has("coreml_fp16")


def test_packing_twice_gives_the_same_bytes(tiny_bundle: Path, packed: Path, tmp_path: Path) -> None:
    assert pack(tiny_bundle, tmp_path / "again.pocketiqa").read_bytes() == packed.read_bytes()


def test_unpacking_gives_the_folder_back(tiny_bundle: Path, packed: Path, tmp_path: Path) -> None:
    folder = unpack(packed, tmp_path / "folder")
    one, other = files_under(tiny_bundle), files_under(folder)
    assert {name: path.read_bytes() for name, path in one.items()} == {
        name: path.read_bytes() for name, path in other.items()
    }
    with pytest.raises(BundleError, match="exists already"):
        unpack(packed, folder)


def test_files_in_folders_of_folders_are_packed_and_unpacked(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    deep = copy / "coreml" / "student.mlpackage" / "Data"
    deep.mkdir(parents=True)
    (deep / "weight.bin").write_bytes(b"12345")
    manifest = Manifest.from_json((copy / "manifest.json").read_bytes())
    manifest.files.update(entries_of(deep, "coreml/student.mlpackage/Data/", variant="coreml_fp16", backend="coreml"))
    assert manifest.files["coreml/student.mlpackage/Data/weight.bin"].variant == "coreml_fp16"
    manifest.write(copy / "manifest.json")
    folder = unpack(pack(copy, tmp_path / "deep.pocketiqa"), tmp_path / "folder")
    assert (folder / "coreml" / "student.mlpackage" / "Data" / "weight.bin").read_bytes() == b"12345"


def test_a_changed_bundle_is_not_packed_and_leaves_nothing(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    (copy / "golden" / "coffee.png").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"coffee\.png has 1 bytes"):
        pack(copy, tmp_path / "bad.pocketiqa")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_packing_onto_what_is_no_file_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    for target, reason in ((tmp_path, "no regular file"), (tmp_path / "none" / "a.pocketiqa", "cannot be written")):
        with pytest.raises(BundleError, match=reason):
            pack(tiny_bundle, target)


def test_a_packed_bundle_has_no_paths_to_give(packed: Path) -> None:
    with pytest.raises(BundleError, match="unpack"):
        Bundle.open(packed).artifact("int8")


def test_a_changed_or_longer_member_is_refused(packed: Path, tmp_path: Path) -> None:
    name = "xnnpack/student_int8.pte"
    content = members(packed)
    for changed, reason in (
        (content[name][:-1] + b"?", "sha256"),
        (content[name][:-1], "has .* bytes, not"),
        (content[name] + bytes(10**8), "has over"),
    ):
        path = rewrite(tmp_path / "changed.pocketiqa", content | {name: changed}, compression=zipfile.ZIP_DEFLATED)
        with pytest.raises(BundleError, match=reason):
            Scorer(path)
        with pytest.raises(BundleError, match=reason):
            unpack(path, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_names_that_lead_elsewhere_are_never_written(packed: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    content = members(packed) | {"../escaped": b"x", "/tmp/escaped-pocketiqa": b"x", "a/../../escaped": b"x"}
    path = rewrite(inside / "slip.pocketiqa", content)
    link = zipfile.ZipInfo("golden/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    unpack(path, inside / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["inside"]
    assert not Path("/tmp/escaped-pocketiqa").exists()
    assert set(files_under(inside / "out")) == set(members(packed))


def test_two_members_of_one_name_are_refused(packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.pocketiqa"
    shutil.copy(packed, path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("manifest.json", b"{}")
    with pytest.raises(BundleError, match="two files of one name"):
        Bundle.open(path)


def test_other_compression_and_encryption_are_refused(packed: Path, tmp_path: Path) -> None:
    path = rewrite(tmp_path / "lzma.pocketiqa", members(packed), compression=zipfile.ZIP_LZMA)
    with pytest.raises(BundleError, match="encrypted or compressed otherwise"):
        Bundle.open(path)
    encrypted = bytearray(packed.read_bytes())
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(encrypted)
    with pytest.raises(BundleError, match="encrypted or compressed otherwise"):
        Bundle.open(path)


def test_a_comment_and_a_huge_table_of_contents_are_refused(packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.pocketiqa"
    shutil.copy(packed, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    with pytest.raises(BundleError, match="without a comment"):
        Bundle.open(path)
    huge = bytearray(packed.read_bytes())
    huge[-10:-6] = struct.pack("<L", 2**31)
    path.write_bytes(huge)
    with pytest.raises(BundleError, match="too many files"):
        Bundle.open(path)
    with open(path, "wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(2**31)
    with pytest.raises(BundleError, match="over the limit"):
        Bundle.open(path)


def test_a_packed_bundle_knows_which_of_its_programs_are_there(packed: Path, tmp_path: Path) -> None:
    content = members(packed)
    del content["xnnpack/student_fp32.pte"]
    bundle = Bundle.open(rewrite(tmp_path / "less.pocketiqa", content))
    assert bundle.has("int8") and not bundle.has("fp32")


def test_an_archive_without_a_manifest_or_a_file_is_named(packed: Path, tmp_path: Path) -> None:
    content = members(packed)
    lacking = {name: encoded for name, encoded in content.items() if name != "manifest.json"}
    with pytest.raises(BundleError, match=r"manifest\.json is missing"):
        Bundle.open(rewrite(tmp_path / "a.pocketiqa", lacking))
    lacking = {name: encoded for name, encoded in content.items() if not name.endswith("int8.pte")}
    with pytest.raises(BundleError, match=r"student_int8\.pte is missing"):
        Scorer(rewrite(tmp_path / "b.pocketiqa", lacking))


def test_a_damaged_archive_is_one_clear_line(packed: Path, tmp_path: Path) -> None:
    content = bytearray(packed.read_bytes())
    content[100:5000] = bytes(4900)
    (tmp_path / "zeros.pocketiqa").write_bytes(content)
    with pytest.raises(BundleError, match=r"damaged archive|sha256|missing|manifest"):
        Scorer(tmp_path / "zeros.pocketiqa")
    (tmp_path / "cut.pocketiqa").write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(BundleError, match="does not end"):
        Bundle.open(tmp_path / "cut.pocketiqa")
    (tmp_path / "text.pocketiqa").write_bytes(b"PK no zip")
    with pytest.raises(BundleError, match="not a folder"):
        Bundle.open(tmp_path / "text.pocketiqa")


def test_an_archive_without_permission_is_named(packed: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(shutil.copy(packed, folder))
        path.chmod(0)
        with unprivileged(), pytest.raises(BundleError, match="not a folder or packed file"):
            Bundle.open(path)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """For root, who may read everything, as nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_photos_as_bytes_score_like_their_files(packed: Path) -> None:
    scorer = Scorer(packed)
    for name, expected in scorer.bundle.golden.items():
        assert scorer(scorer.bundle.read(name)).score == pytest.approx(expected["int8"][0], abs=0.02)
    (empty,) = scorer.batch([b""])
    assert "is empty" in empty.error and empty.path is None
