"""``report.html``: what was verified, in one page that needs no other file. Figures by matplotlib, text by jinja2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from pocketiqa.parity import compare
from pocketiqa.runtime import load_program

from mobile_export.artifacts import ARTIFACTS, FP32, XNNPACK_INT8
from mobile_export.bundle import figures
from mobile_export.bundle.phones import phones
from mobile_export.bundle.writer import BundleWriter
from mobile_export.sources import VERSION
from mobile_export.verify.ladder import ParityLadder

_MAPPED = ("coffee-blurred.jpg", "flower-compressed.jpg", "rocket-noisy.jpg")
_WORST = 6


def draw_report(bundle: BundleWriter, ladder: ParityLadder, photos: Sequence[Path]) -> str:
    """The page as HTML.

    Args:
        bundle: as it stands, with the variants fp32 and int8.
        ladder: has their outputs for ``photos``.
        photos: the golden photos.
    """
    names = [path.name for path in photos]
    before, after = (ladder.outputs[artifact.step] for artifact in (FP32, XNNPACK_INT8))
    report = compare(before[:, 0], after[:, 0], names, worst=_WORST)
    by_name = {path.name: path for path in photos}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    environment.filters["short"] = lambda value: "—" if value is None else f"{value:.1e}"
    gaps = np.abs(after - before).mean(0)[1:]
    return environment.get_template("report.html.jinja").render(
        network=bundle.network,
        version=VERSION,
        promise=str(bundle.sources.promise),
        checks=ladder.checks,
        parity=report,
        attributes=dict(zip(bundle.network.attributes, map(float, gaps))),
        worst=[(figures.thumbnail(by_name[name]), name, x, y) for name, x, y in report.worst],
        scatter=figures.scatter(before[:, 0], after[:, 0], names),
        bland_altman=figures.bland_altman(before[:, 0], after[:, 0], names),
        maps=_maps(bundle, ladder, photos) if bundle.network.map_shape else [],
        artifacts=_artifacts(bundle),
        phones=phones(bundle.variants, ladder.checks),
        notes=bundle.notes,
    )


def _maps(
    bundle: BundleWriter, ladder: ParityLadder, photos: Sequence[Path]
) -> list[tuple[str, str, str, str]]:
    """Name, photo, the int8 map over it, and the range of its values."""
    program = load_program((bundle.root / XNNPACK_INT8.path).read_bytes(), prefer="executorch")
    found = []
    for row, path in enumerate(photos):
        if path.name not in _MAPPED:
            continue
        quality_map = program.run(ladder.photos[row])[1][0]
        with Image.open(path) as photo:
            mapped = figures.mapped(photo, quality_map)
        spread = f"{quality_map.min():.2f} to {quality_map.max():.2f}"
        found.append((path.name, figures.thumbnail(path), mapped, spread))
    return found


def _artifacts(bundle: BundleWriter) -> list[dict[str, object]]:
    """Of every artifact that was built, its file, size and delegation."""
    rows = []
    for name, artifact in ARTIFACTS.items():
        entries = [entry for path, entry in bundle.files.items() if path.startswith(artifact.path)]
        if entries:
            size = sum(entry.bytes for entry in entries)
            delegation = entries[0].delegation if len(entries) == 1 else None
            rows.append({"name": name, "path": artifact.path, "megabytes": size / 1e6, "delegation": delegation})
    return rows
