"""``python -m benchmarks``: parses and calls; see README.md in this folder."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import tyro
from pocketiqa.bundle import Bundle
from pocketiqa.errors import PocketiqaError
from pocketiqa.preprocess import preprocess

from benchmarks import accuracy as agreement
from benchmarks import compare as comparison
from benchmarks import operators as operator_times
from benchmarks.devices import open_device
from benchmarks.devices.base import DeviceError
from benchmarks.end_to_end import measure as measure_end_to_end
from benchmarks.end_to_end import twelve_megapixels
from benchmarks.engines.choose import make_engine
from benchmarks.html import page
from benchmarks.latency import VARIANTS, Options, check, measure
from benchmarks.peers.command import peers
from benchmarks.peers.measure import PeerFailed
from benchmarks.record import PerfRecord, RecordError, write_whole
from benchmarks.report import report
from distill.data.mos_sets import MOS_SETS, MosSetError, read_scored_photos


def latency(
    bundle: Path | None = None,
    device: str = "local",
    variant: str | None = None,
    threads: str = "1",
    runs: int = 100,
    seconds: float = 10.0,
    max_seconds: float = 120.0,
    warmups: int = 5,
    cold_starts: int = 3,
    soak: str | None = None,
    json: Path | None = None,
    html: Path | None = None,
    engine: Literal["auto", "sdk", "executor-runner"] = "auto",
    python: str | None = None,
    runner: str | None = None,
    runtime: Literal["executorch-numpy-runtime", "executorch"] | None = None,
    ssh_config: Path | None = None,
) -> int:
    """Measure a bundle on a device, after checking that it scores right there.

    Args:
        bundle: The bundle's folder; without it the one inside the pocketiqa package.
        device: local, ssh://user@host:port or adb://SERIAL.
        variant: Variants to measure in turns, separated by commas, ratios against the first; by default int8
            and fp32 as far as the bundle has them.
        threads: Thread counts, separated by commas; each is a measurement of its own.
        runs: Stop after at least this many rounds (MLPerf Mobile: 1024) ...
        seconds: ... and at least this many seconds (MLPerf Mobile: 60) ...
        max_seconds: ... but never after more than these.
        warmups: Rounds that are run first and dropped.
        cold_starts: Fresh processes for load time, first inference and memory; at least 3.
        soak: Measure this long instead, for example 30m, and print each minute's median.
        json: Write perf.json here.
        html: Write a report with plots here.
        engine: What runs there; auto takes the SDK where a Python has its needs, else executor_runner.
        python: The device's Python, for the SDK.
        runner: executor_runner, a file here to push or a path on the device.
        runtime: The SDK's runtime on the device; by default its own choice.
        ssh_config: A file for ssh -F.
    """
    opened = Bundle.open(bundle)
    options = Options(
        variants=_list(variant, "--variant") if variant else [v for v in VARIANTS if opened.has(v)],
        threads=[_count(part, "--threads") for part in _list(threads, "--threads")],
        runs=runs,
        seconds=seconds,
        max_seconds=max(max_seconds, seconds),
        warmups=warmups,
        cold_starts=cold_starts,
    ).soaking(soak)
    check(opened, options.variants)
    with open_device(device, ssh_config) as target:
        chosen = make_engine(engine, target, python, runner, runtime)
        record = measure(opened, target, chosen, options, say=_say)
    record.command = ["python", "-m", "benchmarks", *sys.argv[1:]]
    print(report(record, soak=soak is not None))
    if json:
        record.write(json)
        _say(f"written: {json}")
    if html:
        write_whole(html, page(record, soak=soak is not None))
        _say(f"written: {html}")
    return 1 if record.incomplete else 0


def end_to_end(
    bundle: Path | None = None,
    variant: str = "int8",
    threads: int = 1,
    photo: Path | None = None,
    runs: int = 20,
) -> int:
    """Time decode, preprocess, inference and read-out of one photo on this machine, and Scorer.batch.

    Args:
        bundle: The bundle's folder; without it the one inside the pocketiqa package.
        variant: Which program.
        threads: Threads of the program; decoding and preprocessing take one.
        photo: A photo file; without it a 12-megapixel JPEG made from a golden photo.
        runs: How often.
    """
    if runs < 2:
        raise ValueError(f"--runs {runs}: at least 2")
    opened = Bundle.open(bundle)
    with tempfile.TemporaryDirectory() as folder:
        if photo is None:
            photo = Path(folder) / "12-megapixels.jpg"
            twelve_megapixels(opened, photo)
        print(measure_end_to_end(opened, variant, threads, photo, runs))
    return 0


def operators(bundle: Path | None = None, variant: str = "int8", runs: int = 15) -> int:
    """Show where a program's time goes on this machine, by kind of XNNPACK operator, on one thread.

    Args:
        bundle: The bundle's folder; without it the one inside the pocketiqa package.
        variant: Which program.
        runs: How often; each operator's time is the median.
    """
    if runs < 1:
        raise ValueError(f"--runs {runs}: at least 1")
    opened = Bundle.open(bundle)
    check(opened, [variant])
    x = preprocess(opened.root / next(iter(opened.golden)), opened.manifest.input)
    print(operator_times.table(operator_times.kinds(opened.artifact(variant), x, runs)))
    return 0


def accuracy(
    images: Path | None = None,
    mos: Path | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    mos_folder: Path | None = None,
    mos_set: Literal[tuple(MOS_SETS)] = "biq2021",
    split: Literal["train", "val", "test"] | None = None,
    bundle: Path | None = None,
    variant: str = "int8",
    teacher: Path | None = None,
) -> int:
    """Agreement of a bundle's scores with mean opinion scores, pooled and within each source of photos.

    Args:
        images: A folder of photos.
        mos: A CSV with the columns name and score (or mos), and perhaps source and split, for --images.
        scale: The worst and the best score there can be in it.
        mos_folder: Where a public MOS set lies, in the place of --images and --mos.
        mos_set: Its name.
        split: Of the set, test by default: for one final figure of a released model, never for choosing anything. Of
            a CSV, all rows by default.
        bundle: The bundle's folder; without it the one inside the pocketiqa package.
        variant: Which program.
        teacher: The run folder of a trained teacher, for its own figures and for the student's agreement with it.
    """
    if images is not None and mos is not None and mos_folder is None:
        photos = read_scored_photos(images, mos, split, scale)
    elif mos_folder is not None and images is None and mos is None:
        photos = MOS_SETS[mos_set](mos_folder, split or "test")
    else:
        raise MosSetError("give --images with --mos for photos of your own, or --mos-folder for a public set")
    print(agreement.table(agreement.measure_accuracy(photos, bundle, variant, teacher)))
    return 0


def consistency(images: Path, bundle: Path | None = None, variant: str = "int8") -> int:
    """Does a bundle's score fall along ladders of degradations, and stay for a mirrored and for a cropped photo?

    Args:
        images: A folder of undistorted photos.
        bundle: The bundle's folder; without it the one inside the pocketiqa package.
        variant: Which program.
    """
    # The degradations need the factory's stack, which takes seconds to import.
    from benchmarks.consistency import measure_consistency

    print(measure_consistency(images, bundle, variant))
    return 0


def compare(
    before: Annotated[Path, tyro.conf.Positional],
    after: Annotated[Path, tyro.conf.Positional],
    margin: float = comparison.MARGIN,
) -> int:
    """Say whether the second perf.json is slower than the first; exit code 1 for a regression.

    Args:
        before: A perf.json.
        after: A later perf.json.
        margin: Relative slow-down that is still none.
    """
    old, new = PerfRecord.read(before), PerfRecord.read(after)
    found = comparison.changes(old, new, margin)
    if not found:
        raise RecordError("the two files share no variant and thread count with samples; nothing to compare")
    for change in found:
        print(f"{change.variant}, {change.threads} thread(s): p50 × {change.ratio}: {change.verdict}")
    for caveat in comparison.caveats(old, new):
        print(f"note: {caveat}")
    return 1 if any(change.verdict == "regression" for change in found) else 0


def main() -> int:
    """Run one subcommand; 0 done, 1 a check failed or the measurement is incomplete, 2 misuse."""
    commands = {"latency": latency, "end-to-end": end_to_end, "accuracy": accuracy, "operators": operators}
    commands |= {"consistency": consistency, "peers": peers, "compare": compare}
    try:
        return tyro.extras.subcommand_cli_from_dict(
            commands, prog="python -m benchmarks", config=(tyro.conf.OmitArgPrefixes,)
        )
    except (DeviceError, PeerFailed) as error:
        _say(f"error: {error}")
        return 1
    except (PocketiqaError, RecordError, ValueError) as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("interrupted before anything was measured")
        return 1


def _list(text: str, flag: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or len(set(parts)) != len(parts):
        raise ValueError(f"{flag} {text!r}: give different values separated by commas")
    return parts


def _count(text: str, flag: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise ValueError(f"{flag} {text!r}: a number of threads is 1 to 256")
    return int(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
