"""A small, seeded part of ``python -m tests.hostile``, and what the project never does with a stranger's bytes."""

from __future__ import annotations

import ast
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pocketiqa.errors import BundleError, PhotoError
from pocketiqa.manifest import Manifest
from pocketiqa.photo import PhotoLimits, load_photo
from pocketiqa.preprocess import PreprocessSpec, preprocess

from tests.hostile import arguments, arrays, bundles, kinds, photos, tables
from tests.hostile.growth import STEP, slope_of
from tests.hostile.isolation import in_a_child
from tests.hostile.mutations import MUTATIONS
from tests.hostile.place import Place
from tests.hostile.tally import Tally

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="every input meets a process of its own, by a fork"),
    pytest.mark.filterwarnings("ignore"),
]
CHECKOUT = Path(__file__).parents[2]
ROOMS = ("sdk_python", "distill", "quantize", "mobile_export", "benchmarks")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place.make(tmp_path_factory.mktemp("hostile"), seed=1)


@pytest.fixture
def tally() -> Iterator[Tally]:
    counted = Tally()
    yield counted
    assert not counted.failures, "\n".join(counted.failures)
    assert counted.total > 0


def test_damaged_photos_cost_a_folder_nothing_but_themselves(place: Place, tally: Tally) -> None:
    photos.try_damaged(place, tally, 84)


def test_kinds_of_photos_found_in_the_wild_are_read_right_told_or_refused(place: Place, tally: Tally) -> None:
    kinds.try_kinds(place, tally, 5 * len(kinds.KINDS))


def test_photos_that_change_while_read_are_read_or_refused(place: Place, tally: Tally) -> None:
    photos.try_changing(place, tally, 20)


def test_arrays_images_and_other_objects_are_scored_or_refused(place: Place, tally: Tally) -> None:
    arrays.try_arrays(place, tally, 100)


def test_tables_of_scores_are_read_right_or_refused_by_file_and_cure(place: Place, tally: Tally) -> None:
    tables.try_tables(place, tally, 70, every=5)


def test_changed_manifests_are_harmless_or_refused(place: Place, tally: Tally) -> None:
    bundles.try_manifests(place, tally, 24)


def test_every_tampered_file_is_refused_by_its_hash(place: Place, tally: Tally) -> None:
    bundles.try_tampered(place, tally, 12)


def test_a_hostile_program_is_reported_and_its_caller_lives(place: Place, tally: Tally) -> None:
    bundles.try_programs(place, tally, 20)


def test_nothing_in_the_project_unpickles_or_evaluates(tmp_path: Path) -> None:
    found = []
    for file in (file for room in ROOMS for file in sorted((CHECKOUT / room).rglob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text())):
            if reason := _danger(node):
                found.append(f"{file.relative_to(CHECKOUT)}:{node.lineno}: {reason}")
    assert not found, "\n".join(found)


MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pty"}


def _danger(node: ast.AST) -> str | None:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        return next((f"imports {name}" for name in names if name.split(".")[0] in MODULES), None)
    if not isinstance(node, ast.Call):
        return None
    called, options = ast.unparse(node.func), {option.arg: ast.unparse(option.value) for option in node.keywords}
    if called == "torch.load" and options.get("weights_only") != "True":
        return "torch.load without weights_only=True"
    if called in ("eval", "exec", "os.system", "os.popen", "yaml.load", "torch.jit.load", "torch.hub.load"):
        return f"calls {called}"
    if options.get("shell") == "True" or options.get("allow_pickle") == "True":
        return f"{called} with a shell or with pickle"
    return None


@pytest.mark.parametrize(
    "code", ["import pickle", "from joblib import load", "torch.load(p)", "np.load(p, allow_pickle=True)", "eval(x)",
             "subprocess.run(x, shell=True)", "torch.load(p, weights_only=False)"],
)  # fmt: skip
def test_the_search_for_dangerous_calls_finds_them(code: str) -> None:
    assert any(_danger(node) for node in ast.walk(ast.parse(code)))


@given(st.binary(max_size=300) | st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF"]))
@settings(max_examples=80, deadline=None)
def test_any_bytes_are_a_photo_or_one_line(content: bytes) -> None:
    try:
        assert load_photo(content).mode == "RGB"
    except PhotoError as error:
        assert str(error) and "\n" not in str(error)


@given(
    st.integers(1, 400), st.integers(1, 400), st.sampled_from([("whole",), ("detail",), ("whole", "detail")]),
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 500),
    st.sampled_from([("bilinear", "none"), ("bicubic", "none"), ("lanczos", "none"), ("bicubic", "halves")]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_size_becomes_the_input_of_any_spec(
    height: int, width: int, views: tuple[str, ...], rows: int, columns: int, short: int, filters: tuple[str, str]
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    resample, reduction = filters
    spec = PreprocessSpec(rows, columns, views, detail_short_side=short, resample=resample, reduction=reduction)
    x = preprocess(photo, spec, PhotoLimits(min_side=1))
    assert x.shape == spec.shape and x.dtype == np.float32 and x.flags.c_contiguous
    assert x.min() >= 0 and x.max() <= 1


@given(JSON)
@settings(max_examples=80, deadline=None)
def test_any_json_is_an_input_spec_or_one_line(values: object) -> None:
    try:
        PreprocessSpec.from_dict(values)
    except BundleError as error:
        assert str(error)


@given(st.dictionaries(st.sampled_from(sorted(Manifest.__dataclass_fields__)), JSON), st.sampled_from([1, 2, None]))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_a_manifest_or_one_line(values: dict, version: object) -> None:
    with pytest.raises(BundleError):
        Manifest.from_dict({**values, "schema_version": version, "outputs": {}})


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_damage_is_repeatable_and_takes_any_length(mutate: object) -> None:
    for content in (b"\0", b"ab", bytes(range(256)) * 9):
        one, other = (mutate(content, np.random.default_rng(3)) for _ in range(2))
        assert one == other and isinstance(one, bytes)


def test_a_child_that_hangs_dies_or_raises_is_told_apart() -> None:
    assert in_a_child(lambda: 3).value == 3
    assert in_a_child(lambda: 1 / 0).kind == "raised"
    assert in_a_child(lambda: time.sleep(60), seconds=0.3).kind == "hung"
    assert in_a_child(lambda: os.kill(os.getpid(), 11)).value == "SIGSEGV"
    assert in_a_child(lambda: os._exit(4)).value == 4
    assert "MemoryError" in str(in_a_child(lambda: len(bytes(10**9)), memory_mib=100).value)


def test_a_leak_of_forty_bytes_a_photo_is_seen_and_noise_is_none() -> None:
    noise = np.random.default_rng(0).normal(0, 4096, 100)
    _, low, high = slope_of(list(10**8 + noise))
    assert low < 0 < high
    slope, low, high = slope_of(list(10**8 + noise + np.arange(100) * STEP * 40))
    assert 0 < low < 40 < high and abs(slope - 40) < 5
    assert slope_of([10**8] * 100) == (0, 0, 0)


def test_a_failure_is_counted_and_shown() -> None:
    counted = Tally()
    counted.add("photos", "damaged", "refused", 3)
    counted.fail("photos", "damaged", "hung")
    assert counted.total == 4 and counted.failures == ["photos, damaged: hung"]
    assert str(counted).splitlines()[-1] == "| all |  | 4 | 0 | 3 | 0 | 1 |"


def test_mistakes_in_calling_the_command_exit_2(place: Place, tally: Tally) -> None:
    arguments.try_arguments(place, tally, every=9)
