"""What ``python -m distill trunk`` left behind, as ``python -m distill student --trunk`` takes it up."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from distill.data.mos_sets.photo_set import MosSet
from distill.networks.student import Student, load_student
from distill.training.run_folder import RunError

WEIGHTS, SCORES, RECORD = "trunk.safetensors", "scores.csv", "trunk.json"


@dataclass(frozen=True)
class TrunkRun:
    """A trained trunk and what its teacher thinks.

    Attributes:
        folder: of the run.
        record: how the trunk was trained, and its figures.
    """

    folder: Path
    record: dict[str, object]

    def student(self) -> Student:
        """A student on the trained trunk; its heads are fitted to nothing yet."""
        return load_student(self.folder / WEIGHTS)

    def scores(self, mos_set: MosSet) -> torch.Tensor:
        """The teacher's scores, float32 n in [0, 1], of a MOS set's photos.

        Raises:
            RunError: it was not asked about some of them, or two have one name.
        """
        known: dict[str, float] = {}
        with (self.folder / SCORES).open(newline="") as stream:
            reader = csv.DictReader(stream)
            if "score" not in (reader.fieldnames or ()):
                raise RunError(
                    f"{self.folder / SCORES} has no column score, of another version's run; train the trunk anew, or "
                    "give --labels"
                )
            for row in reader:  # the MOS set's come first: another photo may have the name of one
                known.setdefault(row["name"], float(row["score"]))
        name, count = Counter(path.name for path in mos_set.paths).most_common(1)[0]
        if count > 1:
            raise RunError(f"{count} photos are called {name!r}: {SCORES} knows names alone; give each its own name")
        if missing := [path.name for path in mos_set.paths if path.name not in known]:
            raise RunError(
                f"{self.folder / SCORES} has no score of {len(missing)} of {len(mos_set)} photos, {missing[0]!r} among "
                "them: give the MOS set that the trunk was trained with, or train it with this one"
            )
        return torch.tensor([known[path.name] for path in mos_set.paths]).clamp(0, 1)


def load_trunk_run(folder: Path) -> TrunkRun:
    """The finished run in ``folder``.

    Raises:
        RunError: there is none.
    """
    missing = [name for name in (WEIGHTS, SCORES, RECORD) if not (folder / name).is_file()]
    if missing:
        raise RunError(
            f"{folder} holds no finished run of python -m distill trunk ({', '.join(missing)} missing); train one, or "
            "start the same command again to end it"
        )
    return TrunkRun(folder, json.loads((folder / RECORD).read_text()))
