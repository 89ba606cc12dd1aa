"""The interface of an engine: what scores and times the programs on a device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.devices.base import Device
from benchmarks.record import ColdStart


@dataclass(frozen=True)
class Plan:
    """How long to measure: at least ``runs`` rounds and ``seconds``, never over ``max_seconds``, after ``warmups``.

    MLPerf Mobile asks for 1024 rounds and 60 seconds.
    """

    runs: int
    seconds: float
    max_seconds: float
    warmups: int

    def is_done(self, runs: int, seconds: float) -> bool:
        """Whether a measurement of ``runs`` rounds that took ``seconds`` may end."""
        return seconds >= self.max_seconds or (runs >= self.runs and seconds >= self.seconds)


@dataclass(frozen=True)
class GoldenInput:
    """One golden photo, preprocessed: the file holds float32 in the program's input shape."""

    photo: str
    file: Path
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Round:
    """One inference of every variant in turn; ``at`` is in seconds since the first timed round."""

    at: float
    ms: dict[str, float]


class Engine(ABC):
    """Runs the programs of one bundle on one device.

    A variant is named as ``--variant`` does: ``int8``, or ``onnx_int8@openvino`` with the runtime that runs it.
    """

    name: str

    @abstractmethod
    def runtime_of(self, variant: str) -> str:
        """What ran a variant, with its version; ``unknown`` before its first run."""

    @abstractmethod
    def prepare(self, device: Device, programs: dict[str, Path], golden: list[GoldenInput]) -> None:
        """Put everything that is needed onto the device."""

    @abstractmethod
    def outputs(self, variants: list[str], threads: int) -> dict[str, dict[str, list[float]]]:
        """The values of output ``quality``, score first, by variant and golden photo."""

    @abstractmethod
    def cold_start(self, variant: str, threads: int) -> ColdStart:
        """Load and run one program in a fresh process."""

    @abstractmethod
    def rounds(self, variants: list[str], threads: int, plan: Plan) -> Iterator[Round]:
        """Time the variants in turns; warm-ups are dropped before the first round is yielded."""
