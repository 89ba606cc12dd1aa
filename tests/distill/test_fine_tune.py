"""The fine-tuned baseline starts where the frozen probe stands, and all of it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pocketiqa.preprocess import preprocess

from distill.data.mos_sets import MosSet
from distill.experiments.fine_tune import FineTuning, UsualNetwork, _seen
from distill.experiments.leave_one_out import EveryFeature, usual_probe
from distill.networks.student import INPUT_SPEC


@pytest.fixture(scope="module")
def network() -> UsualNetwork:
    return UsualNetwork()


@pytest.fixture
def mos_set(photos: dict[str, np.ndarray], tmp_path: Path) -> MosSet:
    paths = [tmp_path / "rocket.png", tmp_path / "coffee.png"]
    for path in paths:
        Image.fromarray(photos[path.stem]).save(path)
    return MosSet("own", paths, np.array([0.3, 0.7]), np.array(["a", "b"]))


def test_the_network_reads_what_the_frozen_probe_reads(network: UsualNetwork, mos_set: MosSet) -> None:
    photo = mos_set.paths[0]
    with torch.no_grad():
        table = EveryFeature()(torch.from_numpy(preprocess(photo, INPUT_SPEC))).flatten()[usual_probe()]
        score = network(torch.from_numpy(_seen(photo)))
    expected = torch.sigmoid(network.head.weight[0] @ table + network.head.bias[0])
    assert score.item() == pytest.approx(expected.item(), abs=1e-4)


def test_every_layer_learns_and_no_statistic_of_batchnorm_moves(network: UsualNetwork, mos_set: MosSet) -> None:
    stage = FineTuning(network, mos_set)
    stage.train()
    before = network.network.bn1.running_mean.clone()
    loss = stage(stage.load([0, 1], seed=0))["mse"]
    loss.backward()
    assert network.network.conv_stem.weight.grad.abs().max() > 0 and network.head.weight.grad.abs().max() > 0
    assert torch.equal(network.network.bn1.running_mean, before)


def test_the_error_is_zero_where_the_network_agrees(network: UsualNetwork, mos_set: MosSet) -> None:
    stage = FineTuning(network, mos_set)
    batch = stage.load([0, 1], seed=0)
    with torch.no_grad():
        agreed = stage({"photos": batch["photos"], "mos": network(batch["photos"])})["mse"]
        error = stage({"photos": batch["photos"], "mos": network(batch["photos"]) + 0.1})["mse"]
    # The stage runs in channels-last order, whose sums round differently on some processors.
    assert agreed < 1e-9 and error.item() == pytest.approx(0.01, rel=1e-3)


def test_the_rates_cover_every_parameter_once(network: UsualNetwork, mos_set: MosSet) -> None:
    groups = FineTuning(network, mos_set).parameter_groups(1e-4)
    listed = [parameter for group in groups for parameter in group["params"]]
    assert {id(p) for p in listed} == {id(p) for p in network.parameters()} and len(listed) == len(set(map(id, listed)))
    assert [group["lr"] for group in groups] == pytest.approx([1e-4, 3e-4])
