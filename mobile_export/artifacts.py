"""Every artifact that a bundle may hold: its file, what it is made from and how, what it is compared with and how near.

``ARTIFACTS`` is the one list of them. The build, ``--skip``, the parity ladder, ``diagnose``, ``agreement``, the report
and the model card read it. A new backend is a file in ``lower/`` and an entry here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection

from mobile_export.artifact import Artifact
from mobile_export.graphs import FLOAT, INT8, PORTABLE
from mobile_export.lower.bundled_program import write_bpte
from mobile_export.lower.coreai import open_coreai, unsupported_by_coreai, write_coreai
from mobile_export.lower.coreml import unsupported_by_coreml, write_fp16, write_w8a8
from mobile_export.lower.coreml_pte import write_coreml_pte
from mobile_export.lower.executorch import open_program, write_xnnpack
from mobile_export.lower.litert import open_litert, open_litert_without_delegate, write_litert
from mobile_export.lower.onnx_model import open_onnx, open_openvino, unsupported_by_onnx, write_onnx
from mobile_export.verify import bounds
from mobile_export.verify.checks import (
    check_bundled_cases,
    check_outputs,
    check_outputs_in_both_runtimes,
)
from mobile_export.verify.coreai_checks import check_coreai
from mobile_export.verify.diagnosis import diagnose_package, diagnose_program
from mobile_export.verify.litert_checks import check_litert
from mobile_export.verify.onnx_checks import check_onnx
from mobile_export.verify.package_checks import (
    check_coreml_pte,
    check_package,
    open_coreml_pte,
    open_package,
    open_package_in_float32,
)

FP32 = Artifact(
    name="fp32",
    path="xnnpack/student_fp32.pte",
    step="fp32 .pte",
    graph=FLOAT,
    lower=write_xnnpack,
    check=check_outputs,
    compared=((None, bounds.same_graph),),
    open=open_program,
    diagnose=diagnose_program,
    has_golden_scores=True,
)
XNNPACK_INT8 = Artifact(
    name="int8",
    path="xnnpack/student_int8.pte",
    step="int8 .pte",
    graph=PORTABLE,
    lower=write_xnnpack,
    check=check_outputs_in_both_runtimes,
    compared=((None, bounds.same_int8_graph), (FP32.step, bounds.promised)),
    open=open_program,
    diagnose=diagnose_program,
    needs=(FP32.name,),
    has_golden_scores=True,
)
BPTE = Artifact(
    name="bpte",
    path="xnnpack/student_int8.bpte",
    step="int8 .bpte",
    graph=PORTABLE,
    lower=write_bpte,
    check=check_bundled_cases,
    compared=((XNNPACK_INT8.step, bounds.same_graph),),
    needs=(XNNPACK_INT8.name,),
    is_variant=False,
)
COREML_FP16 = Artifact(
    name="coreml_fp16",
    path="coreml/student_fp16.mlpackage",
    step="coreml_fp16 (interpreted)",
    graph=FLOAT,
    lower=write_fp16,
    check=check_package,
    compared=((None, bounds.half_precision),),
    open=open_package,
    diagnose=diagnose_package,
    unsupported=unsupported_by_coreml,
    module="coremltools",
)
COREML_W8A8 = Artifact(
    name="coreml_w8a8",
    path="coreml/student_w8a8.mlpackage",
    step="coreml_w8a8 (interpreted)",
    graph=INT8,
    lower=write_w8a8,
    check=check_package,
    compared=((None, bounds.same_int8_graph),),
    open=open_package,
    open_otherwise=(("in float32", open_package_in_float32),),
    diagnose=diagnose_package,
    unsupported=unsupported_by_coreml,
    module="coremltools",
)
COREML_PTE = Artifact(
    name="coreml_pte",
    path="coreml/student_coreml.pte",
    step="coreml_pte (its model interpreted)",
    graph=FLOAT,
    lower=write_coreml_pte,
    check=check_coreml_pte,
    compared=((None, bounds.half_precision),),
    open=open_coreml_pte,
    unsupported=unsupported_by_coreml,
    module="coremltools",
)
ONNX_FP32 = Artifact(
    name="onnx_fp32",
    path="onnx/student_fp32.onnx",
    step="fp32 .onnx",
    graph=FLOAT,
    lower=write_onnx,
    check=check_onnx,
    compared=((None, bounds.same_graph),),
    open=open_onnx,
    open_otherwise=(("in OpenVINO", open_openvino),),
    unsupported=unsupported_by_onnx,
    by_default=False,
)
ONNX_INT8 = Artifact(
    name="onnx_int8",
    path="onnx/student_int8.onnx",
    step="int8 .onnx",
    graph=INT8,
    lower=write_onnx,
    check=check_onnx,
    compared=((None, bounds.same_int8_graph), (FP32.step, bounds.promised)),
    open=open_onnx,
    open_otherwise=(("in OpenVINO", open_openvino),),
    unsupported=unsupported_by_onnx,
    needs=(FP32.name,),
)
COREAI_FP32 = Artifact(
    name="coreai_fp32",
    path="coreai/student_fp32.aimodel",
    step="fp32 .aimodel",
    graph=FLOAT,
    lower=write_coreai,
    check=check_coreai,
    compared=((None, bounds.same_graph),),
    open=open_coreai,
    unsupported=unsupported_by_coreai,
    module="coreai_torch",
    by_default=False,
    photos=3,
)
COREAI_INT8 = Artifact(
    name="coreai_int8",
    path="coreai/student_int8.aimodel",
    step="int8 .aimodel",
    graph=INT8,
    lower=write_coreai,
    check=check_coreai,
    compared=((None, bounds.same_int8_graph), (FP32.step, bounds.promised)),
    open=open_coreai,
    unsupported=unsupported_by_coreai,
    needs=(FP32.name,),
    module="coreai_torch",
    by_default=False,
    photos=3,
)
LITERT_FP32 = Artifact(
    name="litert_fp32",
    path="litert/student_fp32.tflite",
    step="fp32 .tflite",
    graph=FLOAT,
    lower=write_litert,
    check=check_litert,
    compared=((None, bounds.same_graph),),
    open=open_litert,
    module="ai_edge_litert",
    by_default=False,
)
LITERT_INT8 = Artifact(
    name="litert_int8",
    path="litert/student_int8.tflite",
    step="int8 .tflite",
    graph=INT8,
    lower=write_litert,
    check=check_litert,
    compared=((None, bounds.same_int8_graph), (FP32.step, bounds.promised)),
    open=open_litert,
    open_otherwise=(("in LiteRT's own kernels", open_litert_without_delegate),),
    needs=(FP32.name,),
    module="ai_edge_litert",
    by_default=False,
)
ARTIFACTS = {
    artifact.name: artifact
    for artifact in (
        FP32, XNNPACK_INT8, BPTE, ONNX_FP32, ONNX_INT8, COREML_FP16, COREML_W8A8, COREML_PTE, COREAI_FP32, COREAI_INT8,
        LITERT_FP32, LITERT_INT8,
    )
}  # fmt: skip


# What ``--with`` takes: an artifact that is not built by default, or all of its runtime's.
OPTIONAL = tuple(
    dict.fromkeys(
        word for one in ARTIFACTS.values() if not one.by_default for word in (one.runtime, one.name)
    )
)


def chosen(skip: Collection[str], also: Collection[str] = ()) -> tuple[list[Artifact], list[str]]:
    """The artifacts to build, in order, and for each other one a sentence that says why not.

    Args:
        skip: names to leave out.
        also: names and runtimes to build beside the default ones, of ``OPTIONAL``.
    """
    build: dict[str, Artifact] = {}
    notes, unasked = [], []
    for name, artifact in ARTIFACTS.items():
        absent = [needed for needed in artifact.needs if needed not in build]
        if name in skip:
            notes.append(f"{name} was left out on request (--skip).")
        elif not artifact.by_default and name not in also and artifact.runtime not in also:
            unasked.append(name)
        elif absent:
            notes.append(f"{name} was left out: it needs {absent[0]}.")
        elif artifact.module and importlib.util.find_spec(artifact.module) is None:
            notes.append(f"{name} was not built: {artifact.module} does not exist for this platform.")
        else:
            build[name] = artifact
    if unasked:
        notes.append(f"Not built by default, but with --all or by name with --with: {', '.join(unasked)}.")
    return list(build.values()), notes
