"""A network is held against the contract before anything is built from it."""

from pathlib import Path

import pytest
import torch
from pocketiqa.preprocess import PreprocessSpec
from safetensors.torch import save_file
from torch import nn

from distill.contract import ContractError, QualityNetwork, check_network
from distill.networks.registry import load_network, register_network

OWN = """
from torch import nn
from distill.networks.adapter import quality_network

def build():
    body = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
    return quality_network(body, name="tiny", size=32)

def unbounded():
    body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2))
    return quality_network(body, name="tiny", size=32)
"""


class Unit(QualityNetwork):
    name = "unit"
    input = PreprocessSpec(height=8, width=8)

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor
        self.layer = nn.Linear(1, 1)

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (views.mean((1, 2, 3))[:, None] * self.factor,)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "my_network.py"
    file.write_text(OWN)
    return file


def test_a_network_of_ones_own_is_loaded_from_its_file_with_its_own_weights(own, tmp_path) -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
    save_file(body.state_dict(), tmp_path / "w.safetensors")
    network = load_network(f"{own}:build", tmp_path / "w.safetensors")
    photo = torch.rand(network.input.shape)
    normalized = (photo - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    (quality,) = network(photo)
    torch.testing.assert_close(quality, torch.sigmoid(body(normalized)))
    assert network.outputs == ("score",) and network.map_shape is None
    assert network.float_layers == ("body.4",) == (network.heads_name,)


def test_the_shipped_student_keeps_the_contract() -> None:
    network = load_network("lite0")
    assert network.outputs[0] == "score" and len(network.outputs) == 7
    assert network.map_shape == (10, 10)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("lite9", "lite0"),
        ("nowhere.py:build", "no file"),
        ("{own}:make", "no function 'make'"),
        ("{own}:unbounded", "linear layer of 1 outputs"),
        ("{own}:build", "--weights"),
    ],
)
def test_a_network_that_cannot_be_had_is_named_with_what_can(own, network, message) -> None:
    with pytest.raises((ContractError, FileNotFoundError), match=message):
        load_network(network.format(own=own))


def test_outputs_outside_the_unit_interval_are_refused() -> None:
    with pytest.raises(ContractError, match="sigmoid"):
        check_network(Unit(factor=100.0))


def test_outputs_of_another_shape_than_promised_are_refused() -> None:
    network = Unit()
    network.attributes = ("sharpness",)
    with pytest.raises(ContractError, match=r"\(1, 2\)"):
        check_network(network)


def test_a_layer_that_the_network_has_not_cannot_stay_float() -> None:
    network = Unit()
    network.float_layers = ("classifier",)
    with pytest.raises(ContractError, match=r"no layer .classifier.*layer"):
        check_network(network)


def test_a_module_that_is_no_quality_network_is_refused_with_the_cure() -> None:
    with pytest.raises(ContractError, match="quality_network"):
        check_network(nn.Linear(1, 1))


def test_a_forward_pass_that_fails_is_told_with_the_input_that_it_was_given() -> None:
    class Flat(Unit):
        def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (self.layer(views.flatten(1)),)

    with pytest.raises(ContractError, match=r"unit does not take its own input, float32 \(1, 3, 8, 8\)"):
        check_network(Flat())


def test_a_name_that_no_file_could_have_is_refused() -> None:
    network = Unit()
    network.name = "my network/1"
    with pytest.raises(ContractError, match="letters, digits"):
        check_network(network)


class Heads(Unit):
    """Its score is the sigmoid of two layers' sum, or of their product."""

    heads_name = "heads"

    def __init__(self, product: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.product = product
        self.heads = nn.ModuleList([nn.Linear(3, 1, bias), nn.Conv2d(3, 1, 1, bias=False)])

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        first = self.heads[0](views.mean((2, 3)))
        second = self.heads[1](views).mean((2, 3))
        return (torch.sigmoid(first * second if self.product else first + second),)


def test_heads_whose_sum_gives_the_logits_are_taken_and_others_are_refused_with_the_cure() -> None:
    check_network(Heads())
    with pytest.raises(ContractError, match=r"not the sigmoid of .* or None"):
        check_network(Heads(product=True))
    with pytest.raises(ContractError, match="with a bias"):
        check_network(Heads(bias=False))


def test_an_error_in_a_users_file_is_one_sentence_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("def build():\n    return undefined_name\n")
    with pytest.raises(ContractError, match=r"broken.py, line 2: NameError: .*undefined_name"):
        load_network(f"{file}:build")
    file.write_text("import no_such_package_at_all\n")
    with pytest.raises(ContractError, match=r"broken.py, line 1: ModuleNotFoundError"):
        load_network(f"{file}:build")


def test_a_users_file_may_import_its_neighbours(tmp_path: Path) -> None:
    layers = "from torch import nn\nLAYERS = [nn.Flatten(), nn.Linear(192, 1)]\n"
    (tmp_path / "neighbouring_layers.py").write_text(layers)
    file = tmp_path / "own_network.py"
    file.write_text(
        "from torch import nn\nfrom neighbouring_layers import LAYERS\n"
        "from distill.networks.adapter import quality_network\n"
        "def build():\n    return quality_network(nn.Sequential(*LAYERS), name='own', size=8)\n"
    )
    with pytest.raises(ContractError, match="--weights"):
        load_network(f"{file}:build")


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="lite0"):
        register_network("lite0", Unit)
