"""Where a figure comes from: the checkout's commit and the command."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path


def commit() -> str:
    """Of this checkout, with ``-dirty`` where files differ from it; empty outside a checkout or without git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=8", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def command() -> list[str]:
    """The arguments of this run, as its user gave them."""
    return ["python", "-m", "benchmarks", *sys.argv[1:]]


def sources(created: str, machine: str, commit: str, command: list[str]) -> str:
    """One line of Markdown that says where a table comes from."""
    at = f", commit {commit}" if commit else ""
    return f"Measured {created[:10]} on {machine}{at}: `{shlex.join(command)}`."
