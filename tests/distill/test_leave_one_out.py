"""The leave-one-source-out table's features and rows."""

from __future__ import annotations

import numpy as np
import torch
from pocketiqa.preprocess import preprocess

from distill.experiments.leave_one_out import EveryFeature, rows
from distill.networks.student import INPUT_SPEC, LOCAL_WIDTH, STAGE_CHANNELS, Student


def test_the_stage_means_of_the_table_are_what_the_student_reads(photos: dict[str, np.ndarray]) -> None:
    views = torch.from_numpy(preprocess(photos["rocket"], INPUT_SPEC))
    with torch.no_grad():
        table, student = EveryFeature()(views), Student().eval().features(views)
    early = sum(STAGE_CHANNELS) - LOCAL_WIDTH
    assert torch.allclose(table[:, :early], student[:, LOCAL_WIDTH:], atol=1e-3)
    assert torch.allclose(table[:, early : early + LOCAL_WIDTH], student[:, :LOCAL_WIDTH], atol=1e-3)


def test_no_row_reads_a_feature_twice_or_beyond_the_two_views() -> None:
    width = 2 * EveryFeature()(torch.rand(1, 3, 64, 64)).shape[1]
    for columns, _ in rows().values():
        assert len(set(columns.tolist())) == len(columns) and columns.max() < width
