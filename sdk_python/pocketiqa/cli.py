"""The command ``pocketiqa``: score photos; inspect, verify, pack and unpack bundles.

Exit status: 0 all well; 1 a photo could not be scored, or a check failed; 2 a mistake in how it was called.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from pocketiqa import __version__
from pocketiqa.archive import is_archive
from pocketiqa.bundle import Bundle
from pocketiqa.check_input import check_input, read_tensor
from pocketiqa.errors import BundleError, PocketiqaError
from pocketiqa.exit_status import run_command
from pocketiqa.files import atomic_file
from pocketiqa.guard import guarded
from pocketiqa.inspection import as_text, inspect_bundle, inspect_program
from pocketiqa.outputs import FORMATS, row_writer
from pocketiqa.packing import pack, unpack
from pocketiqa.photo_list import find_photos
from pocketiqa.quiet import quiet_runtimes
from pocketiqa.scorer import Scorer
from pocketiqa.verification import verify_bundle


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status.

    Without ``arguments`` the process's own are taken, and the command runs guarded: a crash of native code is
    then one line and status 1 (`pocketiqa.guard`).
    """
    options = _parser().parse_args(arguments)
    return _run(options) if arguments is not None else guarded(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    def run() -> int:
        with quiet_runtimes() as stderr:
            try:
                return options.run(options, stderr)
            except RecursionError:
                raise BundleError("the bundle's manifest is nested too deep to be real") from None

    return run_command("pocketiqa", run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pocketiqa", description="Photo quality with pocketiqa bundles.")
    parser.add_argument("--version", action="version", version=f"pocketiqa {__version__}")
    commands = parser.add_subparsers(required=True, metavar="score|inspect|verify|check-input|pack|unpack")

    score = commands.add_parser("score", help="score photos")
    score.add_argument("paths", nargs="+", metavar="PATH", help="a photo, or a folder of photos")
    score.add_argument(
        "--bundle",
        metavar="BUNDLE",
        help="the bundle to score with, a folder or .pocketiqa file (default: the one shipped)",
    )
    score.add_argument("--variant", choices=("int8", "fp32"), default="int8")
    score.add_argument("--format", choices=FORMATS, default="table")
    score.add_argument("-o", dest="output", metavar="FILE", type=Path, help="default: standard output")
    score.add_argument("--recursive", action="store_true", help="descend into folders")
    score.set_defaults(run=_score)

    inspect = commands.add_parser("inspect", help="say what a bundle or a .pte file is")
    inspect.add_argument("target", metavar="BUNDLE|FILE.pte", type=Path)
    inspect.add_argument("--json", action="store_true")
    inspect.set_defaults(run=_inspect)

    verify = commands.add_parser("verify", help="check a bundle's hashes, golden scores and int8 against fp32")
    verify.add_argument("bundle", metavar="BUNDLE", type=Path)
    verify.add_argument("--images", metavar="DIR", help="compare int8 with fp32 on these photos")
    verify.add_argument("--json", action="store_true")
    verify.add_argument("--diagnose", action="store_true", help="say how to find the layer that broke")
    verify.set_defaults(run=_verify)

    check = commands.add_parser("check-input", help="is an app's input tensor right? if not, what is wrong with it?")
    check.add_argument("bundle", metavar="BUNDLE", type=Path)
    check.add_argument("tensor", metavar="TENSOR", type=Path, help=".npy, or raw little-endian float32 values")
    check.add_argument("--photo", metavar="FILE", type=Path, help="what it was made of (default: the bundle's photos)")
    check.set_defaults(run=_check_input)

    pack = commands.add_parser("pack", help="write a bundle's folder as one .pocketiqa file")
    pack.add_argument("bundle", metavar="BUNDLE", type=Path)
    pack.add_argument("file", metavar="FILE.pocketiqa", type=Path)
    pack.set_defaults(run=_pack)

    unpack = commands.add_parser("unpack", help="write a .pocketiqa file as a bundle's folder")
    unpack.add_argument("file", metavar="FILE.pocketiqa", type=Path)
    unpack.add_argument("folder", metavar="DIR", type=Path)
    unpack.set_defaults(run=_unpack)
    return parser


def _score(options: argparse.Namespace, stderr: IO[str]) -> int:
    photos, skipped = find_photos(options.paths, options.recursive)
    if skipped:
        print(f"pocketiqa: skipped {skipped} files that are no photos by their names", file=stderr)
    if not photos:
        raise PocketiqaError("no photos there; name photos, or folders that hold some (--recursive descends)")
    if options.output is not None:
        _check_output(options.output, photos)
    scorer = Scorer(options.bundle, options.variant)
    failed = 0
    with _output(options.output) as file:
        write = row_writer(file, options.format, scorer.attribute_names, max(map(len, photos)))
        for result in tqdm(scorer.batch(photos), total=len(photos), **_bar(stderr)):
            write(result)
            failed += result.error is not None
        used = f"{scorer.bundle.label} {scorer.variant}, {scorer.runtime_name}"
        if options.format == "table":
            print(f"scored with {used}", file=file)
    if options.output is not None and options.format == "csv":
        _write_provenance(options.output, scorer, len(photos), failed)
    print(f"pocketiqa: scored {len(photos) - failed} of {len(photos)} photos ({used})", file=stderr)
    return 1 if failed else 0


def _inspect(options: argparse.Namespace, _: IO[str]) -> int:
    is_bundle = os.path.isdir(options.target) or is_archive(options.target)
    found = inspect_bundle(options.target) if is_bundle else inspect_program(options.target)
    print(json.dumps(found, indent=2) if options.json else as_text(found))
    return 1 if found["problems"] else 0


def _verify(options: argparse.Namespace, stderr: IO[str]) -> int:
    images = None
    if options.images is not None:
        if not os.path.isdir(options.images):
            raise PocketiqaError(f"--images {options.images} is no folder")
        found, _ = find_photos([options.images], recursive=True)
        if not found:
            raise PocketiqaError(f"--images {options.images} holds no photos")
        images = [Path(photo) for photo in found]
    verification = verify_bundle(options.bundle, images, progress=functools.partial(tqdm, **_bar(stderr)))
    print(json.dumps(verification.to_dict(), indent=2) if options.json else verification)
    if options.diagnose:
        # Layers are compared with the torch graph, which the SDK does without.
        print(f"layer by layer, in a checkout: python -m mobile_export diagnose --bundle {options.bundle}", file=stderr)
    return 1 if verification.broken else 0


def _check_input(options: argparse.Namespace, _: IO[str]) -> int:
    bundle = Bundle.open(options.bundle)
    check = check_input(bundle, read_tensor(options.tensor, bundle.manifest.input), options.photo)
    print(check)
    return 1 if check.mistakes else 0


def _pack(options: argparse.Namespace, stderr: IO[str]) -> int:
    print(f"pocketiqa: {pack(options.bundle, options.file)} written", file=stderr)
    return 0


def _unpack(options: argparse.Namespace, stderr: IO[str]) -> int:
    print(f"pocketiqa: {unpack(options.file, options.folder)} written", file=stderr)
    return 0


def _bar(stderr: IO[str]) -> dict[str, Any]:
    """How tqdm draws: on standard error, where that is a terminal."""
    return {"unit": "photo", "disable": None, "file": stderr}


def _check_output(output: Path, photos: list[str]) -> None:
    # A device or FIFO would be replaced by the file: `-o /dev/null` is no way to throw results away.
    if os.path.lexists(output) and not os.path.isfile(output):
        raise PocketiqaError(f"-o {output} is a folder, or no regular file; name a file")
    if not os.path.isdir(output.absolute().parent):
        raise PocketiqaError(f"-o {output} names no place: give a file in a folder that exists")
    if os.path.exists(output) and any(os.path.exists(photo) and output.samefile(photo) for photo in photos):
        raise PocketiqaError(f"-o {output} is one of the photos; name another file")


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    try:
        with atomic_file(path, newline="") as file:
            yield file
    except OSError as error:
        raise PocketiqaError(f"-o {path} cannot be written: {error.strerror}") from None


def _write_provenance(output: Path, scorer: Scorer, photos: int, failed: int) -> None:
    """CSV has no place beside its columns for what made it, so a neighbour ``FILE.run.json`` holds that."""
    made_by = {
        "pocketiqa": __version__,
        "bundle": scorer.bundle.label,
        "variant": scorer.variant,
        "runtime": scorer.runtime_name,
        "photos": photos,
        "failed": failed,
    }
    with _output(output.with_name(f"{output.name}.run.json")) as file:
        file.write(json.dumps(made_by, indent=2) + "\n")
