"""``report.html``: what was verified, in one page that needs no other file. Figures by matplotlib, text by jinja2."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image
from pocketiqa.parity import compare
from pocketiqa.runtime import load_program

from distill.networks.student import ATTRIBUTES
from mobile_export.bundle.writer import BundleWriter
from mobile_export.verify.ladder import Ladder, verdict

_REFERENCE, _CANDIDATE = "fp32 .pte", "int8 .pte"
_TREATMENTS = ("clean", "blurred", "noisy", "compressed")
_MAPPED = ("coffee-blurred.jpg", "flower-compressed.jpg", "rocket-noisy.jpg")
_WORST = 6
_THUMBNAIL = (220, 220)


@dataclass(frozen=True)
class ReportData:
    """What the page is drawn from: the bundle as it stands, the ladder with its outputs, and the golden photos."""

    bundle: BundleWriter
    ladder: Ladder
    photos: list[Path]


def draw_report(data: ReportData) -> str:
    """The page as HTML. The bundle has the variants fp32 and int8, and the ladder their outputs."""
    names = [path.name for path in data.photos]
    before, after = (data.ladder.outputs[step] for step in (_REFERENCE, _CANDIDATE))
    report = compare(before[:, 0], after[:, 0], names, worst=_WORST)
    by_name = {path.name: path for path in data.photos}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    environment.filters["short"] = lambda value: "—" if value is None else f"{value:.1e}"
    return environment.get_template("report.html.jinja").render(
        name=data.bundle.name,
        version=data.bundle.version,
        rungs=data.ladder.rungs,
        verdict=verdict,
        parity=report,
        attributes={name: float(np.abs(after - before)[:, i + 1].mean()) for i, name in enumerate(ATTRIBUTES)},
        worst=[(_picture(by_name[name]), name, x, y) for name, x, y in report.worst],
        scatter=_svg(_scatter(before[:, 0], after[:, 0], names)),
        bland_altman=_svg(_bland_altman(before[:, 0], after[:, 0], names)),
        maps=_maps(data),
        artifacts=_artifacts(data.bundle),
        notes=data.bundle.notes,
    )


def _scatter(before: np.ndarray, after: np.ndarray, names: Sequence[str]) -> Figure:
    figure, axis = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    low, high = min(before.min(), after.min()) - 0.03, max(before.max(), after.max()) + 0.03
    axis.plot([low, high], [low, high], color="0.6", linewidth=1)
    _by_treatment(axis, before, after, names)
    axis.set(xlabel="fp32 score", ylabel="int8 score", xlim=(low, high), ylim=(low, high), aspect="equal")
    axis.legend(frameon=False, fontsize=9)
    return figure


def _bland_altman(before: np.ndarray, after: np.ndarray, names: Sequence[str]) -> Figure:
    figure, axis = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    difference = after - before
    middle, spread = difference.mean(), 1.96 * difference.std(ddof=1)
    for level, style in ((middle, "-"), (middle - spread, "--"), (middle + spread, "--")):
        axis.axhline(level, color="0.5", linestyle=style, linewidth=1)
        axis.annotate(f"{level:+.4f}", (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                      fontsize=9)  # fmt: skip
    axis.axhline(0, color="0.85", linewidth=1, zorder=0)
    _by_treatment(axis, (before + after) / 2, difference, names)
    axis.set(xlabel="mean of the two scores", ylabel="int8 − fp32")
    axis.margins(x=0.12)
    return figure


def _by_treatment(axis: plt.Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    for treatment, marker in zip(_TREATMENTS, "o^sD"):
        chosen = [treatment in name for name in names]
        axis.scatter(x[chosen], y[chosen], s=26, marker=marker, label=treatment)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _maps(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Name, photo, the int8 map over it, and the range of its values."""
    program = load_program(data.bundle.root / data.bundle.variants["int8"].path, prefer="executorch")
    rows = {path.name: row for row, path in enumerate(data.photos)}
    found = []
    for name in _MAPPED:
        row = rows[name]
        quality_map = program.run(data.ladder.photos[row])[1][0]
        with Image.open(data.photos[row]) as photo:
            figure, axis = plt.subplots(figsize=(3.2, 3.2 * photo.height / photo.width))
            axis.imshow(photo)
            extent = (0, photo.width, photo.height, 0)
            axis.imshow(quality_map, "RdYlGn", vmin=0.2, vmax=0.8, alpha=0.55, extent=extent, interpolation="bilinear")
        axis.set_axis_off()
        axis.set_position((0, 0, 1, 1))
        spread = f"{quality_map.min():.2f} to {quality_map.max():.2f}"
        found.append((name, _picture(data.photos[row]), _raster(figure), spread))
    return found


def _artifacts(bundle: BundleWriter) -> list[dict[str, object]]:
    rows = []
    for variant, (size, _) in bundle.sizes.items():
        artifact = bundle.variants[variant]
        entry = bundle.files.get(artifact.path)
        delegation = entry.delegation if entry else None
        rows.append({"variant": variant, "path": artifact.path, "megabytes": size / 1e6, "delegation": delegation})
    return rows


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    # Without a date and with fixed ids two builds draw the same bytes.
    with plt.rc_context({"svg.hashsalt": "pocketiqa"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return _data_url(buffer.getvalue(), "svg+xml")


def _raster(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpg", dpi=100)
    plt.close(figure)
    return _data_url(buffer.getvalue(), "jpeg")


def _picture(path: Path) -> str:
    buffer = io.BytesIO()
    with Image.open(path) as photo:
        small = photo.convert("RGB")
        small.thumbnail(_THUMBNAIL)
        small.save(buffer, "JPEG", quality=85)
    return _data_url(buffer.getvalue(), "jpeg")


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
