"""Two-tower models by name: open_clip's with a tag, a folder or a file of weights, or a packaged one.

    load_clip("RN50:openai")                       open_clip's name and tag, downloaded
    load_clip("RN50:~/QualiCLIP.pth")              open_clip's name and a state dict in OpenAI's or open_clip's layout
    load_clip("local-dir:~/clip")                  a folder with open_clip_config.json and weights
    load_clip("RN50:random")                       an architecture alone, to try code on
    load_clip("clip-b16")                          CLIP's ViT-B/16 and MiniLM, from Python packages
    load_clip("lite2")                             EfficientNet-Lite2 and MiniLM, from Python packages
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import open_clip
import torch
from torch import nn

from distill.networks.student import INPUT_SPEC
from distill.teacher.clip_tower import ClipTowerError
from distill.teacher.packaged import PACKAGED, packaged_tokenizer
from distill.teacher.two_towers import TeacherError, TwoTowers

_PACKAGED_NAMES = " or ".join(map(repr, PACKAGED))
_WRAPPERS = ("module.", "model.", "clip_model.")  # prefixes that training code leaves on every key
# What OpenAI's archives store beside weights, and what ``accept_any_resolution`` does without.
_NOT_WEIGHTS = {"input_resolution", "context_length", "vocab_size"}
_POSITION = "visual.attnpool.positional_embedding"


def load_clip(name: str) -> TwoTowers:
    """A two-tower model in evaluation mode, on the CPU, in float32.

    It sees the views that the student sees; a packaged one says which it sees.

    Raises:
        TeacherError: the name, tag, folder or file is not there or does not fit.
    """
    if name in PACKAGED:
        packaged = PACKAGED[name]
        try:
            model, tokenize = packaged.towers(), packaged_tokenizer()
        except ClipTowerError as error:
            raise TeacherError(str(error)) from None
        return TwoTowers(model.float().eval(), tokenize, packaged.mean, packaged.std, packaged.input or INPUT_SPEC)
    model, tokenize = _open_clip_model(name)
    trained_with = model.visual.preprocess_cfg
    mean, std = (tuple(trained_with[part]) for part in ("mean", "std"))
    return TwoTowers(model.float().eval(), tokenize, mean, std, INPUT_SPEC)


def load_openai_layout(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Fill an open_clip CLIP from a state dict in OpenAI's layout, of any precision and under any wrapper's prefix.

    The attention pool's positional embedding may be missing, as in checkpoints that were trained without it.

    Raises:
        TeacherError: weights are missing, too many, or of another shape.
    """
    for prefix in _WRAPPERS:
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    ours = model.state_dict()
    state = {key: tensor.float() for key, tensor in state.items() if key not in _NOT_WEIGHTS}
    if _POSITION in ours:
        state.setdefault(_POSITION, ours[_POSITION])
    shapes = [{key: tensor.shape for key, tensor in tensors.items()} for tensors in (ours, state)]
    different = {key for key, _ in shapes[0].items() ^ shapes[1].items()}
    if different:
        raise TeacherError(
            f"the weights do not fit the architecture: {len(different)} tensors differ in name or shape, for example "
            f"{min(different)!r}; name the architecture that they were trained with"
        )
    model.load_state_dict(state)


def _open_clip_model(name: str) -> tuple[nn.Module, Callable[[list[str]], torch.Tensor]]:
    if name.startswith("local-dir:"):
        folder = Path(name.removeprefix("local-dir:")).expanduser()
        if not (folder / "open_clip_config.json").is_file():
            raise TeacherError(f"no open_clip_config.json in {folder}; give the folder that open_clip saved a model to")
        name = f"local-dir:{folder}"
        return open_clip.create_model(name), open_clip.get_tokenizer(name)
    architecture, _, tag = name.partition(":")
    known = open_clip.list_models()
    if architecture not in known:
        near = difflib.get_close_matches(architecture, known, n=5, cutoff=0.3)
        raise TeacherError(
            f"unknown teacher {architecture!r}; give {_PACKAGED_NAMES}, or an open_clip architecture and tag, for "
            f"example 'RN50:openai'; names like this one: {', '.join(near) or 'none'}"
        )
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    tokenize = open_clip.get_tokenizer(architecture)
    file = Path(tag).expanduser()
    if tag == "random":
        return open_clip.create_model(architecture), tokenize
    if tag in tags:
        settings = open_clip.get_pretrained_cfg(architecture, tag)
        try:
            model = open_clip.create_model(
                architecture, pretrained=tag, force_quick_gelu=bool(settings.get("quick_gelu"))
            )
        except (RuntimeError, OSError) as error:
            raise TeacherError(
                f"the weights of {name!r} could not be downloaded ({error}); on a machine without network use "
                f"{_PACKAGED_NAMES}, or copy them here and give 'ARCHITECTURE:FILE'"
            ) from None
        return model, tokenize
    if not file.is_file():
        raise TeacherError(
            f"{architecture!r} has no weights {tag!r}: neither a tag of open_clip ({', '.join(tags) or 'it has none'}) "
            "nor a file here; 'random' gives the architecture alone"
        )
    # OpenAI trained its models with another approximation of GELU, and so is everything tuned from them.
    model = open_clip.create_model(architecture, force_quick_gelu="openai" in tags)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for files that are no checkpoint
        raise TeacherError(f"{file} cannot be read as a PyTorch state dict: {error}") from None
    load_openai_layout(model, state.get("state_dict", state))
    return model, tokenize
