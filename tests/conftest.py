"""What the rooms' tests share: real photographs that packages carry, and a tiny bundle with real programs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_WORKER = os.environ.get("PYTEST_XDIST_WORKER")

if _WORKER and hasattr(os, "sched_setaffinity"):
    # One core each, before torch counts them: the thread pools of two workers would wait for each other.
    _cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_cores[int(_WORKER.removeprefix("gw")) % len(_cores)]})

ATTRIBUTES = ["sharpness", "noise", "exposure", "contrast", "colour", "compression"]


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The whole suite runs on every core, a file's tests in one process; named files without others beside them."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    free = not _WORKER and config.pluginmanager.hasplugin("xdist") and config.option.numprocesses is None
    if whole and free and not config.option.usepdb:
        # More than four would want more memory than time they save.
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        config.option.numprocesses, config.option.dist = min(cores, 4), "loadfile"
        config.option.loadscopereorder = False  # by name: the slow files would come last, being short of tests


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """Six real photographs by name, uint8 H×W×3 (about 300×450 to 512×512)."""
    return packaged_photos()


def packaged_photos() -> dict[str, np.ndarray]:
    """Those of scikit-image and, where it is installed, scikit-learn."""
    skimage_data = pytest.importorskip("skimage.data")
    named = {name: getattr(skimage_data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}
    try:
        from sklearn.datasets import load_sample_image
    except ImportError:  # an environment of the SDK alone
        return named
    return named | {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """A bundle with the contract's signature at 64×64 and seeded weights, so that scores differ by photo.

    It holds ``int8`` and ``fp32`` XNNPACK programs, four golden photos and their scores. Copy it before
    changing it. ``POCKETIQA_TINY_BUNDLE`` names one made elsewhere, for an environment without torch.
    """
    if made_elsewhere := os.environ.get("POCKETIQA_TINY_BUNDLE"):
        return Path(made_elsewhere)
    pytest.importorskip("torch", reason="the tiny bundle is made with torch; see POCKETIQA_TINY_BUNDLE")
    root = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(root, photos)
    return root


def write_tiny_bundle(root: Path, photos: dict[str, np.ndarray]) -> None:
    """Lower a seeded network to fp32 and int8 and write the bundle to ``root``."""
    import torch
    from pocketiqa.bundle import Manifest, Variant, entries_of
    from pocketiqa.manifest import FileEntry
    from pocketiqa.preprocess import PreprocessSpec, preprocess
    from pocketiqa.runtime import load_program

    spec = PreprocessSpec(height=64, width=64, views=("whole", "detail"))
    inputs = [torch.from_numpy(preprocess(photo, spec)) for photo in photos.values()]
    network = _tiny_network()
    outputs = {
        "score": {"range": [0, 1]},
        "attributes": {"names": ATTRIBUTES, "range": [0, 1]},
        "map": {"shape": [2, 2], "range": [0, 1]},
    }
    (root / "xnnpack").mkdir(parents=True)
    (root / "golden").mkdir()
    for name in list(photos)[:4]:
        Image.fromarray(photos[name]).resize((160, 120)).save(root / "golden" / f"{name}.png")
    files = entries_of(root / "golden", "golden/")
    golden = {path: {} for path in files}
    variants = {}
    for variant in ("fp32", "int8"):
        path = f"xnnpack/student_{variant}.pte"
        metadata = {
            "name": "tiny", "version": "0.0.1", "variant": variant, "backend": "xnnpack",
            "input": spec.to_dict(), "outputs": outputs,
        }  # fmt: skip
        (root / path).write_bytes(_lower(network, inputs, variant == "int8", metadata))
        delegation = {"subgraphs": 1, "delegated": 10, "non_delegated": 2}
        files[path] = FileEntry.of(root / path, variant=variant, backend="xnnpack", delegation=delegation)
        variants[variant] = Variant(path, "xnnpack")
        program = load_program(root / path)
        for photo, expected in golden.items():
            quality, _ = program.run(preprocess(root / photo, spec))
            expected[variant] = [float(value) for value in quality[0]]
    manifest = Manifest(
        name="tiny",
        version="0.0.1",
        input=spec,
        outputs=outputs,
        files=files,
        variants=variants,
        golden=golden,
        minimum_runtime="executorch 1.3",
        licence="Apache-2.0",
    )
    manifest.write(root / "manifest.json")


def _tiny_network():
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

    torch.manual_seed(0)
    network = Tiny().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)  # far enough apart that photos get clearly different scores
    return network


def _lower(network, inputs: list, quantized: bool, metadata: dict) -> bytes:
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
