"""Each flag of each command changes something: what is printed, what is written, or how it ends."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.cli import main
from pocketiqa.commands import COMMANDS
from pocketiqa.journal import Journal
from pocketiqa.preprocess import preprocess
from pocketiqa.scorer import Scorer

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
    ("score", "--resume"): (["score", "{photo}", "--bundle", "{bundle}", "-o", "{out}/stopped"], ["--resume"]),
    ("inspect", "--json"): (["inspect", "{bundle}"], ["--json"]),
    ("verify", "--images"): (["verify", "{bundle}"], ["--images", "{album}"]),
    ("verify", "--json"): (["verify", "{bundle}"], ["--json"]),
    ("verify", "--diagnose"): (["verify", "{bundle}"], ["--diagnose"]),
    ("check_input", "--photo"): (["check-input", "{bundle}", "{tensor}"], ["--photo", "{other}"]),
}


def flags_of_all_commands() -> list[tuple[str, str]]:
    flags = []
    for command in COMMANDS:
        parser = argparse.ArgumentParser(add_help=False)
        command.add_arguments(parser)
        name = command.__name__.rpartition(".")[2]
        flags += [(name, action.option_strings[0]) for action in parser._actions if action.option_strings]
    return flags


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
    places["list"].write_text(f"{places['other']}\n")
    with Journal(out / "stopped", {"of": "another run"}) as journal:
        journal.append("photo.jpg", {})

    def ending(call: list[str]) -> tuple[int, str, str, list[str]]:
        status = main([part.format(**places) for part in call])
        return status, *capsys.readouterr(), sorted(path.name for path in out.iterdir())

    without, given = CASES[command, flag]
    assert ending(without) == ending(without) != ending([*without, *given])
