"""Write the code for Android, iOS and macOS apps, its constants made anew from the Python sources.

    python -m mobile_export integration --out mobile_export
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mobile_export.integration import write_integration


@dataclass(frozen=True)
class Config:
    """Where the files are written.

    Attributes:
        out: a folder; the files go into its ``integration``.
    """

    out: Path = Path("runs")


def run(config: Config) -> int:
    """Write the files, and name them."""
    config.out.mkdir(parents=True, exist_ok=True)
    print("wrote", *write_integration(config.out))
    return 0
