"""In the place of a frozen trunk's lowered program, which takes its time to build."""

from __future__ import annotations

import numpy as np
import torch
from pocketiqa.preprocess import PreprocessSpec
from torch import nn


class EagerTrunk:
    """The network itself, as the feature cache takes it."""

    def __init__(self, network: nn.Module, spec: PreprocessSpec) -> None:
        self.network, self.input, self.fingerprint = network.eval(), spec, type(network).__name__

    def __call__(self, views: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            outputs = self.network(torch.from_numpy(views))
        return (outputs[0] if isinstance(outputs, tuple) else outputs).numpy().ravel()
