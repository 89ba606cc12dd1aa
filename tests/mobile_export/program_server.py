"""Programs behind a socket, for the Kotlin tests, which have no runtime of their own.

A connection sends a program's path and a line's end, then input tensors (float32, one after the other). Each is
answered with the number of outputs (int32) and, of each output, its length (int32) and its values (float32), all
little-endian.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import numpy as np
from pocketiqa.runtime import load_program


class _Connection(StreamRequestHandler):
    def handle(self) -> None:
        program = load_program(self.rfile.readline().decode().strip())
        shape = program.inputs[0]["shape"]
        size = 4 * prod(shape)
        while len(sent := self.rfile.read(size)) == size:
            outputs = program.run(np.frombuffer(sent, "<f4").reshape(shape))
            answer = [np.int32(len(outputs)).tobytes()]
            for output in outputs:
                answer += [np.int32(output.size).tobytes(), output.astype("<f4").tobytes()]
            self.wfile.write(b"".join(answer))


@contextmanager
def program_server() -> Iterator[int]:
    """The port, on this machine alone, at which programs answer."""
    with ThreadingTCPServer(("127.0.0.1", 0), _Connection) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
