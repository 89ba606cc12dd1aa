"""``python -m benchmarks latency``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pocketiqa.bundle import Bundle
from pocketiqa.files import atomic_file

from benchmarks.devices import open_device
from benchmarks.engines.choose import make_engine
from benchmarks.latency import VARIANTS, Options, check_variants, measure
from benchmarks.report import markdown as as_markdown
from benchmarks.report import report


def latency(
    bundle: Path | None = None,
    device: str = "local",
    variant: str | None = None,
    threads: str = "1",
    runs: int = 100,
    seconds: float = 10.0,
    max_seconds: float | None = None,
    warmups: int = 5,
    cold_starts: int = 3,
    soak: str | None = None,
    json: Path | None = None,
    html: Path | None = None,
    markdown: bool = False,
    engine: Literal["auto", "sdk", "executor-runner"] = "auto",
    python: str | None = None,
    runner: str | None = None,
    runtime: Literal["executorch-numpy-runtime", "executorch"] | None = None,
    ssh_config: Path | None = None,
) -> int:
    """Measure a bundle on a device, after checking that it scores right there.

    Args:
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        device: local, ssh://user@host:port or adb://SERIAL.
        variant: Variants to measure in turns, separated by commas, ratios against the first; by default int8
            and fp32 as far as the bundle has them. VARIANT@RUNTIME names what runs it: onnx_int8@openvino,
            onnx_int8@onnxruntime, litert_int8@ai-edge-litert.
        threads: Thread counts, separated by commas; each is a measurement of its own.
        runs: Stop after at least this many rounds (MLPerf Mobile: 1024) ...
        seconds: ... and at least this many seconds (MLPerf Mobile: 60) ...
        max_seconds: ... but never after more than these; 120 by default, or --seconds where that is longer.
        warmups: Rounds that are run first and dropped.
        cold_starts: Fresh processes for load time, first inference and memory; at least 3.
        soak: Measure this long instead, for example 30m, and print each minute's median.
        json: Write perf.json here.
        html: Write a report with plots here.
        markdown: Print a Markdown table with its date, machine, commit and command instead of the text.
        engine: What runs there; auto takes the SDK where a Python has its needs, else executor_runner.
        python: The device's Python, for the SDK.
        runner: executor_runner, a file here to push or a path on the device.
        runtime: The SDK's runtime on the device for variants that name none; by default its own choice.
        ssh_config: A file for ssh -F.
    """
    opened = Bundle.open(bundle)
    options = Options(
        variants=_listed(variant, "--variant") if variant else [v for v in VARIANTS if opened.has(v)],
        threads=[_thread_count(part) for part in _listed(threads, "--threads")],
        runs=runs,
        seconds=seconds,
        max_seconds=max(120.0, seconds) if max_seconds is None else max_seconds,
        warmups=warmups,
        cold_starts=cold_starts,
    ).soaking(soak)
    check_variants(opened, options.variants)
    with open_device(device, ssh_config) as target:
        chosen = make_engine(engine, target, python, runner, runtime)
        record = measure(opened, target, chosen, options, say=_say)
    print(as_markdown(record) if markdown else report(record, soak=soak is not None))
    if json:
        record.write(json)
        _say(f"written: {json}")
    if html:
        from benchmarks.html import page  # matplotlib takes a second

        html.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(html) as file:
            file.write(page(record, soak=soak is not None))
        _say(f"written: {html}")
    return 1 if record.incomplete else 0


def _listed(text: str, flag: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or len(set(parts)) != len(parts):
        raise ValueError(f"{flag} {text!r}: give different values separated by commas")
    return parts


def _thread_count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise ValueError(f"--threads {text!r}: a number of threads is 1 to 256")
    return int(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
