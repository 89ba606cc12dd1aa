"""MOS sets by pyiqa's ``meta_info`` convention: one CSV a set, one row a photo, columns for scores and splits.

The convention (pyiqa, "Dataset Preparation"): no-reference rows are ``name, mos, std, <splits>``, full-reference
rows ``ref_name, dist_name, mos or dmos, std, <splits>``; a split's cells are train, val or test, its column
``official_split`` or ``ratio802_seed123`` and the like. The table lies in the set's folder, or in ``meta_info``
beside it. A column called ``dmos`` says little: KADID-10k's rises with quality, CSIQ's falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from distill.data.mos_sets.mos_table import MosRow, MosTable, plain, read_mos_table, split_of
from distill.data.mos_sets.photo_names import find_photo
from distill.data.mos_sets.photo_set import MosSet, MosSetError, split_by_hash

_SPLIT_COLUMNS = ("official_split", "split", "set", "ratio802_seed123", "ratio802_seed123_1")
_TEST_SHARE = 0.2
_BEYOND = 0.15  # of the scale: LIVE's differences run a little beyond theirs


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
        MosSetError: the folder, its table or its photos are not there, or a row cannot be read right.
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
    read = read_mos_table(table)
    paths, mos = [], []
    for row in _in_split(read, split):
        if path := find_photo(row.name, photos):
            paths.append(path)
            mos.append(read.score(row, (layout.low, layout.high), _BEYOND))
    if not paths:
        raise MosSetError(
            f"{photos[0]} holds none of the photos that {table.name!r} names for its {split} split; put them there"
        )
    return MosSet(name, paths, np.array(mos), np.full(len(paths), name))


def _in_split(table: MosTable, split: str) -> list[MosRow]:
    column = next((name for name in _SPLIT_COLUMNS if plain(name) in table.columns), None)
    if column is None:
        if split == "val":
            return []
        held_out = split_by_hash([Path(row.cell("ref_name") or row.name) for row in table.rows], _TEST_SHARE)
        return [row for row, out in zip(table.rows, held_out) if bool(out) is (split == "test")]
    return [row for row in table.rows if split_of(row.cell(column)) == split]


READERS = {name: partial(read_meta_info, name) for name in LAYOUTS}
