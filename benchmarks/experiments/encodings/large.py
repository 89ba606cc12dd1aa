"""JPEGs as large as phones make them: the score at a reduced scale against that of the whole picture, and the memory.

    python -m benchmarks.experiments.encodings.large PHOTOS [--limit 24]

Each photo is enlarged to 12,000×9,000 pixels (108 megapixels) with grain, and written at quality 92. The limit of
pixels alone reduces it here; ``benchmarks.experiments.halving`` measures how the input spec halves it.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pocketiqa import Bundle, PhotoLimits, Scorer
from pocketiqa.exit_status import run_command
from tqdm import tqdm

from benchmarks.experiments.halving import without_halving

SIZE = (12_000, 9_000)
# By how much the sides are reduced, and a limit of pixels that asks for it.
LIMITS = {1: 120_000_000, 2: PhotoLimits().max_pixels, 4: 20_000_000, 8: 5_000_000}
MEMORY = "import sys; from pocketiqa.photo import read_photo; print(read_photo(sys.argv[1]).rgb.size)"


def main() -> None:
    """Enlarge, score at each scale, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.encodings.large")
    parser.add_argument("photos", type=Path, help="a folder of photos")
    parser.add_argument("--limit", type=int, default=24)
    options = parser.parse_args()
    paths = sorted(path for path in options.photos.iterdir() if path.suffix.lower() in (".jpg", ".png"))[
        : options.limit
    ]
    whole = without_halving(Bundle.open())
    scorers = {scale: Scorer(whole, limits=PhotoLimits(max_pixels=pixels)) for scale, pixels in LIMITS.items()}
    differences = []
    for i, path in enumerate(tqdm(paths)):
        encoded = enlarged(path, SIZE, seed=i)
        scores = {scale: scorer(encoded).score for scale, scorer in scorers.items()}
        differences.append([scores[scale] - scores[1] for scale in LIMITS])
        tqdm.write(f"{path.name}: {', '.join(f'1/{scale} {score:.4f}' for scale, score in scores.items())}")
    gaps = np.abs(differences)
    for scale, column in zip(LIMITS, gaps.T):
        print(f"1/{scale}: mean |Δ| {column.mean():.4f}, max |Δ| {column.max():.4f}, n = {len(column)}")
    for size in (SIZE, (16_320, 12_240)):
        for progressive in (False, True):
            print(
                f"{size[0]}×{size[1]}, progressive {progressive}: {peak_mib(paths[0], size, progressive):.0f} MiB more"
            )


def enlarged(path: Path, size: tuple[int, int], seed: int, **options: object) -> bytes:
    """The photo at ``size``, with grain of its own pixels' size, as a JPEG of quality 92."""
    picture = np.asarray(ImageOps.fit(Image.open(path).convert("RGB"), size, Image.Resampling.BICUBIC)).copy()
    random = np.random.default_rng(seed)
    for top in range(0, len(picture), 500):
        rows = picture[top : top + 500]
        grain = random.integers(-6, 7, (*rows.shape[:2], 1), dtype=np.int16)
        picture[top : top + 500] = np.clip(rows + grain, 0, 255)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92, **options)
    return file.getvalue()


def peak_mib(path: Path, size: tuple[int, int], progressive: bool) -> float:
    """Peak memory of a process that reads the enlarged photo, above that of one that reads the photo itself."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.jpg"
        large.write_bytes(enlarged(path, size, 0, progressive=progressive))
        before, after = (_peak_of_child(photo) for photo in (path, large))
    return (after - before) / 1024


def _peak_of_child(photo: Path) -> int:
    # Not getrusage: a process inherits its parent's peak.
    code = f"{MEMORY}; print(*(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
    said = subprocess.run([sys.executable, "-c", code, str(photo)], capture_output=True, text=True, check=True)
    return int(said.stdout.split()[-1])


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.experiments.encodings.large", main))
