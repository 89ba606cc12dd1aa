"""pyiqa's networks without any download: its own constructors, with every fetched weight left random."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.io
import timm
import torch
import torchvision
from torch import nn

# Support vectors of the published BRISQUE model, and features of each and of NIQE's.
_SUPPORT_VECTORS, _FEATURES = 774, 36


def random_metric(name: str) -> nn.Module:
    """The network that ``pyiqa.create_metric(name)`` builds, on the CPU, with random weights."""
    import pyiqa

    with tempfile.TemporaryDirectory() as folder, _nothing_fetched():
        options = {"brisque": _brisque, "niqe": _niqe}.get(name, lambda _: {})(Path(folder))
        return pyiqa.create_metric(name, device=torch.device("cpu"), check_input_range=False, **options)


@contextmanager
def _nothing_fetched() -> Iterator[None]:
    from pyiqa.archs import (
        clip_model,
        clipiqa_arch,
        dbcnn_arch,
        hypernet_arch,
        maniqa_arch,
        musiq_arch,
        nima_arch,
        qualiclip_arch,
        topiq_arch,
    )

    create, vgg16 = timm.create_model, torchvision.models.vgg16

    def clip(*_: object) -> nn.Module:
        # OpenAI's RN50: https://github.com/openai/CLIP, model card.
        return clip_model.CLIP(1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12).float().eval()

    made = clip()
    checkpoint = {f"clip_model.{key}": value for key, value in made.state_dict().items()}
    checkpoint["prompts_features"] = nn.functional.normalize(torch.randn(14, 1024), dim=1)
    with ExitStack() as stack:
        for module in (dbcnn_arch, hypernet_arch, maniqa_arch, musiq_arch, nima_arch, topiq_arch):
            stack.enter_context(mock.patch.object(module, "load_pretrained_network", lambda *_, **__: None))
        for module in (clipiqa_arch, qualiclip_arch):
            stack.enter_context(mock.patch.object(module, "load", clip))
        stack.enter_context(mock.patch.object(qualiclip_arch, "load_file_from_url", lambda *_: ""))
        stack.enter_context(mock.patch.object(qualiclip_arch.torch, "load", _load_or(checkpoint)))
        stack.enter_context(
            mock.patch.object(timm, "create_model", lambda *a, **k: create(*a, **{**k, "pretrained": False}))
        )
        stack.enter_context(mock.patch.object(torchvision.models, "vgg16", lambda **_: vgg16()))
        yield


def _load_or(checkpoint: dict[str, torch.Tensor]) -> object:
    load = torch.load
    return lambda file, **options: load(file, **options) if file else dict(checkpoint)


def _brisque(folder: Path) -> dict[str, str]:
    path = folder / "brisque.pth"
    torch.save((torch.randn(_SUPPORT_VECTORS, 1), torch.randn(_SUPPORT_VECTORS, _FEATURES)), path)
    return {"pretrained_model_path": str(path)}


def _niqe(folder: Path) -> dict[str, str]:
    path = folder / "niqe.mat"
    scipy.io.savemat(path, {"mu_prisparam": np.random.rand(1, _FEATURES), "cov_prisparam": np.eye(_FEATURES)})
    return {"pretrained_model_path": str(path)}
