"""Is the clean photo of a real pair the better one, beside what a camera took at a high sensitivity?

    python -m benchmarks.experiments.real_noise --pairs PolyU/CroppedImages

Pairs are of GitHub's csjunxu/PolyU-Real-World-Noisy-Images-Dataset (Xu et al., "Real-world Noisy Image Denoising: A
New Benchmark", arXiv 1804.02603): ``…_real.JPG`` is one exposure of a still scene, ``…_mean.JPG`` the mean of hundreds.
Each camera has a row.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from pocketiqa import Scorer
from pocketiqa.binomial import interval
from pocketiqa.errors import PhotoError
from pocketiqa.exit_status import run_command
from pocketiqa.photo import open_photo
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.ladder_picks import shot_of

CLEAN, NOISY = "_mean.JPG", "_real.JPG"
BY = ("score", "noise", "merit")


def main() -> None:
    """Score both photos of each pair, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.real_noise")
    parser.add_argument("--pairs", type=Path, required=True, help=f"a folder of photos …{CLEAN} and …{NOISY}")
    parser.add_argument("--bundle", type=Path, help="default: the one shipped")
    options = parser.parse_args()
    scorer = Scorer(options.bundle)
    print(table({clean.name: better(clean, noisy, scorer) for clean, noisy in tqdm(pairs(options.pairs))}))


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """The clean and the noisy photo of each scene, by name.

    Raises:
        PhotoError: there is none, or a clean photo has no noisy one beside it.
    """
    found = [(clean, clean.with_name(clean.name.removesuffix(CLEAN) + NOISY)) for clean in folder.glob(f"*{CLEAN}")]
    if not found:
        raise PhotoError(f"{folder} has no photo …{CLEAN}; give CroppedImages of the data set")
    for clean, noisy in found:
        if not noisy.is_file():
            raise PhotoError(f"{clean} has no {noisy.name} beside it")
    return sorted(found)


def better(clean: Path, noisy: Path, scorer: Scorer) -> tuple[bool, ...]:
    """Whether the clean photo stands higher by each of ``BY``: score, attribute, what ``pocketiqa best`` ranks by."""
    return tuple(own > other for own, other in zip(_judged(clean, scorer), _judged(noisy, scorer)))


def _judged(photo: Path, scorer: Scorer) -> tuple[float, float, float]:
    shot = shot_of(np.asarray(open_photo(photo)), scorer)
    return shot.score, shot.attributes["noise"], shot.merit


def table(found: dict[str, tuple[bool, ...]]) -> str:
    """A row a camera and one of all, of the names' answers; Markdown."""
    cameras = defaultdict(list)
    for name, answers in found.items():
        cameras[name.split("_")[0]].append(answers)
    rows = []
    for camera, answers in [*cameras.items(), ("all", list(found.values()))]:
        shares = []
        for counted in map(sum, zip(*answers)):
            low, high = interval(counted, len(answers))
            shares.append(f"{counted / len(answers):.2f} ({low:.2f} to {high:.2f})")
        rows.append([camera, len(answers), *shares])
    return tabulate(rows, ["camera", "pairs", *(f"clean is better, by {name}" for name in BY)], "pipe")


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.experiments.real_noise", main))
