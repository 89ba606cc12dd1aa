"""Photo sets with mean opinion scores, and folders of pristine photographs."""

from distill.data.mos_sets.biq2021 import read_biq2021
from distill.data.mos_sets.meta_info import READERS
from distill.data.mos_sets.own_photos import read_own_photos, read_scored_photos
from distill.data.mos_sets.photo_set import VALIDATION_SHARE, MosSet, MosSetError, split_by_hash

# name → reader(folder, split)
MOS_SETS = {"own": read_own_photos, "biq2021": read_biq2021, **READERS}

__all__ = [
    "MOS_SETS",
    "VALIDATION_SHARE",
    "MosSet",
    "MosSetError",
    "read_biq2021",
    "read_own_photos",
    "read_scored_photos",
    "split_by_hash",
]
