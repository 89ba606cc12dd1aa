"""A training run on disk: its configuration, metrics as CSV, curves as PNG and a checkpoint, each whole or absent."""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from pathlib import Path

import torch


class RunError(ValueError):
    """A run folder cannot be used; the message says why and what to do."""


class RunFolder:
    """``config.json``, ``metrics.csv`` (step, name, value), ``curves.png`` and ``checkpoint.pt`` of one run."""

    def __init__(self, folder: Path, config: dict[str, object]) -> None:
        """Open a new run, or the same one again.

        Raises:
            RunError: the folder holds a run with another configuration.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(config, indent=2, default=str) + "\n"
        file = folder / "config.json"
        if file.is_file() and file.read_text() != text:
            ours, theirs = json.loads(text), json.loads(file.read_text())
            different = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
            raise RunError(
                f"{folder} holds a run with another configuration ({', '.join(different)} differ); give another --run, "
                "or the same configuration to go on with it"
            )
        _write(file, text.encode())
        self._metrics = folder / "metrics.csv"

    def save_checkpoint(self, state: dict[str, object]) -> None:
        """Replace the checkpoint; a kill at any moment leaves the old one or the new one."""
        partial = self.folder / "checkpoint.pt.partial"
        torch.save(state, partial)
        os.replace(partial, self.folder / "checkpoint.pt")

    def load_checkpoint(self) -> dict[str, object] | None:
        """The checkpoint, on the CPU; None where there is none."""
        file = self.folder / "checkpoint.pt"
        return torch.load(file, map_location="cpu", weights_only=True) if file.is_file() else None

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Append metrics of one step."""
        with self._metrics.open("a", newline="") as stream:
            if stream.tell() == 0:
                stream.write("step,name,value\n")
            csv.writer(stream, lineterminator="\n").writerows([step, *item] for item in metrics.items())

    def forget_after(self, step: int) -> None:
        """Drop metrics of steps that a killed run had made after its last checkpoint."""
        rows = [f"{at},{name},{value!r}" for at, name, value in self._rows() if at <= step]
        _write(self._metrics, "\n".join(["step,name,value", *rows, ""]).encode())

    def draw_curves(self) -> None:
        """One panel for each metric over steps."""
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
        partial = self.folder / "curves.partial.png"
        figure.savefig(partial)
        os.replace(partial, self.folder / "curves.png")

    def _rows(self) -> list[tuple[int, str, float]]:
        if not self._metrics.is_file():
            return []
        with self._metrics.open(newline="") as stream:
            return [(int(row["step"]), row["name"], float(row["value"])) for row in csv.DictReader(stream)]


def _write(file: Path, content: bytes) -> None:
    # Several processes may open one run at once.
    partial = file.with_name(f"{file.name}.partial-{os.getpid()}")
    partial.write_bytes(content)
    os.replace(partial, file)
