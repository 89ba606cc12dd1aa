"""Layers of a prepared graph and what each costs, on a tiny student."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_student import TinyStudent, tiny_inputs, tuning_photos

from distill.contract import QualityNetwork
from mobile_export.examples import mobilenetv3, resnet18, vit
from quantize.experiments.sensitivity import markdown, sensitivity, write
from quantize.graph import with_all_below
from quantize.layers import int8_layers, only_fake_quants
from quantize.prepare import Prepared, fake_quantizers, prepare
from quantize.quantizer import NetworkQuantizer
from quantize.ranking import effect, ranked_layers
from quantize.recipe import Recipe, TuningPhotos, quantize


@pytest.fixture(scope="module")
def photos_and_graph(photos: dict[str, np.ndarray]) -> tuple[TuningPhotos, Prepared]:
    student = TinyStudent().eval()
    tuned_on = tuning_photos(student, tiny_inputs(photos, 8))
    return tuned_on, quantize(student, tuned_on, Recipe(weights="nearest", heads="kept"), "tiny")


def test_each_convolution_is_a_layer_with_its_weight_and_its_clamped_output(
    photos_and_graph: tuple[TuningPhotos, Prepared],
) -> None:
    layers = int8_layers(photos_and_graph[1])
    assert [layer.name for layer in layers] == ["trunk.stem.0", "trunk.stages.0"]
    assert [len(layer.fake_quants) for layer in layers] == [3, 2]  # the first also rounds the photo
    assert layers[0].modules == {"trunk.stem.0", "trunk.stem.1.act"}


@pytest.mark.parametrize("build", [TinyStudent, mobilenetv3.build, resnet18.build, vit.build])
def test_every_fake_quantization_belongs_to_a_layer_and_goes_with_it_to_float(
    build: Callable[[], QualityNetwork],
) -> None:
    network = build().eval()
    prepared = prepare(network)
    layers = int8_layers(prepared)
    owned = {id(fake_quant) for layer in layers for fake_quant in layer.fake_quants}
    assert [name for name, fake_quant in fake_quantizers(prepared) if id(fake_quant) not in owned] == []
    modules = with_all_below(network, network.float_layers).union(*(layer.modules for layer in layers))
    with pytest.raises(ValueError, match=f"no layer of {network.name} becomes int8"):
        prepare(network, NetworkQuantizer(network, modules))


def test_without_any_rounding_there_is_no_error_and_afterwards_all_round_again(
    photos_and_graph: tuple[TuningPhotos, Prepared],
) -> None:
    tuned_on, prepared = photos_and_graph
    assert effect(prepared, tuned_on.inputs, tuned_on.targets, []).mean_abs < 1e-4
    with only_fake_quants(prepared, []):
        assert not any(rounding.fake_quant_enabled[0] for _, rounding in fake_quantizers(prepared))
    assert all(rounding.fake_quant_enabled[0] for _, rounding in fake_quantizers(prepared))


@pytest.mark.parametrize("recipe", [Recipe(weights="nearest", heads="kept"), Recipe()], ids=["plain", "refitted"])
def test_layers_are_ranked_with_the_students_own_heads_whatever_the_recipe_does_to_them(
    photos_and_graph: tuple[TuningPhotos, Prepared], recipe: Recipe
) -> None:
    tuned_on, prepared = photos_and_graph
    layers = ranked_layers(TinyStudent().eval(), tuned_on, recipe, range(8))
    errors = {
        layer.name: effect(prepared, tuned_on.inputs, tuned_on.targets, layer.fake_quants).deviation
        for layer in int8_layers(prepared)
    }
    assert [layer.name for layer in layers] == sorted(errors, key=lambda name: -errors[name])


def test_the_worst_layer_alone_in_int8_comes_first_and_the_chart_is_written(
    photos_and_graph: tuple[TuningPhotos, Prepared], tmp_path: Path
) -> None:
    tuned_on, prepared = photos_and_graph
    rows = sensitivity(prepared, tuned_on.inputs, tuned_on.targets)
    errors = [row.alone_int8.mean_abs for row in rows]
    assert errors == sorted(errors, reverse=True) and errors[-1] > 0
    assert "| `trunk.stem.0` " in markdown(rows)
    write(rows, tmp_path)
    lines = (tmp_path / "sensitivity.csv").read_text().splitlines()
    assert len(lines) == 1 + len(rows) and lines[1].startswith(rows[0].name + ",")
    assert (tmp_path / "sensitivity.png").read_bytes().startswith(b"\x89PNG")
