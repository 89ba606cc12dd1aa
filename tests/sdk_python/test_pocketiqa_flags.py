"""Each flag of each command changes something: what is printed, what is written, or how it ends."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from pocketiqa.cli import main
from pocketiqa.commands import COMMANDS
from pocketiqa.gate import Gate, Threshold
from pocketiqa.journal import Journal
from pocketiqa.preprocess import preprocess
from pocketiqa.scorer import Scorer

FIT = ["--labels", "{labels}", "--max-false-refusal", "0.9", "--bundle", "{bundle}"]

# command and flag → the call without it, and the flag with its value
CASES = {
    ("score", "--bundle"): (["score", "{photo}"], ["--bundle", "{bundle}"]),
    ("score", "--variant"): (["score", "{photo}", "--bundle", "{bundle}"], ["--variant", "fp32"]),
    ("score", "--format"): (["score", "{photo}", "--bundle", "{bundle}"], ["--format", "csv"]),
    ("score", "-o"): (["score", "{photo}", "--bundle", "{bundle}"], ["-o", "{out}/scores"]),
    ("score", "--recursive"): (["score", "{album}", "--bundle", "{bundle}"], ["--recursive"]),
    ("score", "--files-from"): (["score", "{photo}", "--bundle", "{bundle}"], ["--files-from", "{list}"]),
    ("score", "-0"): (["score", "--files-from", "{list}", "--bundle", "{bundle}"], ["-0"]),
    ("score", "--workers"): (["score", "{photo}", "--bundle", "{bundle}"], ["--workers", "3"]),
    ("score", "--max-megapixels"): (["score", "{photo}", "--bundle", "{bundle}"], ["--max-megapixels", "0.001"]),
    ("score", "--max-bytes"): (["score", "{photo}", "--bundle", "{bundle}"], ["--max-bytes", "1000"]),
    ("score", "--strict"): (["score", "{damaged}", "--bundle", "{bundle}"], ["--strict"]),
    ("score", "--resume"): (["score", "{photo}", "--bundle", "{bundle}", "-o", "{out}/stopped"], ["--resume"]),
    **{
        ("gate", flag): (["gate", *call, "--gate", "{gate}"], given)
        for flag, call, given in [
            ("--bundle", ["{photo}"], ["--bundle", "{bundle}"]),
            ("--variant", ["{photo}", "--bundle", "{bundle}"], ["--variant", "fp32"]),
            ("--format", ["{photo}", "--bundle", "{bundle}"], ["--format", "csv"]),
            ("-o", ["{photo}", "--bundle", "{bundle}"], ["-o", "{out}/decisions"]),
            ("--recursive", ["{album}", "--bundle", "{bundle}"], ["--recursive"]),
            ("--files-from", ["{photo}", "--bundle", "{bundle}"], ["--files-from", "{list}"]),
            ("-0", ["--files-from", "{list}", "--bundle", "{bundle}"], ["-0"]),
            ("--workers", ["{photo}", "--bundle", "{bundle}"], ["--workers", "0"]),
            ("--resume", ["{photo}", "--bundle", "{bundle}", "-o", "{out}/stopped"], ["--resume"]),
        ]
    },
    ("gate", "--gate"): (["gate", "{photo}", "--bundle", "{bundle}"], ["--gate", "{gate}"]),
    **{
        ("gate", flag): (["gate", photo, "--bundle", "{bundle}", "--gate", "{gate}"], given)
        for flag, photo, given in [
            ("--max-megapixels", "{photo}", ["--max-megapixels", "0.001"]),
            ("--max-bytes", "{photo}", ["--max-bytes", "1000"]),
            ("--strict", "{damaged}", ["--strict"]),
        ]
    },
    **{
        ("fit_gate", flag): (["fit-gate", *call], given)
        for flag, call, given in [
            ("--accepted", ["--refused", "{other}", "-o", "{out}/g"], ["--accepted", "{photo}"]),
            ("--refused", ["--accepted", "{photo}", "-o", "{out}/g"], ["--refused", "{other}"]),
            ("--labels", ["-o", "{out}/g"], ["--labels", "{labels}"]),
            ("--max-false-refusal", ["--labels", "{labels}", "-o", "{out}/g"], ["--max-false-refusal", "0.3"]),
            ("--confidence", ["--labels", "{labels}", "-o", "{out}/g"], ["--confidence", "0.5"]),
            ("-o", [*FIT, "-o", "{out}/one"], ["-o", "{out}/other"]),
            ("--resume", [*FIT, "-o", "{out}/stopped"], ["--resume"]),
            ("--bundle", [*FIT, "-o", "{out}/g"], ["--bundle", "{out}/nowhere"]),
            ("--variant", [*FIT, "-o", "{out}/g"], ["--variant", "fp32"]),
            ("--workers", [*FIT, "-o", "{out}/stopped"], ["--workers", "0"]),
            ("--max-megapixels", [*FIT, "-o", "{out}/g"], ["--max-megapixels", "0.001"]),
            ("--max-bytes", [*FIT, "-o", "{out}/g"], ["--max-bytes", "1000"]),
            ("--strict", [*FIT, "--resume", "-o", "{out}/stopped"], ["--strict"]),  # names both runs' settings
        ]
    },
    ("inspect", "--json"): (["inspect", "{bundle}"], ["--json"]),
    ("verify", "--images"): (["verify", "{bundle}"], ["--images", "{album}"]),
    ("verify", "--gate"): (["verify", "{bundle}"], ["--gate", "{gate}"]),
    ("verify", "--json"): (["verify", "{bundle}"], ["--json"]),
    ("verify", "--diagnose"): (["verify", "{bundle}"], ["--diagnose"]),
    ("check_input", "--photo"): (["check-input", "{bundle}", "{tensor}"], ["--photo", "{other}"]),
    ("best", "--within"): (["best", "{burst}", "--bundle", "{bundle}"], ["--within", "1"]),
    ("best", "--xmp"): (["best", "{burst}", "--bundle", "{bundle}"], ["--xmp", "digikam"]),
    ("best", "--copy-to"): (["best", "{burst}", "--bundle", "{bundle}"], ["--copy-to", "{out}"]),
}
# What every command over photos takes.
CASES |= {
    (command, flag): ([command, *without[1:], *needs], ["--workers", "0"] if flag == "--workers" else given)
    for command, needs in (("best", []), ("report", ["-o", "{out}/page.html"]))
    for (of, flag), (without, given) in [*CASES.items()]
    if of == "score"
} | {
    ("report", "-o"): (["report", "{photo}", "-o", "{out}/page.html"], ["-o", "{out}/other.html"]),
    ("report", "--gate"): (
        ["report", "{photo}", "--bundle", "{bundle}", "-o", "{out}/page.html"],
        ["--gate", "{gate}"],
    ),
    ("report", "--csv"): (["report", "{photo}", "-o", "{out}/page.html"], ["--csv", "{out}/rows.csv"]),
    ("report", "--title"): (["report", "{photo}", "-o", "{out}/page.html"], ["--title", "Holiday"]),
    ("report", "--resume"): (["report", "{photo}", "-o", "{out}/stopped"], ["--resume"]),
}


def flags_of_all_commands() -> list[tuple[str, str]]:
    flags = []
    for command in COMMANDS:
        parser = argparse.ArgumentParser(add_help=False)
        command.add_arguments(parser)
        name = command.__name__.rpartition(".")[2]
        flags += [(name, action.option_strings[0]) for action in parser._actions if action.option_strings]
    return flags


def write_labels(table: Path, bundle: Path, photos: dict[str, np.ndarray]) -> Path:
    """Labels by which the photo with the lowest score is refused and the better half accepted."""
    scores = dict(zip(photos, [result.score for result in Scorer(bundle).batch(photos.values())]))
    ordered = sorted(scores, key=scores.get)
    lines = ["path,label", f"{ordered[0]}.png,refused"]
    lines += [f"{name}.png,accepted" for name in ordered[(len(ordered) + 1) // 2 :]]
    for name, photo in photos.items():
        Image.fromarray(photo).save(table.with_name(f"{name}.png"))
    table.write_text("\n".join(lines))
    return table


@pytest.mark.parametrize(("command", "flag"), flags_of_all_commands())
def test_a_flag_changes_something(
    command: str, flag: str, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture,
    photos: dict[str, np.ndarray],
) -> None:  # fmt: skip
    golden, out = tiny_bundle / "golden", tmp_path / "out"
    out.mkdir()
    (tmp_path / "album" / "below").mkdir(parents=True)
    Image.fromarray(photos["rocket"]).save(tmp_path / "album" / "rocket.png")
    shutil.copy(golden / "coffee.png", tmp_path / "album" / "below")
    np.save(tmp_path / "x.npy", preprocess(golden / "coffee.png", Scorer(tiny_bundle).bundle.manifest.input))
    places = {"bundle": tiny_bundle, "photo": golden / "coffee.png", "other": golden / "chelsea.png"}
    places |= {"album": tmp_path / "album", "out": out, "tensor": tmp_path / "x.npy", "list": tmp_path / "list"}
    places["damaged"] = tmp_path / "damaged.png"
    checksum_of_data = (golden / "coffee.png").read_bytes().rindex(b"IEND") - 8
    whole = bytearray((golden / "coffee.png").read_bytes())
    whole[checksum_of_data] ^= 1
    places["damaged"].write_bytes(whole)
    places["list"].write_text(f"{places['other']}\n")
    places["burst"] = tmp_path / "burst"
    places["burst"].mkdir()
    exif = Image.Exif()
    for left, second in ((0, "20"), (30, "25")):  # too different for copies of one photo, alike enough for a burst
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"2026:11:27 12:00:{second}"
        shot = Image.fromarray(photos["coffee"]).crop((left, 0, 500 + left, 400))
        shot.save(places["burst"] / f"{second}.jpg", exif=exif)
    with Journal(out / "stopped", {"of": "another run"}) as journal:
        journal.append("photo.jpg", {})

    Gate((Threshold("score", 0.5, "poor"),)).write(tmp_path / "gate.json")
    places |= {"gate": tmp_path / "gate.json", "labels": write_labels(tmp_path / "labels.csv", tiny_bundle, photos)}

    def ending(call: list[str]) -> tuple[object, ...]:
        try:
            status = main([part.format(**places) for part in call])
        except SystemExit as misuse:
            status = misuse.code
        pages = [page.read_bytes() for page in out.glob("*.html")]
        return status, *capsys.readouterr(), sorted(path.name for path in out.iterdir()), pages

    without, given = CASES[command, flag]
    assert ending(without) == ending(without) != ending([*without, *given])
