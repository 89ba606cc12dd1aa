"""The teacher's one interface, on towers of every family."""

from __future__ import annotations

import pytest
import torch

from distill.teacher.load import load_teacher
from distill.teacher.prompt_scores import prompt_scores
from distill.teacher.prompts import PromptSet
from distill.teacher.teacher import Teacher, TeacherConfig
from distill.teacher.two_towers import TwoTowers

PROMPTS = PromptSet()
GOOD, BAD = torch.eye(8)[:2]


def basis_text() -> torch.Tensor:
    """Every positive prompt along one axis, every negative along another; grades between the two, worst first."""
    pairs = (len(PROMPTS.pairs) + len(PROMPTS.attributes)) * [GOOD, BAD]
    angle = torch.linspace(torch.pi / 2, 0, 5)
    return torch.stack([*pairs, *(torch.cos(a) * GOOD + torch.sin(a) * BAD for a in angle)])


def check(said, batch: int) -> None:
    assert said.score.shape == (batch,) and said.pairs.shape == (batch, 7)
    assert said.attributes.shape == (batch, 6) and said.grades.shape == (batch, 5)
    for value in (said.score, said.pairs, said.attributes, said.grades):
        assert value.isfinite().all() and value.min() >= 0 and value.max() <= 1
    assert torch.allclose(said.grades.sum(1), torch.ones(batch), atol=1e-5)
    assert torch.allclose(said.embedding.norm(dim=1), torch.ones(batch), atol=1e-5)


@pytest.mark.parametrize("scoring", ["antonyms", "grades", "both"])
def test_an_embedding_at_the_positive_prompts_scores_one_and_at_the_negative_ones_zero(scoring: str) -> None:
    said = prompt_scores(torch.stack([GOOD, BAD]), basis_text(), scoring)
    assert said.score.tolist() == pytest.approx([1, 0], abs=1e-3)
    assert said.grades[0].argmax() == 4 and said.grades[1].argmax() == 0


def test_halfway_between_the_prompts_is_one_half() -> None:
    halfway = torch.nn.functional.normalize(GOOD + BAD, dim=0)[None]
    said = prompt_scores(halfway, basis_text(), "both")
    assert said.score.item() == pytest.approx(0.5, abs=1e-3) and said.pairs.mean() == pytest.approx(0.5)


def test_the_score_is_the_mean_over_the_seven_pairs_and_not_the_attributes() -> None:
    text = basis_text()
    text[14:26] = -text[14:26]
    said = prompt_scores(GOOD[None], text, "antonyms")
    assert said.score == said.pairs.mean() and said.attributes.max() < 1e-3


def test_a_photo_is_read_at_its_own_resolution(tiny_teacher: Teacher) -> None:
    with torch.no_grad():
        check(tiny_teacher(torch.rand(2, 3, 64, 64)), 2)
        check(tiny_teacher(torch.rand(1, 3, 96, 160)), 1)


def test_the_image_is_normalized_with_the_models_own_mean_and_std(tiny_teacher: Teacher) -> None:
    with torch.no_grad():
        at_mean = tiny_teacher.embed(tiny_teacher.mean.expand(1, 3, 64, 64))
        raw = tiny_teacher.visual(torch.zeros(1, 3, 64, 64))
    assert torch.allclose(at_mean, torch.nn.functional.normalize(raw, dim=-1), atol=1e-6)


def test_training_mode_leaves_the_towers_statistics_alone(tiny_teacher: Teacher) -> None:
    before = tiny_teacher.visual.state_dict()["bn1.running_mean"].clone()
    tiny_teacher.train()(torch.rand(2, 3, 64, 64))
    assert torch.equal(tiny_teacher.visual.state_dict()["bn1.running_mean"], before)


def test_the_fingerprint_follows_the_weights(tiny_teacher: Teacher) -> None:
    before = tiny_teacher.fingerprint()
    assert tiny_teacher.fingerprint() == before
    with torch.no_grad():
        tiny_teacher.visual.conv1.weight[0, 0, 0, 0] += 1
    assert tiny_teacher.fingerprint() != before


def test_only_a_learnt_context_makes_the_text_trainable(tiny_resnet: TwoTowers) -> None:
    teacher = Teacher(tiny_resnet, TeacherConfig("tiny", context_tokens=2)).eval()
    teacher(torch.rand(1, 3, 64, 64)).score.sum().backward()
    trainable = [name for name, parameter in teacher.named_parameters() if parameter.requires_grad]
    assert trainable == ["context.vectors"]
    assert teacher.context.vectors.grad.norm() > 0


def test_the_packaged_baseline_reads_two_real_towers() -> None:
    teacher = load_teacher(TeacherConfig("lite2"))
    with torch.no_grad():
        check(teacher(torch.rand(1, 3, 96, 64)), 1)
    text = teacher.text()
    same, other = text[0] @ text[12], text[0] @ text[15]  # "Good photo." beside "Good picture.", "Blurry photo."
    assert same > other  # the sentence encoder's real weights know the difference
    assert teacher.mean.flatten().tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("name", ["RN50:random", "ViT-B-32:random", "MobileCLIP2-S0:random"])
def test_real_architectures_run_through_every_path(name: str) -> None:
    teacher = load_teacher(TeacherConfig(name))
    teacher.visual.requires_grad_(True)
    said = teacher(torch.rand(2, 3, 64, 96))
    check(said, 2)
    said.score.sum().backward()
    assert any(parameter.grad is not None and parameter.grad.norm() > 0 for parameter in teacher.visual.parameters())
