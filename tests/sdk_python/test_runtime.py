"""Both runtimes behind one interface: same answers, clear refusals, threads, forks."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from pocketiqa.errors import BundleError, RuntimeUnavailable
from pocketiqa.runtime import PTE, RUNTIMES, Program, installed_runtimes, load_program
from pocketiqa.runtimes.executorch import pool_of
from pocketiqa.scorer import Scorer
from pocketiqa.threadpool import executorch_bindings

RANDOM = np.random.default_rng(5).random((2, 3, 64, 64), dtype=np.float32)


@pytest.fixture(scope="module", params=sorted(name for name, one in RUNTIMES.items() if one.format == PTE))
def runtime(request: pytest.FixtureRequest) -> str:
    if request.param not in installed_runtimes():
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def program(tiny_bundle: Path, runtime: str) -> Program:
    return load_program(tiny_bundle / "xnnpack" / "student_int8.pte", prefer=runtime)


def test_a_program_tells_its_runtime_its_signature_and_its_metadata(program: Program, runtime: str) -> None:
    assert program.runtime_name == f"{runtime} {installed_runtimes()[runtime]}"
    assert program.inputs == [{"shape": [2, 3, 64, 64], "dtype": "float32"}]
    assert [output["shape"] for output in program.outputs] == [[1, 7], [1, 2, 2]]
    assert program.metadata()["variant"] == "int8"


def test_loading_a_program_imports_no_exporter(tiny_bundle: Path) -> None:
    if "executorch" not in installed_runtimes():
        pytest.skip("executorch is not installed")
    path = str(tiny_bundle / "xnnpack" / "student_int8.pte")
    check = (
        f"import sys; from pocketiqa.runtime import load_program; "
        f"load_program({path!r}, threads=1, prefer='executorch');"
        "print('executorch.exir' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_without_torch_the_official_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RuntimeUnavailable, match=r"executorch needs torch.*pip install torch"):
        executorch_bindings()


def test_a_path_and_its_bytes_load_the_same_program(
    program: Program, tiny_bundle: Path, runtime: str
) -> None:
    content = (tiny_bundle / "xnnpack" / "student_int8.pte").read_bytes()
    other = load_program(content, prefer=runtime)
    for a, b in zip(program.run(RANDOM), other.run(RANDOM)):
        assert np.array_equal(a, b)


def test_the_memory_layout_of_the_input_does_not_change_the_scores(program: Program) -> None:
    expected = program.run(RANDOM)[0]
    channels_last = np.ascontiguousarray(RANDOM.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    read_only = RANDOM.copy()
    read_only.flags.writeable = False
    for same in (channels_last, read_only, np.flip(np.flip(RANDOM, 2).copy(), 2)):
        assert np.array_equal(program.run(same)[0], expected)


def test_outputs_are_not_overwritten_by_the_next_run(program: Program) -> None:
    first = program.run(RANDOM)[0]
    kept = first.copy()
    program.run(np.zeros_like(RANDOM))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("wrong", [RANDOM.astype(np.float64), RANDOM[:1], RANDOM[..., :63], RANDOM[0]])
def test_another_shape_or_dtype_is_refused_with_what_is_wanted(program: Program, wrong: np.ndarray) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"takes float32 \[2, 3, 64, 64\], not"):
        program.run(wrong)


def test_what_is_no_program_is_refused(tiny_bundle: Path, tmp_path: Path, runtime: str) -> None:
    whole = (tiny_bundle / "xnnpack" / "student_int8.pte").read_bytes()
    for content in (b"", b"junk" * 100):
        with pytest.raises(BundleError, match="not an ExecuTorch program"):
            load_program(content, prefer=runtime)
    with pytest.raises(RuntimeUnavailable, match="cannot load the program"):
        load_program(whole[:5000], prefer=runtime)
    with pytest.raises(BundleError, match="cannot be read"):
        load_program(tmp_path / "missing.pte", prefer=runtime)


def test_an_unknown_runtime_lists_the_known_ones(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_bundle / "xnnpack" / "student_int8.pte"
    with pytest.raises(RuntimeUnavailable, match="executorch-numpy-runtime, executorch"):
        load_program(path, prefer="tflite")
    monkeypatch.setenv("POCKETIQA_RUNTIME", "onnx")
    with pytest.raises(RuntimeUnavailable, match="'onnx'"):
        load_program(path)


def test_a_runtime_that_is_not_installed_says_how_to_get_it(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match="install executorch-numpy-runtime or executorch with pip"):
        load_program(tiny_bundle / "xnnpack" / "student_int8.pte")


def test_threads_are_honoured_and_change_no_score(program: Program, tiny_bundle: Path, runtime: str) -> None:
    """Also the scores of programs that were loaded before: replacing the pool under them was a crash."""
    expected = program.run(RANDOM)[0]
    path = tiny_bundle / "xnnpack" / "student_int8.pte"
    for threads in (1, 3, 2):
        counted = load_program(path, threads=threads, prefer=runtime)
        assert pool_of(runtime).count() == threads
        assert np.array_equal(counted.run(RANDOM)[0], expected)
        assert np.array_equal(program.run(RANDOM)[0], expected)


@pytest.mark.parametrize("threads", [0, -1, 1000, 1.5, True])
def test_an_impossible_thread_count_is_refused(tiny_bundle: Path, threads: object) -> None:
    with pytest.raises(RuntimeUnavailable, match="1 to 256"):
        load_program(tiny_bundle / "xnnpack" / "student_int8.pte", threads=threads)


def test_many_threads_get_the_serial_scores(program: Program) -> None:
    inputs = [np.roll(RANDOM, shift, axis=3) for shift in range(8)]
    expected = [program.run(x)[0] for x in inputs]
    found: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        for _ in range(5):
            found[i] = program.run(inputs[i])[0]

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(found[i], expected[i]) for i in range(8))


def test_a_forked_child_scores_like_its_parent(tiny_bundle: Path, runtime: str) -> None:
    """In a process of its own: worker threads do not survive a fork, and a child would wait for them."""
    program = f"""
