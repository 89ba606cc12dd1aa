"""The hard network: the student's signature, made quantization-safe when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.networks.tensors import save_tensors
from quantize.experiments.hard_network import HardStudent, load_hard_student
from quantize.prepare import fake_quantizers, prepare
from quantize.state import places


def test_it_has_the_students_signature_and_survives_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = HardStudent().eval()
    path = tmp_path / "hard.safetensors"
    save_tensors(network.state_dict(), path, {})
    loaded = load_hard_student(path)
    norms = [module for module in loaded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms and {norm.eps for norm in norms} == {1e-5}
    views = torch.rand(2, 3, 320, 320)
    with torch.no_grad():
        quality, quality_map = loaded(views)
        assert torch.allclose(quality, network(views)[0], atol=1e-5)
    assert quality.shape == (1, 7) and quality_map.shape == (1, 10, 10)


def test_a_rounding_that_two_operators_share_is_kept_for_both() -> None:
    prepared = prepare(HardStudent().eval())
    rounded = {node.target for node in prepared.graph.nodes if node.op == "call_module"}
    assert len(rounded) > len(list(fake_quantizers(prepared))), "nothing is shared any more: this test shows nothing"
    assert {id(place) for place in places(prepared).values()} == {id(place) for _, place in fake_quantizers(prepared)}


def test_a_missing_network_is_answered_with_the_command_that_trains_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="hard-network"):
        load_hard_student(tmp_path / "none.safetensors")
