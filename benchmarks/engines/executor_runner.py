"""ExecuTorch's ``executor_runner`` as the engine, or ``benchmarks/runner``, which takes the same flags.

The user builds it for the device: with the NDK for Android, or as ``benchmarks/runner`` says. Every process
runs one program, so variants take turns in blocks; the first executions of each block are its warm-up,
because executor_runner has no flag for it.

On Android, ExecuTorch logs to logcat and prints nothing, so the log of the process is read from there.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.devices.base import Device, DeviceError
from benchmarks.engines.base import Engine, GoldenInput, Plan, Round
from benchmarks.record import ColdStart

FOUND_AT = ("/data/local/tmp/executor_runner", "/usr/local/bin/executor_runner", "/usr/bin/executor_runner")
BLOCK = 10
BLOCK_SECONDS = 300
# The process's own output, then what it said to logcat, if there is one.
_RUN = r"""
"$@" 2>&1 & process=$!
wait $process; status=$?
command -v logcat >/dev/null 2>&1 && logcat -d -v raw --pid=$process 2>/dev/null
exit $status
"""
_ITERATION = re.compile(r"Iteration (\d+) of (\d+): ([0-9.]+) ms")
_LOADED = re.compile(r"Model loaded in ([0-9.]+) ms")


@dataclass(frozen=True)
class RunnerLog:
    """What one process of executor_runner said; times in milliseconds."""

    iterations_ms: list[float]
    load_ms: float | None = None
    peak_mib: float | None = None
    runtime: str | None = None


@dataclass
class ExecutorRunnerEngine(Engine):
    """``runner`` is a file on this machine to push, or a path on the device, or found there if None."""

    runner: str | None = None
    name: str = "executor-runner"
    runtime: str = "executor_runner of unknown version"
    programs: dict[str, str] = field(default_factory=dict)

    def runtime_of(self, variant: str) -> str:
        """The same for all."""
        return self.runtime

    def prepare(self, device: Device, programs: dict[str, Path], golden: list[GoldenInput]) -> None:
        """Push the runner if it is here, the programs and the golden inputs."""
        for variant, path in programs.items():
            if path.suffix != ".pte":
                raise ValueError(f"--variant {variant}: executor_runner runs .pte files alone; take --engine sdk")
        self.device = device
        self.command = find_runner(device, self.runner)
        self.programs = {v: device.push(path, f"{v}.pte") for v, path in programs.items()}
        self.inputs = {g.photo: device.push(g.file, f"golden-{i}.bin") for i, g in enumerate(golden)}

    def outputs(self, variants: list[str], threads: int) -> dict[str, dict[str, list[float]]]:
        """One process a photo; the first output file holds ``quality`` as float32."""
        scores: dict[str, dict[str, list[float]]] = {variant: {} for variant in variants}
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / "output"
            for variant in variants:
                for photo, file in self.inputs.items():
                    base = self.device.remote("output")
                    self._run(variant, threads, 1, f"scoring {photo}", file, base)
                    self.device.pull(f"{base}-0.bin", local)
                    scores[variant][photo] = np.fromfile(local, dtype="<f4").tolist()
        return scores

    def cold_start(self, variant: str, threads: int) -> ColdStart:
        """A process that runs once; older builds of executor_runner do not log their load time."""
        log = self._run(variant, threads, 1, f"a cold start of {variant}")
        return ColdStart(log.load_ms, log.iterations_ms[0], peak_mib=log.peak_mib)

    def rounds(self, variants: list[str], threads: int, plan: Plan) -> Iterator[Round]:
        """Blocks of ten timed executions, variants in turns; the n-th of each block make one round."""
        began, done = time.monotonic(), 0
        while not plan.is_done(done, time.monotonic() - began):
            blocks = {}
            for variant in variants:
                log = self._run(variant, threads, plan.warmups + BLOCK, f"timing {variant}")
                blocks[variant] = log.iterations_ms[plan.warmups :]
            for i in range(BLOCK):
                yield Round(time.monotonic() - began, {v: times[i] for v, times in blocks.items()})
            done += BLOCK

    def _run(
        self,
        variant: str,
        threads: int,
        executions: int,
        step: str,
        file: str | None = None,
        output: str = "",
    ) -> RunnerLog:
        command = [
            self.command,
            f"--model_path={self.programs[variant]}",
            f"--inputs={file or next(iter(self.inputs.values()))}",
            f"--num_executions={executions}",
            f"--cpu_threads={threads}",
            "--print_output=none",
        ]
        if output:
            command.append(f"--output_file={output}")
        text = self.device.run(["sh", "-c", _RUN, "sh", *command], step, BLOCK_SECONDS)
        log = parse_log(text)
        if len(log.iterations_ms) != executions:
            raise DeviceError(
                self.device.url,
                step,
                f"{len(log.iterations_ms)} of {executions} iterations in the log",
                "build executor_runner with EXECUTORCH_ENABLE_LOGGING=ON and log level Info",
            )
        self.runtime = log.runtime or self.runtime
        return log


def parse_log(text: str) -> RunnerLog:
    """Times from executor_runner's log, or from the JSON line of this folder's own runner."""
    for line in text.splitlines():
        if line.startswith('{"runner"'):
            try:
                summary = json.loads(line)
                samples = [float(ms) for ms in summary["samples_ms"]]
                return RunnerLog(samples, float(summary["load_ms"]), summary["peak_mib"], str(summary["runner"]))
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # cut off, or not by this runner: its caller says what is missing
    loaded = _LOADED.search(text)
    iterations = {int(i): float(ms) for i, _, ms in _ITERATION.findall(text)}
    return RunnerLog([iterations[i] for i in sorted(iterations)], float(loaded[1]) if loaded else None)


def find_runner(device: Device, runner: str | None) -> str:
    """The runner's path on the device, pushed there if it is a file here; raises `DeviceError` if none is."""
    if runner and Path(runner).is_file():
        for library in sorted(Path(runner).parent.glob("libexecutorch*.so")):
            device.push(library, library.name)
        remote = device.push(Path(runner), "executor_runner")
        device.run(["chmod", "755", remote], "making the runner executable")
        return remote
    for path in (runner,) if runner else FOUND_AT:
        try:
            device.run(["test", "-x", path], f"looking for {path}")
        except DeviceError:
            continue
        return path
    raise DeviceError(
        device.url,
        "finding executor_runner",
        f"no {runner or ', '.join(FOUND_AT)} on the device",
        "build ExecuTorch's executor_runner for the device and pass it with --runner FILE",
    )
