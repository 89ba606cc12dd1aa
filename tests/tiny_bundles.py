"""Small bundles with real programs, for tests: seeded networks that are lowered in seconds. Making them needs torch.

    uv run python -m tests.tiny_bundles FOLDER    # for an environment without torch: POCKETIQA_TINY_BUNDLES=FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pocketiqa.manifest import FileEntry, Manifest, Variant, entries_of
from pocketiqa.preprocess import PreprocessSpec, preprocess
from pocketiqa.runtime import load_program

if TYPE_CHECKING:
    from torch import nn

ATTRIBUTES = ["sharpness", "noise", "exposure", "contrast", "colour", "compression"]


def write_tiny_bundle(root: Path, photos: dict[str, np.ndarray]) -> None:
    """Two views of 64×64; a score, six attributes and a map of 2×2, as the shipped student has them."""
    outputs = {
        "score": {"range": [0, 1]},
        "attributes": {"names": ATTRIBUTES, "range": [0, 1]},
        "map": {"shape": [2, 2], "range": [0, 1]},
    }
    spec = PreprocessSpec(height=64, width=64, views=("whole", "detail"))
    _write(root, "tiny", _with_attributes_and_map(), spec, outputs, photos)


def write_score_only_bundle(root: Path, photos: dict[str, np.ndarray]) -> None:
    """One view of 48×80 and a score, nothing else: the least that a quality network can be."""
    spec = PreprocessSpec(height=48, width=80)
    _write(root, "score-only", _with_a_score(), spec, {"score": {"range": [0, 1]}}, photos)


WRITERS = {"tiny": write_tiny_bundle, "score_only": write_score_only_bundle}


def _write(
    root: Path, name: str, network: nn.Module, spec: PreprocessSpec, outputs: dict, photos: dict[str, np.ndarray]
) -> None:
    """``int8`` and ``fp32`` XNNPACK programs, four golden photos and their scores."""
    import torch

    inputs = [torch.from_numpy(preprocess(photo, spec)) for photo in photos.values()]
    (root / "xnnpack").mkdir(parents=True)
    (root / "golden").mkdir()
    for photo in list(photos)[:4]:
        Image.fromarray(photos[photo]).resize((160, 120)).save(root / "golden" / f"{photo}.png")
    files = entries_of(root / "golden", "golden/")
    golden = {path: {} for path in files}
    variants = {}
    for variant in ("fp32", "int8"):
        path = f"xnnpack/student_{variant}.pte"
        metadata = {
            "name": name, "version": "0.0.1", "variant": variant, "backend": "xnnpack",
            "input": spec.to_dict(), "outputs": outputs,
        }  # fmt: skip
        (root / path).write_bytes(_lower(network, inputs, variant == "int8", metadata))
        delegation = {"subgraphs": 1, "delegated": 10, "non_delegated": 2}
        files[path] = FileEntry.of(root / path, variant=variant, backend="xnnpack", delegation=delegation)
        variants[variant] = Variant(path, "xnnpack")
        program = load_program(root / path)
        for photo, expected in golden.items():
            quality, *_ = program.run(preprocess(root / photo, spec))
            expected[variant] = [float(value) for value in quality[0]]
    Manifest(
        name=name,
        version="0.0.1",
        input=spec,
        outputs=outputs,
        files=files,
        variants=variants,
        golden=golden,
        minimum_runtime="executorch 1.3",
        licence="Apache-2.0",
    ).write(root / "manifest.json")


def _with_attributes_and_map() -> nn.Module:
    import torch
    from torch import nn

    class Tiny(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.body = nn.Conv2d(8, 16, 3, stride=16, padding=1)
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.quality = nn.Linear(32, 7)
            self.local = nn.Conv2d(16, 1, 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            """Views 2×3×64×64 in, quality 1×7 and map 1×2×2 of the whole view out."""
            features = torch.relu(self.body(torch.relu(self.stem(x))))
            pooled = self.pool(features).flatten().unsqueeze(0)
            return torch.sigmoid(self.quality(pooled)), torch.sigmoid(self.local(features[:1])).squeeze(1)

    return _seeded(Tiny)


def _with_a_score() -> nn.Module:
    from torch import nn

    def build() -> nn.Module:
        body = [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*body, nn.Linear(8, 1), nn.Sigmoid())

    return _seeded(build)


def _seeded(build) -> nn.Module:
    import torch

    torch.manual_seed(0)
    network = build().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)  # far enough apart that photos get clearly different scores
    return network


def _lower(network: nn.Module, inputs: list, quantized: bool, metadata: dict) -> bytes:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    graph = torch.export.export(network, (inputs[0],))
    if quantized:
        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        quantizer.set_filter_function(lambda node: node.target != torch.ops.aten.linear.default)
        prepared = prepare_pt2e(graph.module(), quantizer)
        for x in inputs:
            prepared(x)
        graph = torch.export.export(convert_pt2e(prepared), (inputs[0],))
    encoded = torch.frombuffer(bytearray(json.dumps(metadata).encode()), dtype=torch.uint8)
    lowered = to_edge_transform_and_lower(
        graph, partitioner=[XnnpackPartitioner()], constant_methods={"metadata": encoded}
    )
    return lowered.to_executorch().buffer


if __name__ == "__main__":
    from tests.conftest import packaged_photos

    parser = argparse.ArgumentParser(prog="python -m tests.tiny_bundles", description=__doc__)
    parser.add_argument("folder", type=Path, help="gets a folder for each bundle")
    options = parser.parse_args()
    for folder, write in WRITERS.items():
        write(options.folder / folder, packaged_photos())
