"""Models by name: every error says what is allowed; OpenAI's layout loads however it was wrapped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.teacher.any_resolution import accept_any_resolution
from distill.teacher.towers import load_clip, load_openai_layout
from distill.teacher.two_towers import TeacherError, TwoTowers


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("RN5O:openai", "RN50"),
        ("RN50:nothing", "openai"),
        ("RN50", "random"),
        ("local-dir:nowhere", "open_clip_config.json"),
    ],
)
def test_a_wrong_name_is_answered_with_what_is_there(name: str, said: str) -> None:
    with pytest.raises(TeacherError, match=said):
        load_clip(name)


def reference(towers: TwoTowers) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        key: torch.randn_like(value) if value.is_floating_point() else value
        for key, value in towers.model.state_dict().items()
    }


@pytest.mark.parametrize("wrapper", ["", "module.", "clip_model."])
def test_openais_layout_loads_in_half_precision_with_extras_and_under_any_wrapper(
    tiny_resnet: TwoTowers, wrapper: str
) -> None:
    state = reference(tiny_resnet)
    stored = {key: value.half() for key, value in state.items()} | {"input_resolution": torch.tensor(224)}
    load_openai_layout(tiny_resnet.model, {wrapper + key: value for key, value in stored.items()})
    loaded = tiny_resnet.model.state_dict()["visual.conv1.weight"]
    assert torch.equal(loaded, state["visual.conv1.weight"].half().float())


def test_a_checkpoint_without_the_attention_pools_position_loads(tiny_resnet: TwoTowers) -> None:
    state = reference(tiny_resnet)
    del state["visual.attnpool.positional_embedding"]
    load_openai_layout(tiny_resnet.model, state)
    accept_any_resolution(tiny_resnet.model.visual)
    assert tiny_resnet.model.visual(torch.rand(1, 3, 96, 64)).shape == (1, 32)


def test_weights_of_another_architecture_are_refused_by_name(tiny_resnet: TwoTowers, tiny_vit: TwoTowers) -> None:
    with pytest.raises(TeacherError, match="visual"):
        load_openai_layout(tiny_resnet.model, tiny_vit.model.state_dict())


def test_a_file_in_openais_rn50_layout_loads_by_name_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    model = load_clip("RN50:random").model
    state = {f"clip_model.{key}": value.half() for key, value in model.state_dict().items()}
    torch.save(state, tmp_path / "weights.pth")
    loaded = load_clip(f"RN50:{tmp_path / 'weights.pth'}").model
    assert torch.equal(loaded.visual.conv1.weight, model.visual.conv1.weight.half().float())
    (tmp_path / "weights.pth").write_text("no checkpoint")
    with pytest.raises(TeacherError, match="state dict"):
        load_clip(f"RN50:{tmp_path / 'weights.pth'}")
