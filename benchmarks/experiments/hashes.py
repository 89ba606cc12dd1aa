"""Which perceptual hash tells the shots of a burst from other photos?

    uv run --with imagehash python -m benchmarks.experiments.hashes PHOTOS

A burst a photo, levels 1 to 5 in turns (``benchmarks.bursts``), saved as JPEG. Every pair of shots is of one photo or
of two. The table gives the share of the former within a distance that a given share of the latter is within.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image
from pocketiqa.exit_status import run_command
from pocketiqa.glance import HASH_BITS, difference_hash
from pocketiqa.shot_groups import ALIKE, ALIKE_IN_A_BURST
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.bursts import make_burst
from distill.data.degraded_photos import pristine_photos
from distill.data.training_photos import read_photo

BURSTS = 200
FALSE = (1e-5, 1e-4, 1e-3)
OURS = "**dHash in both directions, 128 bits**"
HASHES = {
    "average, 64 bits": lambda image: imagehash.average_hash(image, 8).hash,
    "wavelet, 64 bits": lambda image: imagehash.whash(image, 8).hash,
    "pHash, 64 bits": lambda image: imagehash.phash(image, 8).hash,
    "pHash, 256 bits": lambda image: imagehash.phash(image, 16).hash,
    "dHash, 64 bits": lambda image: imagehash.dhash(image, 8).hash,
    "dHash, 256 bits": lambda image: imagehash.dhash(image, 16).hash,
    OURS: lambda image: _bits(difference_hash(image)),
}


def main() -> None:
    """Print the table."""
    photos = pristine_photos([Path(sys.argv[1])])
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(photos))[:BURSTS]
    scenes, hashes = [], {name: [] for name in HASHES}
    for number, photo in enumerate(tqdm(chosen)):
        for shot in make_burst(read_photo(photos[photo]), 1 + number % 5, rng):
            file = io.BytesIO()
            Image.fromarray(shot.pixels).save(file, "JPEG", quality=92)
            image = Image.open(file)
            scenes.append(number)
            for name, function in HASHES.items():
                hashes[name].append(np.ravel(function(image)))
    pairs = np.triu_indices(len(scenes), 1)
    same = np.equal.outer(scenes, scenes)[pairs]
    rows = []
    for name, found in hashes.items():
        signs = 2 * np.array(found, dtype=np.float32) - 1
        distance = ((signs.shape[1] - signs @ signs.T) / 2)[pairs].round()
        others = np.sort(distance[~same])
        if name == OURS:
            within = [
                (bits, np.mean(distance[same] <= bits), np.mean(others <= bits)) for bits in (ALIKE, ALIKE_IN_A_BURST)
            ]
        rows.append([name, *(np.mean(distance[same] < others[int(share * len(others))]) for share in FALSE)])
    headers = ["hash", *(f"{share:.4%} of pairs of two photos" for share in FALSE)]
    print(tabulate(rows, headers, "pipe", floatfmt=".3f"))
    for bits, of_one, of_two in within:
        print(f"\nWithin {bits} bits of ours are {of_one:.1%} of the pairs of one photo and {of_two:.4%} of two.")
    print(f"\nn = {len(chosen)} bursts, {same.sum()} pairs of one photo and {(~same).sum()} of two.")


def _bits(number: int) -> np.ndarray:
    return np.array([number >> place & 1 for place in range(HASH_BITS)])


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.experiments.hashes", main))
