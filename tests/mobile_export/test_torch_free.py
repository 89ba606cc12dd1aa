"""The torch-free runtime is run where there is one, and its absence is said in words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import small_student
from pocketiqa.runtime import load_program

from mobile_export.verify import torch_free
from mobile_export.verify.torch_free import NoTorchFreeRuntime, find_python, run_torch_free


def test_a_python_without_the_runtime_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoTorchFreeRuntime, match=r"Python 3\.12"):
        find_python(tmp_path / "python")


def test_without_any_the_message_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_free.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(torch_free.shutil, "which", lambda name: None)
    with pytest.raises(NoTorchFreeRuntime, match=r"uv venv --python 3\.12"):
        find_python()


def test_an_interpreter_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "student.pte"
    program.write_bytes(b"no program")
    with pytest.raises(NoTorchFreeRuntime, match=r"student\.pte"):
        run_torch_free([sys.executable], program, [np.zeros((1, 3, 4, 4), np.float32)])


def test_it_scores_as_the_official_runtime(int8: Path) -> None:
    named = os.environ.get("POCKETIQA_TORCH_FREE_PYTHON")
    try:
        python = find_python(Path(named) if named else None)
    except NoTorchFreeRuntime as error:
        pytest.skip(str(error))
    official = load_program(int8, prefer="executorch")
    photos = small_student.photos()[:2]
    found, name = run_torch_free(python, int8, photos)
    assert name.startswith("executorch-numpy-runtime")
    np.testing.assert_allclose(found, np.concatenate([official.run(photo)[0] for photo in photos]), atol=1e-4)
