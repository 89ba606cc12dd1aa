"""The SDK as the engine: a Python on the device runs `benchmarks.engines.worker` with the SDK's own runtime.

One file is pushed: the worker and the SDK's Python files in a zip that Python starts. The device needs a
Python with numpy, Pillow and a runtime (``executorch-numpy-runtime`` with Python 3.12 or later, or
``executorch``).
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pocketiqa
from pocketiqa.errors import one_line

from benchmarks.devices.base import Device, DeviceError
from benchmarks.engines import worker
from benchmarks.engines.base import Engine, GoldenInput, Plan, Round
from benchmarks.record import ColdStart

PYTHONS = ("python3.13", "python3.12", "python3.14", "python3")
SHORTEST_MS = 1e-6  # no clock shows a shorter inference


class SdkEngine(Engine):
    """Runs the SDK on the device; ``python`` names its interpreter, found by trying if None.

    ``prefer`` is the runtime of variants that name none, None for the SDK's own order.
    """

    name = "sdk"

    def __init__(self, python: str | None = None, prefer: str | None = None) -> None:
        self.python, self.prefer = python, prefer
        self.runtimes: dict[str, str] = {}

    def runtime_of(self, variant: str) -> str:
        """As the worker said when it ran the variant."""
        return self.runtimes.get(variant, "unknown")

    def prepare(self, device: Device, programs: dict[str, Path], golden: list[GoldenInput]) -> None:
        """Push the worker, the programs and the golden inputs."""
        self.device = device
        self.python = self.python or find_python(device)
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / "worker.pyz"
            pack_worker(packed)
            self.worker = device.push(packed, "worker.pyz")
        self.programs = {v: device.push(path, path.name) for v, path in programs.items()}
        self.inputs = {g.photo: device.push(g.file, f"golden-{i}.bin") for i, g in enumerate(golden)}
        self.shape = list(golden[0].shape)

    def outputs(self, variants: list[str], threads: int) -> dict[str, dict[str, list[float]]]:
        """Scores of the golden photos by variant and photo, in one process."""
        scores: dict[str, dict[str, list[float]]] = {variant: {} for variant in variants}
        for event in self._events("outputs", "scoring the golden photos", variants, threads):
            if event["event"] == "output":
                with self._answering("scoring the golden photos"):
                    scores[event["variant"]][event["photo"]] = [float(value) for value in event["quality"]]
        return scores

    def cold_start(self, variant: str, threads: int) -> ColdStart:
        """Times and memory of one fresh process."""
        events = list(self._events("cold", f"a cold start of {variant}", [variant], threads))
        with self._answering(f"a cold start of {variant}"):
            (cold,) = (event for event in events if event["event"] == "cold")
            times = {key: value and _sane(value) for key, value in cold.items() if key != "event"}
            return ColdStart(**times)

    def rounds(self, variants: list[str], threads: int, plan: Plan) -> Iterator[Round]:
        """Rounds as the worker reports them, up to a quarter of a second late."""
        options = vars(plan)
        with closing(self._events("timed", "timing", variants, threads, **options)) as events:
            for event in events:
                if event["event"] == "round":
                    with self._answering("timing"):
                        found = Round(_sane(event["at"]), {v: _sane(event["ms"][v], SHORTEST_MS) for v in variants})
                    yield found

    @contextmanager
    def _answering(self, step: str) -> Iterator[None]:
        """The device may send anything: an event that lacks a value, or has one of a wrong type, is its error."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"the worker's answer makes no sense: {one_line(repr(error))}"
            raise DeviceError(self.device.url, step, reason, "is the device's Python the one you installed?") from error

    def _events(self, task: str, step: str, variants: list[str], threads: int, **options: object) -> Iterator[dict]:
        plan = {
            "task": task,
            "programs": {v: self.programs[v] for v in variants},
            "inputs": self.inputs,
            "shape": self.shape,
            "threads": threads,
            "prefer": {v: v.partition("@")[2] or self.prefer for v in variants},
            "folder": str(self.device.workspace),
            "remove": True,
            **options,
        }
        command = [self.python, self.worker, json.dumps(plan)]
        ended = False
        with closing(self.device.stream(command, step)) as lines:
            for line in lines:
                # A runtime may write to stdout too; the worker's lines are JSON objects.
                if not line.startswith('{"event"'):
                    continue
                try:
                    event = json.loads(line)
                except (ValueError, RecursionError):  # cut off in the middle
                    break
                if event["event"] == "runtime":
                    with self._answering(step):
                        self.runtimes[event["variant"]] = one_line(event["name"])
                ended = event["event"] == "end"
                yield event
        if not ended:
            # adb ends with exit code 0 when the daemon dies.
            raise DeviceError(
                self.device.url,
                step,
                "the connection ended before the worker did",
                "is the device still there and awake? check its cable, network and daemon, then try again",
            )


def _sane(value: object, least: float = 0.0) -> float:
    """A time or a size; raises ``ValueError`` for what can be neither."""
    number = float(value)
    if not least <= number < 1e12:
        raise ValueError(f"{number} is no time or size")
    return number


def find_python(device: Device) -> str:
    """The first Python on the device that imports numpy; raises `DeviceError` with what is missing."""
    own = getattr(device, "python", None)
    failures = []
    for python in (own,) if own else PYTHONS:
        try:
            device.run([python, "-c", "import numpy, PIL"], f"starting {python}")
        except DeviceError as error:
            failures.append(error)
        else:
            return python
    raise DeviceError(
        device.url,
        "finding a Python with numpy and Pillow",
        "\n".join(f"{error.step}: {error.reason.strip().splitlines()[-1]}" for error in failures),
        "python3 -m pip install executorch-numpy-runtime numpy pillow on the device, or name its Python "
        "with --python, or use --engine executor-runner",
    )


def pack_worker(target: Path) -> None:
    """Write the worker and the SDK's Python files as one zip that Python can run."""
    package = Path(pocketiqa.__file__).parent
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(worker.__file__, "__main__.py")
        for file in sorted(package.rglob("*.py")):
            archive.write(file, str(Path("pocketiqa") / file.relative_to(package)))
