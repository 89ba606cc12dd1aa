"""The student's attributes: six linear heads fitted to severity ladders, over pooled features of the frozen trunk."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from distill.heads.full_batch import minimize
from distill.networks.student import Linear
from distill.training.features import LadderFeatures
from distill.training.losses import masked_mse
from distill.training.standardization import Standardization


@dataclass(frozen=True)
class AttributesConfig:
    """How the attributes' heads are fitted.

    Attributes:
        l2: penalty on the squared weights over standardized features.
        iterations: of L-BFGS, at most; it stops earlier where nothing changes any more.
    """

    l2: float = 0.02
    iterations: int = 300


def fit_attributes(ladders: LadderFeatures, natural: torch.Tensor, config: AttributesConfig) -> Linear:
    """Weight 6×d and bias 6 over raw features, for logits.

    Args:
        ladders: degraded photos with their attribute targets.
        natural: features n×d of ordinary photos, whose mean and spread the penalty is measured in.
        config: penalty and length of the fit.
    """
    standardize = Standardization(natural)
    standard = standardize(ladders.features)
    weight = torch.zeros(ladders.targets.shape[1], standard.shape[1], requires_grad=True)
    bias = torch.zeros(ladders.targets.shape[1], requires_grad=True)

    def loss() -> torch.Tensor:
        error = masked_mse(torch.sigmoid(standard @ weight.t() + bias), ladders.targets)
        return error + config.l2 * weight.square().sum()

    minimize([weight, bias], loss, config.iterations)
    with torch.no_grad():
        return standardize.over_raw(weight, bias)
