"""Make the golden photos anew from the photographs inside scikit-image and scikit-learn.

    python -m mobile_export golden --out mobile_export/golden
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mobile_export.bundle.golden import write_golden


@dataclass(frozen=True)
class Config:
    """Where the golden photos are written.

    Attributes:
        out: a folder.
    """

    out: Path = Path("runs/golden")


def run(config: Config) -> int:
    """Make them, and say how many."""
    print(f"{len(write_golden(config.out))} photos in {config.out}")
    return 0
