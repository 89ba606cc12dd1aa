"""``python -m quantize.experiments robustness``: where int8 drifts from the float network, as one HTML page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from PIL import Image
from pocketiqa.files import atomic_file
from pocketiqa.preprocess import PreprocessSpec, open_photo, preprocess

from distill.networks.registry import DEFAULT_NETWORK
from quantize.calibration import Inputs
from quantize.figures import Figures, markdown_table, measure
from quantize.prepare import convert
from quantize.program import lower
from quantize.state import SHIPPED, load_prepared
from quantize.subject import PhotosConfig, load_subject

_WORST = 20
_EXTREMES = 40
Rows = list[tuple[str, Figures]]
_PAGE = jinja2.Environment(autoescape=True).from_string(
    """<!doctype html><meta charset="utf-8"><title>int8 against float</title>
<style>body{font:15px system-ui;max-width:60em;margin:2em auto}td,th{padding:.2em .8em;text-align:right}
td:first-child,th:first-child{text-align:left}figure{display:inline-block;margin:.4em;width:13em}
img{width:100%}figcaption{font-size:12px}</style>
<h1>Where int8 drifts from the float network</h1><p>Made by <code>{{ command }}</code>. Δ is int8 − float score.</p>
{% for title, rows in tables %}<h2>{{ title }}</h2>
<table><tr><th></th><th>n</th><th>SRCC</th><th>mean |Δ|</th><th>max |Δ|</th><th>bias</th></tr>
{% for name, f in rows %}<tr><td>{{ name }}</td><td>{{ f.n }}</td><td>{{ "%.4f" % f.srcc }}</td>
<td>{{ "%.4f" % f.mean_abs }}</td><td>{{ "%.4f" % f.max_abs }}</td><td>{{ "%+.4f" % f.bias }}</td></tr>
{% endfor %}</table>{% endfor %}
<h2>The worst {{ worst|length }}</h2>
{% for w in worst %}<figure><img src="data:image/jpeg;base64,{{ w.image }}">
<figcaption>{{ w.name }}<br>float {{ "%.3f" % w.reference }}, int8 {{ "%.3f" % w.candidate }}</figcaption></figure>
{% endfor %}
"""
)


@dataclass(frozen=True)
class RobustnessConfig(PhotosConfig):
    """On which photos an int8 network is looked at; only the validation part is used.

    Attributes:
        int8: its state, from ``python -m quantize``.
        out: the page.
    """

    int8: Path = SHIPPED[DEFAULT_NETWORK]
    out: Path = Path("runs/robustness.html")


def measure_robustness(config: RobustnessConfig) -> str:
    """Write the page; the tables also come back as Markdown.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        ContractError: no such network.
        FileNotFoundError: no int8 state.
    """
    subject = load_subject(config)
    int8 = lower(convert(load_prepared(subject.network, config.int8, subject.weights_sha256)))
    copies, inputs = subject.copies, subject.validation
    names = [f"{c.photo.name} {c.kind} {c.level}" if c.level else c.photo.name for c in copies]
    extremes = extreme_photos(subject.split.validation[:_EXTREMES], subject.network.input)
    reference = np.concatenate([subject.reference, subject.program.quality(extremes.inputs, "extremes: float")[:, 0]])
    candidate = np.concatenate([int8.quality(batch, "int8")[:, 0] for batch in (inputs, extremes.inputs)])
    n = len(copies)
    brightness = np.array([views[0].mean().item() for views in inputs])
    tables = [
        ("By quality that the float network sees", by_quantile(reference[:n], reference[:n], candidate[:n], 10)),
        ("By brightness", by_quantile(brightness, reference[:n], candidate[:n], 5)),
        ("By degradation", by_label([copy.kind for copy in copies], reference[:n], candidate[:n])),
        ("Extremes", by_label(extremes.labels, reference[n:], candidate[n:])),
    ]
    order = np.argsort(-np.abs(candidate - reference))[:_WORST]
    both = [inputs[row] if row < n else extremes.inputs[row - n] for row in order]
    worst = [
        {
            "name": (names + extremes.labels)[row],
            "reference": reference[row],
            "candidate": candidate[row],
            "image": _jpeg(views[0].permute(1, 2, 0).numpy()),
        }
        for row, views in zip(order, both)
    ]
    page = _PAGE.render(tables=tables, worst=worst, command="python -m quantize.experiments robustness")
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(config.out) as file:
        file.write(page)
    return markdown(tables)


@dataclass(frozen=True)
class Extremes:
    """Inputs unlike any photo of a training set, and what each is."""

    inputs: Inputs
    labels: list[str]


def extreme_photos(photos: list[Path], spec: PreprocessSpec) -> Extremes:
    """Flat greys, and each photo nearly black, nearly white and cut to a strip of 8:1."""
    made = [("flat", np.full((512, 512, 3), grey, dtype=np.uint8)) for grey in range(0, 256, 15)]
    for path in photos:
        pixels = np.asarray(open_photo(path))
        made.append(("very dark", (pixels * 0.08).astype(np.uint8)))
        made.append(("very bright", (255 - (255 - pixels.astype(float)) * 0.08).astype(np.uint8)))
        made.append(("strip of 8:1", np.ascontiguousarray(pixels[: max(1, pixels.shape[1] // 8)])))
    stacked = [np.rint(preprocess(pixels, spec) * 255).astype(np.uint8) for _, pixels in made]
    return Extremes(Inputs(np.stack(stacked)), [label for label, _ in made])


def markdown(tables: list[tuple[str, Rows]]) -> str:
    """The page's tables."""
    titles = ["", "n", "SRCC", "mean \\|Δ\\|", "max \\|Δ\\|", "bias"]
    parts = []
    for title, rows in tables:
        cells = [
            [name, str(f.n), f"{f.srcc:.4f}", f"{f.mean_abs:.4f}", f"{f.max_abs:.4f}", f"{f.bias:+.4f}"]
            for name, f in rows
        ]
        parts.append(f"### {title}\n\n{markdown_table(titles, cells)}\n")
    return "\n".join(parts)


def by_quantile(key: np.ndarray, reference: np.ndarray, candidate: np.ndarray, parts: int) -> Rows:
    """``parts`` rows of equally many photos by rising ``key``, each named by its range."""
    rows = np.array_split(np.argsort(key, kind="stable"), parts)
    return [
        (f"{key[part[0]]:.2f} to {key[part[-1]]:.2f}", measure(reference[part], candidate[part])) for part in rows
    ]


def by_label(labels: list[str], reference: np.ndarray, candidate: np.ndarray) -> Rows:
    """A row a label."""
    kinds = np.array(labels)
    return [(kind, measure(reference[kinds == kind], candidate[kinds == kind])) for kind in sorted(set(labels))]


def _jpeg(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(stream, "JPEG", quality=80)
    return base64.b64encode(stream.getvalue()).decode()
