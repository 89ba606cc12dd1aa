"""Photos for heads on a trained trunk, and a run that holds one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from distill.networks.student import SHIPPED_STUDENT


def small_trunk_run(folder: Path, photos: dict[str, np.ndarray]) -> tuple[Path, Path, Path, tuple[Path, Path]]:
    """BIQ2021 of 60 small photos, three pristine ones, a run with the shipped trunk, and a set outside of twelve.

    People's scores are .2 to .79, the teacher's .85 to .95.
    """
    biq, pristine, other, run = (folder / name for name in ("biq", "pristine", "other", "run"))
    for one in (biq / "Images", pristine, other, run):
        one.mkdir(parents=True)
    for name in ("astronaut", "coffee", "rocket"):
        Image.fromarray(photos[name]).reduce(4).save(pristine / f"{name}.png")
    rows, scores = ["Image Name,MOS"], ["name,score"]
    for number in range(60):
        photo = list(photos.values())[number % 6]
        name = f"ss0{number % 3 + 1} ({number}).jpg"
        Image.fromarray(photo[number : number + 96, number : number + 128]).save(biq / "Images" / name)
        rows.append(f"{name},{0.2 + number / 100}")
        scores.append(f"{name},{0.85 + number / 600}")
        if number < 12:
            shutil.copy(biq / "Images" / name, other / name)
    (biq / "Train (Images and MOS).csv").write_text("\n".join(rows))
    (folder / "other.csv").write_text("name,mos\n" + "\n".join(rows[1:13]))
    shutil.copy(SHIPPED_STUDENT, run / "trunk.safetensors")
    (run / "scores.csv").write_text("\n".join(scores))
    (run / "trunk.json").write_text("{}")
    return biq, pristine, run, (other, folder / "other.csv")
