"""What ``inspect`` finds is what the manifest and the files say, field by field."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from pocketiqa.bundle import Bundle
from pocketiqa.inspection import as_text, inspect_bundle, inspect_program
from pocketiqa.runtime import installed_runtimes


def test_a_bundle_is_described_by_its_manifest_and_its_programs(tiny_bundle: Path) -> None:
    manifest, found = Bundle.open(tiny_bundle).manifest, inspect_bundle(tiny_bundle)
    for name in ("name", "version", "exporter", "minimum_runtime", "licence", "git_commit", "notes", "outputs"):
        assert found[name] == getattr(manifest, name), name
    assert found["input"] == manifest.input.to_dict()
    assert (found["golden"], found["files"]) == (len(manifest.golden), len(manifest.files))
    assert found["runtimes"] == installed_runtimes() and found["problems"] == []
    for name, variant in manifest.variants.items():
        content = (tiny_bundle / variant.path).read_bytes()
        described = found["variants"][name]
        assert (described["path"], described["backend"]) == (variant.path, "xnnpack")
        assert described["bytes"] == len(content)
        assert described["sha256"] == {variant.path: hashlib.sha256(content).hexdigest()}
        assert described["delegation"] == manifest.files[variant.path].delegation
        assert described["methods"] == ["forward", "metadata"] and described["metadata"]["variant"] == name
        assert described["runtime"].split()[0] in installed_runtimes()


def test_a_variant_that_is_damaged_is_a_problem_once_and_the_others_are_described(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    (copy / "xnnpack" / "student_int8.pte").write_bytes(b"x")
    found = inspect_bundle(copy)
    assert "methods" in found["variants"]["fp32"] and "methods" not in found["variants"]["int8"]
    assert found["problems"] and len(set(found["problems"])) == len(found["problems"])
    assert all("student_int8.pte" in problem for problem in found["problems"])


def test_a_lone_program_has_no_problems_and_says_where_its_delegation_is_recorded(tiny_bundle: Path) -> None:
    path = tiny_bundle / "xnnpack" / "student_fp32.pte"
    found = inspect_program(path)
    content = path.read_bytes()
    assert (found["path"], found["bytes"]) == (str(path), len(content))
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert "manifest" in found["delegation"] and found["problems"] == []
    assert found["outputs"][0] == {"shape": [1, 7], "dtype": "float32"}


def test_text_leaves_out_what_is_empty_and_indents_what_is_inside() -> None:
    found = {
        "name": "a\nb",
        "empty": [],
        "none": None,
        "nothing": {},
        "zero": 0,
        "metadata": {"kept": 1},
        "inputs": [{"shape": [1, 7], "dtype": "float32"}, {"shape": [2], "dtype": "int8"}],
        "variants": {"int8": {"metadata": {"dropped": 1}, "bytes": 5}},
        "notes": ["one", "two\nlines"],
        "problems": ["three"],
    }
    text = as_text(found).splitlines()
    assert text[0].startswith("name: a") and "\n" not in text[0] and "b" in text[0]
    assert text[1:5] == ["zero: 0", "metadata:", "  kept: 1", "inputs: float32 1×7, int8 2"]
    assert text[5:9] == ["variants:", "  int8:", "    bytes: 5", "notes:"]
    assert text[9] == "  one" and text[10].startswith("  two") and text[11:] == ["problems:", "  three"]
