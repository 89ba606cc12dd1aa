"""Make the constants of the code for apps anew; those of the Swift files are a bundle's.

    python -m mobile_export integration --out mobile_export
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle

from mobile_export.integration import write_integration


@dataclass(frozen=True)
class Config:
    """Whose constants, and where the files are written.

    Attributes:
        bundle: whose manifest the Swift files take; by default the one inside the SDK package.
        out: a folder; the files go into its ``integration``.
    """

    bundle: Path = DEFAULT_BUNDLE
    out: Path = Path("runs")


def run(config: Config) -> int:
    """Write the files, and name them."""
    config.out.mkdir(parents=True, exist_ok=True)
    print("wrote", *write_integration(Bundle.open(config.bundle).manifest, config.out))
    return 0