import os, signal, sys
import numpy as np
from pocketiqa.runtime import load_program
from pocketiqa.runtimes.executorch import pool_of
from pocketiqa.scorer import Scorer
program = load_program({str(tiny_bundle / "xnnpack" / "student_int8.pte")!r}, threads=2, prefer={runtime!r})
x = np.random.default_rng(5).random((2, 3, 64, 64), dtype=np.float32)
expected = program.run(x)[0]
for _ in range(3):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        same = np.array_equal(program.run(x)[0], expected) and pool_of({runtime!r}).count() == 2
        os._exit(0 if same else 3)
    assert np.array_equal(program.run(x)[0], expected)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, timeout=180)
    assert done.returncode == 0, done.stderr.decode()


def test_a_file_that_is_no_pte_runs_only_where_its_runtime_is_named(tiny_bundle: Path) -> None:
    onnx, tflite = b"\x08\x0a\x12\x07pytorch", b"\x1c\x00\x00\x00TFL3"
    with pytest.raises(RuntimeUnavailable, match="only where its runtime is named: onnxruntime or openvino"):
        load_program(onnx)
    with pytest.raises(RuntimeUnavailable, match="only where its runtime is named: ai-edge-litert"):
        load_program(tflite)
    with pytest.raises(RuntimeUnavailable, match=r"executorch runs \.pte files, not \.onnx"):
        load_program(onnx, prefer="executorch")
    with pytest.raises(RuntimeUnavailable, match=r"openvino runs \.onnx files, not \.pte"):
        load_program(tiny_bundle / "xnnpack" / "student_int8.pte", prefer="openvino")


def test_a_bundle_without_the_file_that_a_named_runtime_runs_says_how_to_get_one(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"no \.onnx file of int8, which openvino runs; .*mobile_export builds one"):
        Scorer(tiny_bundle, runtime="openvino")
