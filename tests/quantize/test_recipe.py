"""The whole way from float to int8, on a tiny student: deterministic, and each choice does what it is for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from eager_program import without_lowering
from tiny_student import TinyStudent, tiny_inputs, tuning_photos

from distill.networks.student import HIDDEN_UNITS, OUTPUTS
from quantize.prepare import Prepared, convert, fake_quantizers, prepare
from quantize.program import lower
from quantize.qat import QatConfig, fine_tune
from quantize.recipe import Recipe, TuningPhotos, quantize

NEAREST = Recipe(weights="nearest", heads="kept")


@pytest.fixture(scope="module", autouse=True)
def eager() -> Iterator[None]:
    with without_lowering():
        yield


@pytest.fixture(scope="module")
def student() -> TinyStudent:
    return TinyStudent().eval()


@pytest.fixture(scope="module")
def tuned_on(student: TinyStudent, photos: dict[str, np.ndarray]) -> TuningPhotos:
    return tuning_photos(student, tiny_inputs(photos, 24))


@pytest.fixture(scope="module")
def made(student: TinyStudent, tuned_on: TuningPhotos) -> Callable[[Recipe], Prepared]:
    """A recipe's int8 student, made once."""
    kept: dict[Recipe, Prepared] = {}
    return lambda recipe: kept.setdefault(recipe, quantize(student, tuned_on, recipe, "tiny"))


def errors(network: torch.nn.Module, photos: TuningPhotos) -> np.ndarray:
    with torch.no_grad():
        return np.stack([network(views)[0][0].numpy() for views in photos.inputs]) - photos.targets


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_and_other_photos_others(
    student: TinyStudent, tuned_on: TuningPhotos, made: Callable[[Recipe], Prepared]
) -> None:
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    again = quantize(student, tuned_on, Recipe(), "tiny")
    assert lower(convert(again)).buffer == lower(convert(made(Recipe()))).buffer
    fewer = dataclasses.replace(tuned_on, calibration=tuned_on.calibration.take(range(3)))
    other = dict(quantize(student, fewer, NEAREST, "tiny").named_buffers())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in made(NEAREST).named_buffers())
    assert all(torch.equal(tensor, before[name]) for name, tensor in student.state_dict().items())


def test_weights_rounded_together_and_refitted_heads_each_lower_the_error(
    tuned_on: TuningPhotos, made: Callable[[Recipe], Prepared]
) -> None:
    nearest, together, refitted = (
        np.abs(errors(made(recipe), tuned_on)).mean() for recipe in (NEAREST, Recipe(heads="kept"), Recipe())
    )
    assert refitted < together < nearest


def test_refitted_heads_have_other_outputs_and_the_same_hidden_units(made: Callable[[Recipe], Prepared]) -> None:
    kept, refitted = (dict(made(Recipe(heads=heads)).named_parameters()) for heads in ("kept", "refitted"))
    names = [name for name, tensor in kept.items() if len(tensor) == len(OUTPUTS) + HIDDEN_UNITS]
    assert len(names) == 3
    for name in names:
        assert torch.equal(kept[name][len(OUTPUTS) :], refitted[name][len(OUTPUTS) :])
        assert not torch.equal(kept[name][: len(OUTPUTS)], refitted[name][: len(OUTPUTS)])


def test_shifted_heads_leave_next_to_no_mean_error(
    tuned_on: TuningPhotos, made: Callable[[Recipe], Prepared]
) -> None:
    kept = errors(made(NEAREST), tuned_on).mean(0)
    shifted = errors(made(dataclasses.replace(NEAREST, heads="shifted")), tuned_on).mean(0)
    assert np.abs(shifted).max() < 0.3 * np.abs(kept).max()


@pytest.mark.parametrize("observer", ["moving-average", "histogram"])
def test_every_observer_calibrates_to_ranges_of_its_own(
    tuned_on: TuningPhotos, made: Callable[[Recipe], Prepared], observer: str
) -> None:
    prepared = made(dataclasses.replace(NEAREST, observer=observer))
    assert np.abs(errors(prepared, tuned_on)).mean() < 0.02
    scales = [float(module.scale.max()) for _, module in fake_quantizers(prepared)]
    assert scales != [float(module.scale.max()) for _, module in fake_quantizers(made(NEAREST))]


def test_a_module_left_in_float_keeps_its_weight_and_lowers_the_error(
    tuned_on: TuningPhotos, made: Callable[[Recipe], Prepared]
) -> None:
    reverted = made(dataclasses.replace(NEAREST, float_modules=frozenset({"trunk.stages.0", "trunk.stages.1.act"})))
    assert len(list(fake_quantizers(reverted))) == len(list(fake_quantizers(made(NEAREST)))) - 2
    assert np.abs(errors(reverted, tuned_on)).mean() < np.abs(errors(made(NEAREST), tuned_on)).mean()


def test_fine_tuning_lowers_the_loss_and_leaves_every_scale(student: TinyStudent, tuned_on: TuningPhotos) -> None:
    prepared = quantize(student, tuned_on, NEAREST, "tiny")
    scales = {name: module.scale.clone() for name, module in fake_quantizers(prepared)}
    losses: list[float] = []
    config = QatConfig(steps=30, rate=1e-4)
    watch = lambda step, loss: losses.append(loss)  # noqa: E731
    fine_tune(prepared, prepare(student), tuned_on.inputs.take([0]), config, student.heads_name, watch)
    assert np.mean(losses[-5:]) < losses[0]
    assert all(torch.equal(module.scale, scales[name]) for name, module in fake_quantizers(prepared))


def test_each_setting_of_fine_tuning_changes_its_loss(student: TinyStudent, tuned_on: TuningPhotos) -> None:
    prepared, reference = quantize(student, tuned_on, NEAREST, "tiny"), prepare(student)

    def losses(**settings: float) -> list[float]:
        seen: list[float] = []
        config = QatConfig(**({"steps": 2, "photos_per_step": 1, "rate": 0.0} | settings))
        inputs = tuned_on.inputs.take(range(6))
        fine_tune(prepared, reference, inputs, config, student.heads_name, lambda step, loss: seen.append(loss))
        return seen

    usual = losses()
    changes = {"steps": 1, "photos_per_step": 2, "map_weight": 1.0, "feature_weight": 1.0, "seed": 1}
    for name, value in changes.items():
        assert losses(**{name: value}) != usual, name
    assert losses(rate=1e-3)[1] != usual[1]  # last, because it moves the weights
