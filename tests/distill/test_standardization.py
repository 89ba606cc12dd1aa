"""Standardized features, and layers over them that are layers over raw ones."""

from __future__ import annotations

import pytest
import torch

from distill.training.standardization import Standardization

FEATURES = torch.randn(50, 2, 8, generator=torch.Generator().manual_seed(0)) * 3 + 1


@pytest.mark.parametrize("features", [FEATURES.flatten(1), FEATURES], ids=["photos", "views of photos"])
def test_what_it_was_fitted_to_has_mean_0_and_deviation_1_to_the_bit_of_the_formula(features: torch.Tensor) -> None:
    over = (0, 1)[: features.ndim - 1]
    standard = Standardization(features)(features)
    assert torch.equal(standard, (features - features.mean(over)) * (1 / (features.std(over) + 1e-4)))
    assert standard.mean(over).abs().max() < 1e-5 and (standard.std(over) - 1).abs().max() < 1e-3


def test_a_layer_over_standardized_features_becomes_one_over_raw_features() -> None:
    features = FEATURES.flatten(1)
    standardize, weight, bias = Standardization(features), torch.rand(3, 16), torch.rand(3)
    raw_weight, raw_bias = standardize.over_raw(weight, bias)
    expected = standardize(features) @ weight.t() + bias
    assert torch.allclose(features @ raw_weight.t() + raw_bias, expected, atol=1e-5)


def test_a_feature_that_never_varies_stays_finite() -> None:
    assert Standardization(torch.ones(9, 2))(torch.ones(4, 2)).tolist() == [[0.0, 0.0]] * 4
