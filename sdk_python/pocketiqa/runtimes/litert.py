"""A ``.tflite`` file in LiteRT, ``ai-edge-litert``, on the processor. It is taken only where it is named."""

from __future__ import annotations

import numpy as np

from pocketiqa.runtimes.program import METADATA_KEY, Program
from pocketiqa.threadpool import check_threads


class LiteRtProgram(Program):
    """Of ``ai-edge-litert``, whose int8 and float operators XNNPACK runs.

    Its outputs are in the order of the file's; photos and outputs are float32 in an int8 file too.
    """

    def __init__(self, content: bytes, runtime_name: str, threads: int | None = None) -> None:
        check_threads(threads)
        super().__init__(content, runtime_name, threads)

    def _open(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._program = Interpreter(model_content=self._content, num_threads=self.threads)
        self._program.allocate_tensors()
        self.method_names = {"forward"}
        self.inputs, self.outputs = (
            [{"shape": one["shape"].tolist(), "dtype": np.dtype(one["dtype"]).name} for one in side]
            for side in (self._program.get_input_details(), self._program.get_output_details())
        )

    def _metadata(self) -> str:
        # The interpreter does not hand it out.
        from ai_edge_litert import schema_py_generated as schema

        model = schema.Model.GetRootAs(self._content)
        for entry in (model.Metadata(number) for number in range(model.MetadataLength())):
            if entry.Name() == METADATA_KEY.encode():
                return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes().decode().rstrip("\0")
        return ""

    def _execute(self, method: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        self._program.set_tensor(self._program.get_input_details()[0]["index"], inputs[0])
        self._program.invoke()
        return [self._program.get_tensor(one["index"]) for one in self._program.get_output_details()]
