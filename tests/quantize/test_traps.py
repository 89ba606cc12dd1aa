"""Each trap shows on a tiny student, so that the table's columns differ for the reason that they name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_student import TinyStudent, tiny_inputs

from quantize.calibration import Inputs
from quantize.experiments.traps import BeforeClamp, HeadsToo, moved_scales, scores, with_rewritten_eps
from quantize.prepare import fake_quantizers, prepare
from quantize.ptq import calibrate
from quantize.quantizer import NetworkQuantizer


@pytest.fixture(scope="module")
def inputs(photos: dict[str, np.ndarray]) -> Inputs:
    return tiny_inputs(photos, 8)


def test_an_eps_that_is_read_wrongly_changes_the_scores_and_nothing_else(inputs: Inputs) -> None:
    student = TinyStudent().eval()
    before = scores(student, inputs)
    assert np.abs(scores(with_rewritten_eps(student), inputs) - before).max() > 0
    assert np.array_equal(scores(student, inputs), before)


def test_observers_that_stay_on_follow_later_photos(inputs: Inputs) -> None:
    dark = Inputs(np.stack([pixels.numpy() * 255 for pixels in inputs.take([0])]).astype(np.uint8) // 8)
    prepared = prepare(TinyStudent().eval())
    calibrate(prepared, dark)
    assert moved_scales(prepared, inputs, observing=False) == 0
    assert moved_scales(prepared, inputs, observing=True) > 0


def test_the_stock_choices_round_more_and_wider(inputs: Inputs) -> None:
    def scales(kind: type[NetworkQuantizer]) -> dict[str, float]:
        student = TinyStudent().eval()
        prepared = prepare(student, kind(student))
        calibrate(prepared, inputs)
        return {name: float(torch.max(module.scale)) for name, module in fake_quantizers(prepared)}

    ours, heads, wide = (scales(kind) for kind in (NetworkQuantizer, HeadsToo, BeforeClamp))
    assert len(heads) > len(ours)
    assert sum(wide.values()) > sum(ours.values())
