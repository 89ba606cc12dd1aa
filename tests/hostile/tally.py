"""What became of each bad input, counted, and the table that is printed of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

# Every input ends in one of these; anything else is a failure of ours.
OUTCOMES = ("harmless", "refused", "crash reported")


@dataclass
class Tally:
    """Counts by interface and input, and a line for every failure."""

    rows: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    largest_mib: float = 0.0
    slowest: float = 0.0

    def add(self, interface: str, given: str, outcome: str, count: int = 1) -> None:
        """One input, or ``count``, that ended as it may: with one of ``OUTCOMES``."""
        self.rows.setdefault((interface, given), Counter())[outcome] += count

    def fail(self, interface: str, given: str, why: str) -> None:
        """One input that did what none may."""
        self.add(interface, given, "FAILED")
        self.failures.append(f"{interface}, {given}: {why}")

    def cost(self, mib: float, seconds: float) -> None:
        """Keep the largest growth of memory and the longest time of a child."""
        self.largest_mib, self.slowest = max(self.largest_mib, mib), max(self.slowest, seconds)

    @property
    def total(self) -> int:
        """Of inputs."""
        return sum(sum(row.values()) for row in self.rows.values())

    def __str__(self) -> str:
        head = ["interface", "bad input", "n", *OUTCOMES, "FAILED"]
        lines = [head, ["---", "---", *["---:"] * (len(head) - 2)]]
        for (interface, given), counts in self.rows.items():
            cells = [sum(counts.values()), *(counts[outcome] for outcome in (*OUTCOMES, "FAILED"))]
            lines.append([interface, given, *map(str, cells)])
        sums = [self.total] + [sum(row[o] for row in self.rows.values()) for o in (*OUTCOMES, "FAILED")]
        lines.append(["all", "", *map(str, sums)])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
