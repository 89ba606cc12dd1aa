"""Which engine measures on a device: the SDK with a Python, or executor_runner."""

from __future__ import annotations

from benchmarks.devices.base import Device, DeviceError
from benchmarks.engines.base import Engine
from benchmarks.engines.executor_runner import ExecutorRunnerEngine, find_runner
from benchmarks.engines.sdk import SdkEngine, find_python


def make_engine(kind: str, device: Device, python: str | None, runner: str | None, runtime: str | None) -> Engine:
    """The engine that was asked for; for ``auto`` what was named, else the first one that the device has.

    Raises `DeviceError` with what is missing when there is none.
    """
    if kind == "executor-runner" or (kind == "auto" and runner):
        return ExecutorRunnerEngine(runner)
    if kind == "sdk" or python:
        return SdkEngine(python, runtime)
    try:
        return SdkEngine(find_python(device), runtime)
    except DeviceError as no_python:
        try:
            return ExecutorRunnerEngine(find_runner(device, None))
        except DeviceError:
            raise no_python from None
