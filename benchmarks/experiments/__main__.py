"""Print the peers' tables of ``RESULTS.md`` and draw ``peers.svg`` anew, both from ``results/peers.csv``.

    python -m benchmarks.experiments
"""

from __future__ import annotations

import sys
from pathlib import Path

from pocketiqa.exit_status import run_command

from benchmarks.peers.record import read_csv
from benchmarks.peers.table import plot, tables

FOLDER = Path(__file__).parent


def main() -> None:
    """Write the picture, print the tables."""
    figures = read_csv(FOLDER / "results" / "peers.csv")
    plot(figures, FOLDER / "peers.svg")
    print(tables(figures))


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.experiments", main))
