"""What the parts of a photo added to its score: exact sums, regions by name, and networks that have no such parts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketiqa.bundle import Bundle
from pocketiqa.errors import PocketiqaError
from pocketiqa.explanation import TOLERANCE, Explanation, explain
from pocketiqa.scorer import Result, Scorer


def explained(cells: np.ndarray) -> Explanation:
    """The explanation of a network whose map's logits are these."""
    return explain(1 / (1 + math.exp(-cells.mean())), 1 / (1 + np.exp(-cells)))


@given(st.integers(3, 10), st.integers(3, 10), st.integers(0, 2**32 - 1))
def test_the_cells_add_up_to_the_logit_and_the_regions_to_nothing(height: int, width: int, seed: int) -> None:
    cells = np.random.default_rng(seed).normal(size=(height, width))
    found = explained(cells)
    assert found.cells.sum() == pytest.approx(found.logit, abs=TOLERANCE)
    assert len(found.regions) == 9 and sum(found.regions.values()) == pytest.approx(0, abs=1e-9)


def test_the_weakest_part_is_named_and_has_a_place() -> None:
    cells = np.zeros((10, 10))
    cells[9, 0] = -2
    found = explained(cells)
    assert min(found.regions, key=found.regions.get) == "lower left" and "lower left takes most" in str(found)
    assert found.weakest_cell == (0.0, 0.9, 0.1, 1.0)


def test_the_shipped_students_cells_add_up_to_the_logit() -> None:
    scorer = Scorer()
    for name in list(Bundle.open().golden)[:4]:
        result = scorer(scorer.bundle.read(name))
        found = result.explain()
        assert found.cells.shape == scorer.bundle.manifest.map_shape
        assert found.cells.sum() == pytest.approx(math.log(result.score / (1 - result.score)), abs=TOLERANCE)


def test_a_map_that_is_not_made_of_the_score_explains_nothing() -> None:
    with pytest.raises(PocketiqaError, match="not made of its score"):
        explain(0.9, np.full((4, 4), 0.2))
    with pytest.raises(PocketiqaError, match="not made of its score"):
        explain(1.0, np.full((4, 4), 0.2))


def test_a_network_without_a_map_and_a_photo_without_a_score_say_so(score_only_bundle: Path) -> None:
    photo = next((score_only_bundle / "golden").iterdir())
    with pytest.raises(PocketiqaError, match="gives no map"):
        Scorer(score_only_bundle)(photo).explain()
    with pytest.raises(PocketiqaError, match="it is empty"):
        Result(None, None, {}, None, "none", "it is empty").explain()
