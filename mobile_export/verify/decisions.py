"""The rung that an app cares about: how many photos does the bundle's gate decide otherwise by int8 than by float?"""

from __future__ import annotations

from collections.abc import Sequence

from pocketiqa.decision_flips import decision_flips
from pocketiqa.gate import Gate
from pocketiqa.promises import DECISION_FLIPS

from mobile_export.verify.ladder import ParityCheck, ParityLadder

DECISIONS = "decisions"


def check_decisions(ladder: ParityLadder, gate: Gate, measures: Sequence[str], reference: str, candidate: str) -> None:
    """Compare the gate's decisions on the ladder's photos by two of its steps; a step that was not run is passed over.

    Args:
        ladder: takes the check, whose ``max_abs`` is the share of the photos that are decided otherwise.
        gate: it asks for none but the measures.
        measures: names of the steps' outputs.
        reference, candidate: the steps.

    Raises:
        BrokenParityCheck: more flips than `pocketiqa.promises.DECISION_FLIPS` allows.
    """
    if candidate not in ladder.outputs:
        return
    flips = decision_flips(gate, measures, ladder.outputs[reference], ladder.outputs[candidate], ladder.names)
    low, high = flips.interval
    ladder.add(
        ParityCheck(
            reference=reference,
            candidate=candidate,
            inputs=DECISIONS,
            n=flips.n,
            max_abs=flips.share,
            mean_abs=flips.share,
            srcc=None,
            bound=f"≤ {DECISION_FLIPS:.1%} differ; 95 % interval {low:.1%} to {high:.1%}",
            holds=not flips.broken(),
            worst=flips.names[0] if flips.names else "",
        )
    )
