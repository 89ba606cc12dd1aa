"""A training run on disk: its configuration, metrics as CSV, curves as PNG and a checkpoint, each whole or absent."""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from pocketiqa.errors import one_line
from pocketiqa.files import atomic_file


class RunError(ValueError):
    """A run cannot be begun, or gone on with; the message says why and what to do."""


class TrainingStopped(RuntimeError):
    """A run could not go on; the message says at which step and why. What it had saved is whole."""

    exit_status = 1


class RunFolder:
    """``config.json``, ``metrics.csv`` (step, name, value), ``curves.png`` and ``checkpoint.pt`` of one run."""

    def __init__(self, folder: Path, config: dict[str, object]) -> None:
        """Open a new run, or the same one again.

        Raises:
            RunError: the folder cannot be written, or holds a run with another configuration.
        """
        self.folder = folder
        self._metrics = folder / "metrics.csv"
        self._checkpoint = folder / "checkpoint.pt"
        text = json.dumps(config, indent=2, default=str, allow_nan=False) + "\n"
        file = folder / "config.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if file.exists() and (before := file.read_bytes()) != text.encode():
                raise RunError(
                    f"{folder} holds a run with another configuration ({_difference(json.loads(text), before)}); give "
                    "another --run, or the same configuration to go on with it"
                )
            with atomic_file(file) as stream:
                stream.write(text)
        except OSError as error:
            raise RunError(f"{folder} cannot be a run's folder: {error.strerror}; give another --run") from None

    def save_checkpoint(self, state: dict[str, object]) -> None:
        """Replace the checkpoint; a kill at any moment, or a full disk, leaves the old one or the new one.

        Raises:
            TrainingStopped: it cannot be written.
        """
        # In memory first: where a write fails, PyTorch's own writer hides the reason behind one of its own.
        archive = io.BytesIO()
        torch.save(state, archive)
        with self._writing(self._checkpoint), atomic_file(self._checkpoint, "wb") as stream:
            stream.write(archive.getbuffer())

    def load_checkpoint(self) -> dict[str, object] | None:
        """The checkpoint, on the CPU; None where there is none.

        Raises:
            RunError: the file is damaged.
        """
        if not self._checkpoint.exists():
            return None
        try:
            with zipfile.ZipFile(self._checkpoint) as archive:
                # PyTorch's own reader does not compare the checksums: a flipped bit would become a weight.
                if (part := archive.testzip()) is not None:
                    raise zipfile.BadZipFile(f"the checksum of {part} does not fit")
            return torch.load(self._checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:  # on damaged files the readers raise nearly anything
            raise RunError(
                f"{self._checkpoint} is damaged ({one_line(error)}); put a copy of it back, or delete it to begin the "
                "run again"
            ) from None

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Append metrics of one step; a figure that is NaN, as a correlation with one score is, is left out.

        Raises:
            TrainingStopped: they cannot be written.
        """
        with self._writing(self._metrics), self._metrics.open("a", newline="") as stream:
            if stream.tell() == 0:
                _write_rows(stream, [("step", "name", "value")])
            _write_rows(stream, ((step, *item) for item in metrics.items() if not math.isnan(item[1])))

    def forget_after(self, step: int) -> None:
        """Drop what a run that broke off had made after its last checkpoint: metrics, and files half written.

        For one process alone, before the first step.

        Raises:
            TrainingStopped: the metrics cannot be written.
        """
        for left in self.folder.glob(".*.partial"):
            left.unlink(missing_ok=True)
        rows = [row for row in self._rows() if row[0] <= step]
        with self._writing(self._metrics), atomic_file(self._metrics, newline="") as stream:
            _write_rows(stream, [("step", "name", "value"), *rows])

    def draw_curves(self) -> None:
        """One panel for each metric over steps.

        Raises:
            TrainingStopped: the picture cannot be written.
        """
        # Only a run that draws needs it, and it takes a second to import.
        from matplotlib.figure import Figure

        series = defaultdict(list)
        for step, name, value in self._rows():
            series[name].append((step, value))
        if not series:
            return
        figure = Figure(figsize=(6, 2 * len(series)))
        panels = figure.subplots(len(series), sharex=True, squeeze=False)[:, 0]
        for panel, (name, points) in zip(panels, series.items()):
            panel.plot(*zip(*points), marker="." if len(points) < 50 else None)
            panel.set_ylabel(name)
        panel.set_xlabel("step")
        figure.subplots_adjust(left=0.15, right=0.97, top=0.99)
        picture = self.folder / "curves.png"
        with self._writing(picture), atomic_file(picture, "wb") as stream:
            figure.savefig(stream, format="png")

    def _rows(self) -> list[tuple[int, str, float]]:
        """All metrics that can be read: a run that broke off may have left the half of a line."""
        rows = []
        if self._metrics.is_file():
            lines = self._metrics.read_text(errors="replace").splitlines(keepends=True)
            for row in csv.reader(line for line in lines if line.endswith("\n")):
                try:
                    step, name, value = row
                    rows.append((int(step), name, float(value)))
                except ValueError:  # the heading, or no line of ours
                    continue
        return rows

    @contextmanager
    def _writing(self, file: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kept = "the last checkpoint is whole" if self._checkpoint.is_file() else "there is no checkpoint yet"
            raise TrainingStopped(
                f"{file} cannot be written: {error.strerror or one_line(error)}; {kept}. Make room, or give the folder "
                "back its permissions, and start the same command again: it goes on from there"
            ) from None


def _difference(ours: dict[str, object], before: bytes) -> str:
    try:
        theirs = dict(json.loads(before))
    except (ValueError, TypeError):
        return "its config.json cannot be read"
    return f"{', '.join(sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)))} differ"


def _write_rows(stream: object, rows: Iterable[tuple]) -> None:
    csv.writer(stream, lineterminator="\n").writerows(rows)
