"""All interfaces in turn, each with its share of inputs."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile import arguments, arrays, bundles, devices, kinds, photos, tables
from tests.hostile.place import Place
from tests.hostile.tally import Tally

COUNTS = {"photos": 2000, "kinds": 910, "arrays": 600, "tables": 350}
COUNTS |= {"manifests": 800, "tampered": 500, "programs": 900, "archives": 300}
CHANGING = 60


def try_everything(
    place: Place, tally: Tally, share: float = 1.0, say: Callable[[str], object] = lambda _: None
) -> list[tuple[str, bytes]]:
    """Try ``share`` of ``COUNTS`` and every input that comes from no generator. Returns the programs at which a
    runtime died, with what the command said."""
    counts = {name: max(1, round(n * share)) for name, n in COUNTS.items()}
    say("photos")
    photos.try_damaged(place, tally, counts["photos"])
    kinds.try_kinds(place, tally, counts["kinds"])
    photos.try_changing(place, tally, max(2, round(CHANGING * share)))
    photos.try_odd_files(place, tally)
    say("arrays and images")
    arrays.try_arrays(place, tally, counts["arrays"])
    say("tables of scores")
    tables.try_tables(place, tally, counts["tables"])
    say("the command's arguments")
    arguments.try_arguments(place, tally)
    say("devices")
    devices.try_devices(place, tally)
    say("manifests")
    bundles.try_manifests(place, tally, counts["manifests"])
    say("tampered files")
    bundles.try_tampered(place, tally, counts["tampered"])
    say("packed bundles")
    bundles.try_archives(place, tally, counts["archives"])
    say("programs of a hostile author")
    return bundles.try_programs(place, tally, counts["programs"])
