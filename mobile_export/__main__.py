"""``python -m mobile_export``: export the student for phones, and verify every artifact on the golden photos."""

from __future__ import annotations

import logging
import sys
import warnings

import tyro


def main() -> int:
    _quiet()
    from mobile_export.build import BuildConfig, build
    from mobile_export.executorch import DelegationError
    from mobile_export.ladder import table

    config = tyro.cli(BuildConfig, prog="python -m mobile_export", description=__doc__)
    try:
        result = build(config)
    except (FileNotFoundError, ValueError) as error:
        print(f"mobile_export: {error}", file=sys.stderr)
        return 2
    except DelegationError as error:
        print(f"mobile_export: {error}", file=sys.stderr)
        return 1
    print(f"\n{table(result.rungs)}\n")
    for name, size, subgraphs in result.artifacts:
        delegated = "" if subgraphs is None else f"  {subgraphs} delegated subgraph" + "s" * (subgraphs != 1)
        print(f"{name:<14}{size / 1e6:6.2f} MB{delegated}")
    for note in result.notes:
        print(f"note: {note}")
    if broken := next((rung for rung in result.rungs if not rung.holds), None):
        print(f"\nbroken: {broken.reference} ↔ {broken.candidate} ({broken.bound})", file=sys.stderr)
        return 1
    print(f"\nevery rung holds; the bundle is {config.out}")
    return 0


def _quiet() -> None:
    """The libraries' remarks on their own versions and platforms hide the table that matters."""
    warnings.simplefilter("ignore")
    for name in ("torch", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
