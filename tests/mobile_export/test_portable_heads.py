"""Heads in operators with one result everywhere; that it is the same on arm64 is tested on the emulated device."""

from __future__ import annotations

import numpy as np
import torch
from pocketiqa.runtime import load_program
from torch import nn

from mobile_export.lower.executorch import lower_to_xnnpack
from mobile_export.lower.portable_heads import PortableLinear, portable_sigmoid


class Written(nn.Module):
    """A linear layer and a sigmoid, beside a second output that programs have."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.linear = PortableLinear(weight, bias)

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.linear(values), portable_sigmoid(values)


def test_the_written_sigmoid_is_the_sigmoid_up_to_a_millionth_and_stays_in_its_range() -> None:
    x = torch.linspace(-40, 40, 200_001)
    found = portable_sigmoid(x)
    assert float((found - torch.sigmoid(x.double())).abs().max()) < 1e-6
    assert float(found.min()) >= 0 and float(found.max()) <= 1


def test_xnnpack_takes_both_whole_and_gives_torchs_own_bits_where_nothing_is_summed() -> None:
    order = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(7, 704, generator=order), torch.randn(7, generator=order)
    values = 4 * torch.randn(1, 704, 1, 1, generator=order)
    written = Written(weight, bias)
    lowered = lower_to_xnnpack(torch.export.export(written, (values,)), {})
    assert lowered.delegation.subgraphs == 1
    logits, sigmoids = load_program(lowered.buffer).run(values.numpy())
    expected = weight.double() @ values.flatten().double() + bias
    np.testing.assert_allclose(logits[0], expected.numpy(), atol=2e-4)
    np.testing.assert_array_equal(sigmoids, portable_sigmoid(values).numpy())
