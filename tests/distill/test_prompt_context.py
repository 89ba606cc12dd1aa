"""Learnable context: in front of every prompt, in every text tower, without touching what is not learnt."""

from __future__ import annotations

import torch

from distill.teacher.prompt_context import PromptContext
from distill.teacher.towers import load_clip
from distill.teacher.two_towers import TwoTowers


def test_a_context_of_the_placeholders_own_embedding_gives_the_plain_prompts(tiny_resnet: TwoTowers) -> None:
    texts = ["Good photo.", "a photo with poor quality"]
    context = PromptContext(tiny_resnet.model, tiny_resnet.tokenize, texts, words=3)
    with torch.no_grad():
        token = context.tokens[context.learnt][0]
        context.vectors.copy_(tiny_resnet.model.token_embedding.weight[token].expand(3, -1))
        plain = tiny_resnet.model.encode_text(context.tokens, normalize=True)
        assert torch.allclose(context(), plain, atol=1e-6)


def test_the_context_moves_the_text_and_leaves_no_hook_behind(tiny_resnet: TwoTowers) -> None:
    context = PromptContext(tiny_resnet.model, tiny_resnet.tokenize, ["Good photo."], words=2)
    with torch.no_grad():
        plain = tiny_resnet.model.encode_text(context.tokens, normalize=True)
        moved = context()
        assert not torch.allclose(moved, plain, atol=1e-3)
        assert torch.equal(tiny_resnet.model.encode_text(context.tokens, normalize=True), plain)


def test_the_sentence_encoder_takes_a_context_too() -> None:
    towers = load_clip("lite2")
    context = PromptContext(towers.model.requires_grad_(False), towers.tokenize, ["Good photo.", "Bad photo."], words=4)
    context().sum().backward()
    assert context.learnt.sum(1).tolist() == [4, 4]
    assert (context.vectors.grad.norm(dim=1) > 0).all()
