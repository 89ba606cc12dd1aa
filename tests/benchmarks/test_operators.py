"""Where a program's time goes, by kind of operator."""

from pathlib import Path

import numpy as np
from pocketiqa.bundle import Bundle

from benchmarks.operators import operator_kinds, summed, table


def test_operators_of_one_kind_are_summed_and_the_slowest_comes_first() -> None:
    found = summed([("Add (ND) #1", 1.0), ("Convolution #1", 2.0), ("Add (ND) #12", 3.0)])
    assert [(kind.name, kind.count, kind.ms) for kind in found] == [("Add (ND)", 2, 4.0), ("Convolution", 1, 2.0)]
    assert "67%" in table(found)


def test_an_int8_program_shows_its_int8_convolutions(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    x = np.random.default_rng(0).random(bundle.manifest.input.shape, dtype=np.float32)
    found = operator_kinds(bundle.read_variant("int8"), x, runs=3)
    assert any("Convolution" in kind.name and "QC8" in kind.name for kind in found)
    assert all(kind.ms >= 0 for kind in found)
