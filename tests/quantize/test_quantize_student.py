"""Both ways of quantization end to end on a few photos: a table, a record, the better one kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.files import sha256_of

from distill.student import SHIPPED_STUDENT, load_student
from quantize.qat import QatConfig
from quantize.quantize_student import QuantizeConfig, quantize_student
from quantize.state import load_prepared


@pytest.mark.slow
def test_the_better_of_ptq_and_qat_is_written_and_can_be_loaded(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(20):
        photo = list(photos.values())[number % 6]
        Image.fromarray(photo[number : number + 120, number : number + 160]).save(folder / f"{number}.png")
    out = tmp_path / "int8.safetensors"
    config = QuantizeConfig(
        folder, out=out, calibration=16, fine_tuning=1, validation=3, qat=QatConfig(steps=1, photos_per_step=1)
    )
    table = quantize_student(config)
    record = json.loads(out.with_suffix(".json").read_text())
    assert "PTQ" in table and "QAT" in table and f"{record['shipped']} (shipped)" in table
    errors = {name: row["mean_abs"] for name, row in record["validation"].items()}
    assert errors[record["shipped"]] == min(errors.values())
    load_prepared(load_student(SHIPPED_STUDENT), out, sha256_of(SHIPPED_STUDENT))
