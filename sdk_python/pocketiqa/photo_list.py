"""Which files a list of paths stands for: photos by name, folders by what lies in them."""

from __future__ import annotations

import os
import sys
from collections import Counter

from pocketiqa.errors import PocketiqaError

# A file without any suffix inside a folder is tried too: cameras and caches leave such photos behind.
SUFFIXES = {
    *("", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpf", ".avif", ".heic", ".heif"),
}


NO_PHOTO = "files that are no photos by their names"
LISTED = "folders that are listed already (links to folders are followed once)"


def find_photos(paths: list[str], recursive: bool) -> tuple[list[str], Counter[str]]:
    """Expand folders into their photos, sorted by name; other paths stay as they are, existing or not.

    Inside a folder, hidden files are passed over in silence and files with another suffix are counted. A link to a
    folder is followed after the folders beside it, where what it leads to was not listed before. A folder that cannot
    be listed stands among the photos, so that scoring it says why.

    Returns:
        The photos' paths, and how many of what was passed over.
    """
    photos: list[str] = []
    skipped: Counter[str] = Counter()
    listed: set[tuple[int, int]] = set()
    for path in paths:
        if not os.path.isdir(path):
            photos.append(path)
            continue
        folders, links = [path], []  # and not os.walk, which in Python 3.11 recurses and fails in very deep folders
        while folders or links:
            folder = folders.pop() if folders else links.pop(0)
            try:
                place = _place_of(folder)
                visible = sorted(name for name in os.listdir(folder) if not name.startswith("."))
            except OSError:
                photos.append(folder)
                continue
            if place in listed and folder != path:
                skipped[LISTED] += 1
                continue
            listed.add(place)
            below = {name for name in visible if os.path.isdir(os.path.join(folder, name))}
            files = [name for name in visible if name not in below]
            taken = [name for name in files if os.path.splitext(name)[1].lower() in SUFFIXES]
            photos += [os.path.join(folder, name) for name in taken]
            skipped[NO_PHOTO] += len(files) - len(taken)
            if recursive:
                inside = [os.path.join(folder, name) for name in sorted(below, reverse=True)]
                folders += [path for path in inside if not os.path.islink(path)]
                links += [path for path in reversed(inside) if os.path.islink(path)]
    return photos, +skipped


def _place_of(folder: str) -> tuple[int, int]:
    """What a folder is, by whatever name it is reached."""
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def read_paths(list_file: str | None, nul: bool) -> list[str]:
    """The paths that a file, or standard input for None, names: one a line, or ended by NUL each.

    Raises:
        PocketiqaError: it cannot be read.
    """
    shown = "standard input" if list_file is None else list_file
    try:
        if list_file is None:
            if sys.stdin is None:
                raise PocketiqaError("standard input is closed; no paths can be read from it")
            content = sys.stdin.buffer.read()
        else:
            with open(list_file, "rb") as file:
                content = file.read()
    except OSError as error:
        raise PocketiqaError(f"{shown} cannot be read: {error.strerror}") from None
    if nul:
        names = content.split(b"\0")
    else:
        names = [line.removesuffix(b"\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    return [os.fsdecode(name) for name in names if name]
