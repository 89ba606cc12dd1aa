"""``python -m mobile_export``: export the student for phones, and verify every artifact on the golden photos.

``python -m mobile_export diagnose`` finds the layer where an artifact leaves its graph; ``python -m mobile_export
agreement --images DIR`` measures every artifact against its graph on your own photos. Exit status: 0 all well; 1 a rung
is broken; 2 a mistake in how it was called.
"""

from __future__ import annotations

import logging
import sys
import warnings

import tyro


def main() -> int:
    _quiet()
    from pocketiqa.errors import PocketiqaError

    from mobile_export.verify.mil_reference import MilError

    commands = {"diagnose": _diagnose, "agreement": _agreement}
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    run = commands.get(named)
    try:
        return run(sys.argv[2:]) if run else _export(sys.argv[1:])
    except (FileNotFoundError, ValueError, PocketiqaError, MilError) as error:
        print(f"mobile_export: {error}", file=sys.stderr)
        return 2


def _export(arguments: list[str]) -> int:
    from pocketiqa.errors import PocketiqaError

    from mobile_export.build import BuildConfig, broken_folder, build
    from mobile_export.lower.executorch import DelegationError
    from mobile_export.verify.ladder import BrokenRung, table
    from mobile_export.verify.mil_reference import MilError

    config = tyro.cli(BuildConfig, prog="python -m mobile_export", description=__doc__, args=arguments)
    try:
        result = build(config)
    except BrokenRung as broken:
        print(f"\n{table(broken.rungs)}\n\n{broken}", file=sys.stderr)
        kept = broken_folder(config.out)
        print(f"what was built is in {kept}; find the layer: python -m mobile_export diagnose --bundle {kept}",
              file=sys.stderr)  # fmt: skip
        return 1
    except (DelegationError, MilError, PocketiqaError) as error:
        print(f"mobile_export: {error}", file=sys.stderr)
        return 1
    print(f"\n{table(result.rungs)}\n")
    for name, size, subgraphs in result.artifacts:
        delegated = "" if subgraphs is None else f"  {subgraphs} delegated subgraph" + "s" * (subgraphs != 1)
        print(f"{name:<18}{size / 1e6:6.2f} MB{delegated}")
    for note in result.notes:
        print(f"note: {note}")
    print(f"\nevery rung holds; the bundle is {config.out}")
    return 0


def _diagnose(arguments: list[str]) -> int:
    from mobile_export.verify.diagnose import DiagnoseConfig, diagnose

    config = tyro.cli(DiagnoseConfig, prog="python -m mobile_export diagnose", args=arguments)
    found = diagnose(config)
    print("\n\n".join(map(str, found)))
    return 1 if any(one.first for one in found) else 0


def _agreement(arguments: list[str]) -> int:
    from mobile_export.verify.agreement import AgreementConfig, agreement_table

    config = tyro.cli(AgreementConfig, prog="python -m mobile_export agreement", args=arguments)
    print(agreement_table(config))
    return 0


def _quiet() -> None:
    """The libraries' remarks on their own versions and platforms hide the table that matters."""
    warnings.simplefilter("ignore")
    for name in ("torch", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
