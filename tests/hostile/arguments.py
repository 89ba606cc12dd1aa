"""Mistakes in calling the command: each is one line, or argparse's usage, and exit status 2."""

from __future__ import annotations

import itertools
import os

from tests.hostile.command import pocketiqa
from tests.hostile.place import Place
from tests.hostile.tally import Tally


def try_arguments(place: Place, tally: Tally, every: int = 1) -> None:
    """Every wrong part in every command, the other parts being right; or each ``every``-th such call."""
    nowhere, empty, file = place.root / "nowhere", place.fresh("empty"), place.root / "file.txt"
    file.write_text("words")
    fifo = place.root / "fifo"
    os.mkfifo(fifo)
    loop = place.root / "loop"
    loop.symlink_to(loop)
    no_bundles = [str(path) for path in (nowhere, empty, file, fifo, loop, place.photo, "/dev/null", "/dev/zero")]
    no_bundles += ["x" * 300, "x" * 5000, "\udcff", "\x1b[2J", "-", "a\nb", "/proc/self/mem", ""]
    no_outputs = [str(path) for path in (empty, fifo, nowhere / "a.csv", "/dev/null", place.photo)]
    no_outputs += ["x" * 300, "/proc/self/nowhere", f"{file}/a.csv"]
    good, photo = str(place.bundle), str(place.photo)
    calls = [["score", photo, "--bundle", bundle] for bundle in no_bundles]
    calls += [["score", photo, "--bundle", good, "-o", output] for output in no_outputs]
    calls += [["score", photo, "--bundle", good, "--variant", word] for word in ("fp32", "int4", "", "../int8")]
    calls += [["score", str(empty), "--bundle", good], ["score"], ["score", photo, "--format", "xml"], [], ["\x1b[2J"]]
    calls += [[command, bundle] for command, bundle in itertools.product(("inspect", "verify"), no_bundles)]
    calls += [["verify", good, "--images", images] for images in no_bundles]
    calls += [["pack", bundle, str(place.root / "out.pocketiqa")] for bundle in no_bundles]
    calls += [["pack", good, output] for output in no_outputs if output != photo]
    calls += [["unpack", bundle, str(place.root / "out")] for bundle in no_bundles]
    calls += [["unpack", good, output] for output in no_outputs if "nowhere" not in output or "proc" in output]
    calls += [[*call, "--json"] for call in calls if call[:1] in (["inspect"], ["verify"])]
    for call in calls[::every]:
        said = pocketiqa(*call)
        tally.cost(said.grown_mib, said.seconds)
        wrong = said.misbehaviour()
        if not wrong and said.status != 2:
            wrong = f"exit status {said.status}"
        if wrong:
            tally.fail("command", "mistakes in calling it", f"{' '.join(call)[:300]!r}: {wrong}")
        else:
            tally.add("command", "mistakes in calling it", "refused")
