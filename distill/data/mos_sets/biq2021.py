"""BIQ2021: 12,000 photos of 512×512, mean opinion scores in [0, 1], three sources, an official split.

Ahmed and Asif, "BIQ2021: a large-scale blind image quality assessment database", JEI 2022. The set is a public
GitHub repository (nisarahmedrana/BIQ2021) of 420 MB.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distill.data.mos_sets.mos_table import read_mos_table
from distill.data.mos_sets.photo_names import find_photo
from distill.data.mos_sets.photo_set import MosSet, MosSetError


def read_biq2021(folder: str | Path, split: str = "train") -> MosSet:
    """One official split of BIQ2021, in the table's order; rows without a photo are left out.

    Args:
        folder: the checked-out repository.
        split: ``train`` (10,000 rows) or ``test`` (2,000 rows, for one final figure of a released model).

    Raises:
        MosSetError: the folder or its table is missing, or a row cannot be read right.
        ValueError: another split.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}; BIQ2021 has train and test")
    folder = Path(folder)
    table = folder / f"{split.capitalize()} (Images and MOS).csv"
    if not table.is_file():
        raise MosSetError(
            f"no BIQ2021 at {folder} (looked for {table.name!r}); clone the GitHub repository "
            "nisarahmedrana/BIQ2021 outside the project and give its folder with --mos-folder"
        )
    paths, mos = [], []
    read = read_mos_table(table)
    for row in read.rows:
        score = read.score(row, (0.0, 1.0))
        if path := find_photo(row.name, [folder / "Images"]):
            paths.append(path)
            mos.append(score)
    if not paths:
        raise MosSetError(f"{folder / 'Images'} holds none of the photos that {table.name!r} names; put them there")
    return MosSet("biq2021", paths, np.array(mos), np.array([path.name[:4] for path in paths]))
