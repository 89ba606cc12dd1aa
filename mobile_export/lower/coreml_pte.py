"""A ``.pte`` whose one subgraph is a Core ML model, for ExecuTorch apps on Apple devices. Builds without a Mac.

The delegate inside the file is an ``.mlpackage`` in one blob. It is taken out again and interpreted, so that this
artifact is verified like the packages are; that Core ML's own delegate runs it is left to a device.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from executorch.exir._serialize._program import deserialize_pte_binary
from pocketiqa.files import files_under, sha256_of

from mobile_export.lower.coreml import make_reproducible
from mobile_export.lower.executorch import LoweredProgram, lower
from mobile_export.lower.request import Delegation, Request

_BACKEND = "CoreMLBackend"


def write_coreml_pte(request: Request) -> Delegation:
    """Write a float graph as a ``.pte`` for Core ML; see :func:`lower_to_coreml_pte`."""
    # In one piece: what is inside is taken out and interpreted.
    lowered = lower_to_coreml_pte(request.graph, request.metadata)
    request.path.write_bytes(lowered.buffer)
    return lowered.delegation


def lower_to_coreml_pte(exported: torch.export.ExportedProgram, metadata: dict) -> LoweredProgram:
    """Lower a float graph to one Core ML subgraph inside a ``.pte``, float16, iOS 17. The same graph gives the same
    bytes.

    Arguments and error are those of :func:`mobile_export.lower.executorch.lower_to_xnnpack`.
    """
    # Imported here: coremltools has no build for Windows or Linux on Arm, where XNNPACK lowering still works.
    import coremltools as ct
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    specs = CoreMLBackend.generate_compile_specs(
        compute_precision=ct.precision.FLOAT16, minimum_deployment_target=ct.target.iOS17
    )
    with _named_by_content():
        return lower(exported, metadata, CoreMLPartitioner(compile_specs=specs), "Core ML", in_pieces=False)


@contextmanager
def _named_by_content() -> Iterator[None]:
    """Give the delegate an identifier that follows from its model.

    ExecuTorch 1.5.1 draws one at random and leaves coremltools' dates and random names in the package. The metadata is
    the last thing that it writes before all becomes one blob, so there is the place to put both right. Apps keep
    compiled models by this identifier: it must be another one for another model.
    """
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.compiler.coreml_preprocess import MODEL_PATHS, ModelMetadata

    write = CoreMLBackend.save_model_metadata

    def write_stable(model_metadata: ModelMetadata, model_dir_path: Path) -> None:
        package = Path(model_dir_path) / MODEL_PATHS.MODEL.value
        make_reproducible(package)
        content = " ".join(f"{name} {sha256_of(path)}" for name, path in sorted(files_under(package).items()))
        identifier = f"executorch_{uuid.uuid5(uuid.NAMESPACE_OID, content)}"
        write(dataclasses.replace(model_metadata, identifier=identifier), model_dir_path)

    with patch.object(CoreMLBackend, "save_model_metadata", staticmethod(write_stable)):
        yield


def extract_package(program: bytes, folder: Path) -> Path:
    """Write the ``.mlpackage`` inside a Core ML ``.pte`` below ``folder`` and return its path.

    Raises:
        ValueError: the program has no Core ML subgraph, or one that cannot be taken apart.
    """
    from executorch.backends.apple.coreml import executorchcoreml

    plan = deserialize_pte_binary(program).program
    delegates = [d for method in plan.execution_plan for d in method.delegates if d.id == _BACKEND]
    if len(delegates) != 1:
        raise ValueError(f"the program has {len(delegates)} Core ML subgraphs; one is expected")
    blob = plan.backend_delegate_data[delegates[0].processed.index].data
    folder.mkdir(parents=True, exist_ok=True)
    if not executorchcoreml.unflatten_directory_contents(bytes(blob), str(folder.resolve())):
        raise ValueError("the Core ML subgraph is not a folder in one blob, as this version of ExecuTorch writes it")
    packages = sorted(path.parent for path in folder.rglob("Manifest.json"))
    if len(packages) != 1:
        raise ValueError(f"the Core ML subgraph holds {len(packages)} packages; one is expected")
    return packages[0]
