"""One peer in one process: loads it, then scores the photo each time it is asked to.

    python -m benchmarks.peers.worker program:int8.pte FOLDER 1

Events are lines of JSON on standard output: ``ready``, a ``sample`` for each line ``run`` on standard input, and
``end`` after the line ``end``. A process of its own keeps each peer's memory, threads and versions apart.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.engines.worker import emit, peak_mib
from benchmarks.peers import loaders

WARMUPS = 2


def count(network: object, x: object) -> tuple[int, int]:
    """Parameters, and multiply-accumulate operations of one score."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.backends.mha.set_fastpath_enabled(False)  # its fused attention is not counted
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(x)
    # pyiqa keeps CLIP in a list, hidden from parameters().
    hidden = [part for part in getattr(getattr(network, "net", None), "clip_model", [])]
    modules = [network, *hidden]
    return sum(p.numel() for module in modules for p in module.parameters()), counter.get_total_flops() // 2


def main(loader: str, folder: Path, threads: int) -> None:
    """Serve one peer until the input ends."""
    function, _, argument = loader.partition(":")
    loaded = getattr(loaders, function)(folder, argument, threads)
    score = None
    for _ in range(WARMUPS):
        score = loaded.run()
    emit("ready", runtime=loaded.runtime, file_bytes=loaded.file_bytes, score=score)
    for line in sys.stdin:
        if line.strip() == "run":
            began = time.perf_counter()
            loaded.run()
            emit("sample", ms=(time.perf_counter() - began) * 1000)
        else:
            peak = peak_mib()  # before counting, which takes memory of its own
            parameters, macs = count(*loaded.network) if loaded.network else (None, None)
            emit("end", peak_mib=peak, parameters=parameters, macs=macs)
            break


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
