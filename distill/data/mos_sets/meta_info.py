"""MOS sets by pyiqa's ``meta_info`` convention: one CSV a set, one row a photo, columns for scores and splits.

The convention (pyiqa, "Dataset Preparation"): no-reference rows are ``name, mos, std, <splits>``, full-reference
rows ``ref_name, dist_name, mos or dmos, std, <splits>``; a split's cells are train, val or test, its column
``official_split`` or ``ratio802_seed123`` and the like. The table lies in the set's folder, or in ``meta_info``
beside it. A column called ``dmos`` says little: KADID-10k's rises with quality, CSIQ's falls.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from distill.data.mos_sets.photo_set import MosSet, MosSetError, split_by_hash

_NAME_COLUMNS = ("dist_name", "img_name", "image_name", "name")
_SCORE_COLUMNS = ("mos", "dmos", "quality_mos", "mos_quality")
_SPLIT_COLUMNS = ("official_split", "split", "set", "ratio802_seed123", "ratio802_seed123_1")
_SPLIT_NAMES = {"training": "train", "validation": "val"}
_TEST_SHARE = 0.2


@dataclass(frozen=True)
class Layout:
    """How a set lies on disk and what its scores mean.

    Attributes:
        tables: the meta_info table's possible names.
        photos: folders that may hold the photos, in or beside the set's folder.
        low: the worst score of the scale.
        high: the best; below ``low`` where a lower score is better.
        download: what to get, in words.
    """

    tables: tuple[str, ...]
    photos: tuple[str, ...]
    low: float
    high: float
    download: str


LAYOUTS = {
    "koniq10k": Layout(
        ("meta_info_KonIQ10kDataset.csv",),
        ("512x384", "1024x768"),
        1,
        100,
        "KonIQ-10k (University of Konstanz, multimedia signal processing group)",
    ),
    "spaq": Layout(
        ("meta_info_SPAQDataset.csv",),
        ("TestImage",),
        0,
        100,
        "SPAQ (Fang et al., CVPR 2020; the GitHub repository h4nwei/SPAQ says where)",
    ),
    "flive": Layout(
        ("meta_info_FLIVEDataset.csv",),
        ("database",),
        0,
        100,
        "FLIVE, also called PaQ-2-PiQ (the GitHub repository niu-haoran/FLIVE_Database)",
    ),
    "kadid10k": Layout(
        ("meta_info_KADID10kDataset.csv",),
        ("images",),
        1,
        5,
        "KADID-10k (University of Konstanz, multimedia signal processing group)",
    ),
    "tid2013": Layout(
        ("meta_info_TID2013Dataset.csv",), ("distorted_images",), 0, 9, "TID2013 (Ponomarenko et al., Tampere)"
    ),
    "csiq": Layout(("meta_info_CSIQDataset.csv",), ("dst_imgs",), 1, 0, "CSIQ (Larson and Chandler, 2010)"),
    "live": Layout(
        ("meta_info_LIVEIQADataset.csv",),
        (".",),
        100,
        0,
        "LIVE Image Quality Assessment Database, release 2 (University of Texas at Austin)",
    ),
    "agiqa3k": Layout(
        ("meta_info_AGIQA3kDataset.csv", "data.csv"),
        ("images", "."),
        0,
        5,
        "AGIQA-3K (the GitHub repository lcysyzxdxc/AGIQA-3k-Database)",
    ),
    "uhdiqa": Layout(
        ("meta_info_UHDIQADataset.csv", "uhd-iqa-training-metadata.csv", "uhd-iqa-metadata.csv"),
        ("challenge/training", "all", "images", "."),
        0,
        1,
        "UHD-IQA (University of Konstanz, multimedia signal processing group)",
    ),
}


def read_meta_info(name: str, folder: str | Path, split: str = "train") -> MosSet:
    """One split of a set, in the table's order; rows without a photo are left out.

    Where the table has no split of its own, a fifth is held out as ``test``, by the reference picture where there
    is one: copies of one picture never stand on both sides.

    Args:
        name: a key of ``LAYOUTS``.
        folder: of the set.
        split: ``train``, ``val`` or ``test``.

    Raises:
        MosSetError: the folder, its table, its photos or its columns are not there, or a score is no number.
        ValueError: another split.
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f"split is {split!r}; give train, val or test")
    layout, folder = LAYOUTS[name], Path(folder)
    places = [place / table for place in (folder, folder.parent / "meta_info") for table in layout.tables]
    table = next((place for place in places if place.is_file()), None)
    photos = [folder / place for place in layout.photos if (folder / place).is_dir()]
    if table is None or not photos:
        missing = f"its table {layout.tables[0]!r}" if photos else f"its photos in {' or '.join(layout.photos)!r}"
        raise MosSetError(
            f"no {name} at {folder}: {missing} is not there; download {layout.download}, and the table from pyiqa's "
            "meta_info files, into this folder"
        )
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream, skipinitialspace=True))
    columns = rows[0].keys() if rows else []
    by_name, by_score = (_column(table, columns, names) for names in (_NAME_COLUMNS, _SCORE_COLUMNS))
    chosen = _in_split(rows, by_name, split)
    paths, mos = [], []
    for number in np.flatnonzero(chosen):
        candidates = [place / rows[number][by_name] for place in photos]
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None:
            continue
        try:
            score = float(rows[number][by_score])
        except (TypeError, ValueError):
            raise MosSetError(
                f"{table}, line {number + 2}: {by_score} is {rows[number][by_score]!r}; expected a number"
            ) from None
        paths.append(path)
        mos.append((score - layout.low) / (layout.high - layout.low))
    if not paths:
        raise MosSetError(f"{photos[0]} holds none of the photos that {table.name!r} names for its {split} split")
    # LIVE's differences run a little beyond their scale.
    return MosSet(name, paths, np.clip(mos, 0, 1), np.full(len(paths), name))


def _column(table: Path, columns: list[str], names: tuple[str, ...]) -> str:
    for name in names:
        if name in columns:
            return name
    raise MosSetError(f"{table} has none of the columns {', '.join(names)}; it has {', '.join(columns) or 'no rows'}")


def _in_split(rows: list[dict[str, str]], by_name: str, split: str) -> np.ndarray:
    column = next((name for name in _SPLIT_COLUMNS if name in rows[0]), None)
    if column is None:
        held_out = split_by_hash([Path(row.get("ref_name") or row[by_name]) for row in rows], _TEST_SHARE)
        return held_out if split == "test" else ~held_out if split == "train" else np.zeros(len(rows), dtype=bool)
    cells = [row[column].strip().lower() for row in rows]
    return np.array([_SPLIT_NAMES.get(cell, cell) == split for cell in cells])


READERS = {name: partial(read_meta_info, name) for name in LAYOUTS}
