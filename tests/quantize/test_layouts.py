"""Other layouts of the student, whose programs are timed side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.contract import check_network
from distill.networks.student import Student
from quantize.experiments.layouts import LAYOUTS, LaidOut, LayoutsConfig, write_layouts


def shapes(network: torch.nn.Module) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in network.state_dict().values()]


def test_the_layout_that_others_are_compared_with_is_the_students() -> None:
    laid_out, student = LaidOut("lite0", LAYOUTS["lite0"]), Student(pretrained=False)
    assert shapes(laid_out.trunk) == shapes(student.trunk)
    assert set(laid_out.float_layers) == set(student.float_layers) - {"pool"}  # it pools outside any module


@pytest.mark.parametrize("name", ["channels of 16", "channels of 32"])
def test_channels_are_rounded_up(name: str) -> None:
    step = int(name.rpartition(" ")[2])
    student, rounded = Student(pretrained=False).trunk.stages, LaidOut(name, LAYOUTS[name]).trunk.stages
    views = torch.rand(1, 32, 16, 16)
    with torch.inference_mode():
        for before, after in zip(student.eval(), rounded.eval()):
            least = before[-1](torch.rand(1, _inputs(before[-1]), 8, 8)).shape[1]
            views = after(views)
            assert least <= views.shape[1] < least + step and views.shape[1] % step == 0


def _inputs(block: torch.nn.Module) -> int:
    return next(module for module in block.modules() if isinstance(module, torch.nn.Conv2d)).in_channels


@pytest.mark.parametrize("name", ["lite0", "all of these"])
def test_a_layout_is_a_network_of_the_line(name: str) -> None:
    check_network(LaidOut(name, LAYOUTS[name]))


def test_an_unknown_layout_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no layout 'round'; there are lite0, int8 stem"):
        write_layouts(LayoutsConfig(tmp_path / "out", ["lite0", "round"]))
    assert not (tmp_path / "out").exists()
