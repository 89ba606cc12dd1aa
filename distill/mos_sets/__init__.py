"""Photo sets with mean opinion scores, and folders of pristine photographs."""

from distill.mos_sets.biq2021 import read_biq2021
from distill.mos_sets.photo_set import MosSet, MosSetError, split_by_hash

MOS_SETS = {"biq2021": read_biq2021}

__all__ = ["MOS_SETS", "MosSet", "MosSetError", "read_biq2021", "split_by_hash"]
