"""A smooth loss over data that is all in memory, minimized by full-batch L-BFGS: deterministic, no rate to tune."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch


def minimize(parameters: Sequence[torch.Tensor], loss: Callable[[], torch.Tensor], iterations: int) -> None:
    """Change ``parameters``, in place, to where ``loss()`` is least.

    Args:
        parameters: float32 leaves that require gradients.
        loss: a scalar of them.
        iterations: at most; it stops earlier where nothing changes any more.
    """
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=iterations,
        tolerance_change=1e-7,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
