"""Learnable words before every prompt.

Source: Zhou et al., "Learning to Prompt for Vision-Language Models" (CoOp), IJCV 2022; for quality, CLIP-IQA+
and CLIP-AGIQA. The context enters where placeholder words were tokenized, through a hook on the text tower's
token embedding, so that it works in every tower that open_clip builds.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

_PLACEHOLDER = "x"
_SPREAD = 0.02  # standard deviation of CLIP's token embeddings at their start
_EMBEDDINGS = ("token_embedding", "text.token_embedding", "text.transformer.embeddings.word_embeddings")


class PromptContext(nn.Module):
    """The prompts' embeddings, with ``words`` learnable vectors in front of each."""

    def __init__(
        self, towers: nn.Module, tokenize: Callable[[list[str]], torch.Tensor], texts: list[str], words: int
    ) -> None:
        super().__init__()
        modules = dict(towers.named_modules())
        embedding = next(modules[name] for name in _EMBEDDINGS if name in modules)
        # In a list, so that the frozen towers are not registered a second time.
        self._towers = [towers]
        tokens = tokenize([f"{_PLACEHOLDER} " * words + text for text in texts])
        (placeholder,) = set(tokenize([_PLACEHOLDER])[0].tolist()) - set(tokenize([""])[0].tolist())
        self.register_buffer("tokens", tokens)
        self.register_buffer("learnt", tokens == placeholder)
        self.vectors = nn.Parameter(torch.randn(words, embedding.embedding_dim) * _SPREAD)
        self._embedding = [embedding]

    def forward(self) -> torch.Tensor:
        """Unit embeddings N×D of the prompts."""

        def put_context(_module: nn.Module, _inputs: tuple, embedded: torch.Tensor) -> torch.Tensor:
            embedded = embedded.clone()
            embedded[self.learnt] = self.vectors.to(embedded.dtype).repeat(len(self.tokens), 1)
            return embedded

        handle = self._embedding[0].register_forward_hook(put_context)
        try:
            return self._towers[0].encode_text(self.tokens, normalize=True)
        finally:
            handle.remove()
