"""Runs on the device: loads programs with the SDK, runs them, writes one JSON line per event to stdout.

It is packed with the SDK into one file (`benchmarks.engines.sdk`) and started as

    python worker.pyz '{"task": "outputs", ...}'

Tasks: ``outputs`` scores every golden input, ``cold`` times one start of this process' program, ``timed``
runs the programs in turns. It needs only numpy, Pillow and a runtime besides the standard library. It ends
when its standard input closes, so that a lost connection leaves no process behind, and then removes the
folder that was made for it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import sys
import threading
import time

FLUSH_SECONDS = 0.25
START = time.perf_counter()


def emit(event: str, flush: bool = True, **values: object) -> None:
    """Write one event as a line of JSON."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    if flush:
        sys.stdout.flush()


def peak_mib() -> float | None:
    """Peak resident memory of this process in MiB.

    From VmHWM: getrusage's maximum still counts the memory of the process that forked this one.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None


def die_with_connection(folder: str | None) -> None:
    """End the process when standard input closes, and remove its folder on the device."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        if folder and os.path.basename(folder).startswith("pocketiqa."):
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()


def run_outputs(plan: dict) -> None:
    """Score every input with every program: event ``output`` with ``quality``, exact in JSON."""
    for variant, path in plan["programs"].items():
        program = load_program(path, threads=plan["threads"], prefer=plan["prefer"].get(variant))
        for name, file in plan["inputs"].items():
            quality = program.run(read_input(file, plan["shape"]))[0]
            emit("output", variant=variant, photo=name, quality=quality.ravel().tolist())
        emit("runtime", variant=variant, name=program.runtime_name)


def run_cold(plan: dict) -> None:
    """Load one program in this fresh process and run it once, which takes all memory it ever takes: ``cold``."""
    ((variant, path),) = plan["programs"].items()
    x = read_input(next(iter(plan["inputs"].values())), plan["shape"])
    before = peak_mib()
    began = time.perf_counter()
    program = load_program(path, threads=plan["threads"], prefer=plan["prefer"].get(variant))
    loaded = time.perf_counter()
    program.run(x)
    answered = time.perf_counter()
    emit(
        "cold",
        import_ms=IMPORT_MS,
        load_ms=(loaded - began) * 1000,
        first_inference_ms=(answered - loaded) * 1000,
        runtime_mib=before,
        peak_mib=peak_mib(),
    )
    emit("runtime", variant=variant, name=program.runtime_name)


def run_timed(plan: dict) -> None:
    """Run all programs in turns until the plan's stop rule holds: events ``ready`` and ``round``.

    Each round starts with the next program, so none always runs after the same one.
    """
    programs = {
        variant: load_program(path, threads=plan["threads"], prefer=plan["prefer"].get(variant))
        for variant, path in plan["programs"].items()
    }
    x = read_input(next(iter(plan["inputs"].values())), plan["shape"])
    for _ in range(plan["warmups"]):
        for program in programs.values():
            program.run(x)
    emit("ready")
    order = list(programs)
    began = flushed = time.perf_counter()
    rounds = 0
    while True:
        times = {}
        for variant in order:
            start = time.perf_counter()
            programs[variant].run(x)
            times[variant] = (time.perf_counter() - start) * 1000
        order.append(order.pop(0))
        rounds += 1
        now = time.perf_counter()
        emit("round", flush=now - flushed > FLUSH_SECONDS, ms=times, at=now - began)
        if now - flushed > FLUSH_SECONDS:
            flushed = now
        elapsed = now - began
        if elapsed >= plan["max_seconds"] or (rounds >= plan["runs"] and elapsed >= plan["seconds"]):
            break


def read_input(file: str, shape: list[int]) -> numpy.ndarray:
    """A golden input: raw little-endian float32 in the program's shape."""
    return numpy.fromfile(file, dtype="<f4").reshape(shape)


def import_runtimes(plan: dict) -> None:
    """Import what the programs' loading would import, so that a load time is the program's alone."""
    for variant in plan["programs"]:
        package = plan["prefer"].get(variant) or os.environ.get(VARIABLE) or next(iter(installed_runtimes()), None)
        if package == "executorch":
            executorch_bindings()
        elif package in RUNTIMES:
            with contextlib.suppress(ImportError):  # loading says it in words
                importlib.import_module(RUNTIMES[package].module)


if __name__ == "__main__":
    plan = json.loads(sys.argv[1])
    os.chdir(plan["folder"])
    die_with_connection(plan["folder"] if plan["remove"] else None)
    import numpy
    from pocketiqa.runtime import RUNTIMES, VARIABLE, installed_runtimes, load_program
    from pocketiqa.threadpool import executorch_bindings

    import_runtimes(plan)
    IMPORT_MS = (time.perf_counter() - START) * 1000
    {"outputs": run_outputs, "cold": run_cold, "timed": run_timed}[plan["task"]](plan)
    # What comes without this line came from a lost connection.
    emit("end")
