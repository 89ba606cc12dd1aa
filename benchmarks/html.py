"""A latency record as one self-contained HTML page: the text report, and each run's samples over time."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from jinja2 import Environment
from matplotlib.figure import Figure

from benchmarks.record import PerfRecord, Run
from benchmarks.report import report

_PAGE = Environment(autoescape=True).from_string("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{ record.bundle }} {{ record.bundle_version }} on {{ record.device.url }}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  pre { background: #f4f4f2; padding: 1rem; overflow-x: auto; font-size: 14px; }
  svg { max-width: 100%; height: auto; }
</style>
<h1>{{ record.bundle }} {{ record.bundle_version }} on {{ record.device.model or record.device.url }}</h1>
<p>Measured {{ record.created }} with <code>{{ record.command | join(" ") }}</code>.</p>
<pre>{{ text }}</pre>
{% for run, plot in plots %}
<h2>{{ run.variant }}, {{ run.threads }} thread(s)</h2>
{{ plot | safe }}
{% endfor %}
</html>
""")


def page(record: PerfRecord, soak: bool = False) -> str:
    """The page; it loads nothing from anywhere."""
    plots = [(run, _plot(run)) for run in record.runs if run.samples_ms]
    return _PAGE.render(record=record, text=report(record, soak), plots=plots)


def _plot(run: Run) -> str:
    """Samples in the order of their measurement, and their distribution, as SVG."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{run.variant}-{run.threads}"}):
        figure = Figure(figsize=(9, 3), layout="constrained")
        over_time, spread = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
        over_time.plot(run.at_seconds, run.samples_ms, ".", markersize=3, color="#2a6f97")
        over_time.axhline(run.summary.p50.value, color="#c1121f", linewidth=1, label="p50")
        over_time.axhline(run.summary.p90.value, color="#c1121f", linewidth=1, linestyle=":", label="p90")
        over_time.set(xlabel="seconds since the first round", ylabel="ms")
        over_time.legend(loc="upper right")
        spread.hist(run.samples_ms, bins=min(40, int(np.sqrt(len(run.samples_ms))) + 1),
                    orientation="horizontal", color="#2a6f97")  # fmt: skip
        spread.set(xlabel="rounds")
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()[svg.getvalue().index("<svg") :]
