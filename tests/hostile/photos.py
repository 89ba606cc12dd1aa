"""Bad photos: damaged files of six formats, and files that are no photos at all, in folders with a good one."""

from __future__ import annotations

import io
import json
import os
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tests.hostile.command import Said, pocketiqa
from tests.hostile.mutations import MUTATIONS
from tests.hostile.place import Place
from tests.hostile.tally import Tally

BATCH = 25
# Of one photo within the default limits: 28 bytes a pixel and the file, and the program's own memory besides.
MEMORY_MIB = 28 * 89_478_485 / 2**20 + 128 + 512


def try_damaged(place: Place, tally: Tally, n: int) -> None:
    """``n`` photos, each damaged once or twice, in folders of 25 and a good one."""
    sources = place.photos()
    kinds = [(suffix, mutate) for suffix in sources for mutate in MUTATIONS]
    made: list[tuple[str, str, bytes]] = []
    for i in range(n):
        suffix, mutate = kinds[i % len(kinds)]
        content = mutate(sources[suffix], place.random)
        if place.random.random() < 0.3:
            content = MUTATIONS[place.random.integers(len(MUTATIONS))](content or b"\0", place.random)
        wrong = list(sources)[place.random.integers(len(sources))] if place.random.random() < 0.1 else suffix
        made.append((suffix, wrong, content))
    for start in range(0, n, BATCH):
        folder = place.fresh("damaged")
        batch = made[start : start + BATCH]
        for i, (_, suffix, content) in enumerate(batch):
            (folder / f"{i:03d}.{suffix}").write_bytes(content)
        given = {f"{i:03d}.{suffix}": f"damaged {kind}" for i, (kind, suffix, _) in enumerate(batch)}
        score_folder(place, tally, folder, given)


def score_folder(place: Place, tally: Tally, folder: Path, given: dict[str, str]) -> None:
    """Score a folder of bad photos with a good one among them, and count what became of each.

    Args:
        folder: holds the bad ones.
        given: what each is, by its path in the folder.
    """
    good = folder / "zz-good.jpg"
    good.write_bytes(place.photo.read_bytes())
    said = pocketiqa("score", str(folder), "--bundle", str(place.bundle), "--format", "jsonl", "--recursive")
    tally.cost(said.grown_mib, said.seconds)
    wrong = said.misbehaviour() or wrong_rows(said, good, place.score, folder, set(given))
    if wrong:
        tally.fail("photos", next(iter(given.values())), f"{wrong} (in {folder.name} with {sorted(given)[:3]}…)")
        return
    for row in map(json.loads, said.output.splitlines()):
        if row["path"] != str(good):
            what = given[os.path.relpath(row["path"], folder)]
            tally.add("photos", what, "harmless" if row["error"] is None else "refused")


def wrong_rows(said: Said, good: Path, score: float, folder: Path, expected: set[str]) -> str | None:
    """What a folder's rows may never be: the good photo's score lost, a row missing, an error that is no line."""
    rows = {row["path"]: row for row in map(json.loads, said.output.splitlines())}
    errors = [row["error"] for row in rows.values() if row["error"] is not None]
    if rows.get(str(good), {}).get("score") != score:
        return "the good photo lost its score"
    if missing := expected - {os.path.relpath(path, folder) for path in rows}:
        return f"no row for {sorted(missing)[0]}"
    if said.status != (1 if errors else 0):
        return f"exit status {said.status} with {len(errors)} errors"
    if any("\n" in error or not error for error in errors):
        return "an error of more than one line"
    if said.grown_mib > MEMORY_MIB:
        return f"{said.grown_mib:.0f} MiB of memory"
    return None


def try_odd_files(place: Place, tally: Tally) -> None:
    """Sizes, names, links and pipes that folders of photos may hold."""
    folder = place.fresh("odd")
    given = {}
    for name, make in _odd_files(place).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
        if not path.is_dir():
            given[name] = "no photo, or an extreme one"
    score_folder(place, tally, folder, given)


def _odd_files(place: Place) -> dict[str, Callable[[Path], object]]:
    image = Image.open(place.photo).convert("RGB")

    def save(picture: Image.Image, style: str = "PNG", **options: object) -> Callable[[Path], None]:
        return lambda path: picture.save(path, style, **options)

    def write(content: bytes) -> Callable[[Path], int]:
        return lambda path: path.write_bytes(content)

    text = PngImagePlugin.PngInfo()
    text.add_text("bomb", "x" * 60_000_000, zip=True)
    sizes = [(1, 1), (15, 15), (16, 16), (1, 5000), (16, 60_000), (65_000, 17), (9000, 9000), (12_000, 12_000)]
    files = {f"size-{w}x{h}.png": save(Image.new("L", (w, h), 99)) for w, h in sizes}
    files |= {f"size-{w}x{h}.jpg": save(Image.new("L", (w, h), 99), "JPEG") for w, h in sizes}
    files["size-20000x20000.png"] = save(Image.new("1", (20_000, 20_000)))
    files |= {f"claims-{side}.png": write(png_header(side)) for side in (2**16, 2**31 - 1, 2**32 - 1)}
    files |= {f"turned-{i}.jpg": save(image, "JPEG", exif=_exif(i)) for i in range(10)}
    files |= {
        name: save(image.convert(mode), style)
        for name, mode, style in [
            ("cmyk.jpg", "CMYK", "JPEG"), ("bits.png", "1", "PNG"), ("deep.png", "I;16", "PNG"), ("p.gif", "P", "GIF"),
            ("la.png", "LA", "PNG"), ("lab.tiff", "LAB", "TIFF"), ("float.tiff", "F", "TIFF"),
        ]
    }  # fmt: skip
    nan = Image.fromarray(np.full((50, 50), np.nan, np.float32))
    files |= {
        "nan.tiff": save(nan, "TIFF"),
        "text-bomb.png": save(image, pnginfo=text),
        "profile.png": save(image, icc_profile=b"\0" * 10**6),
        "animated.gif": save(image.convert("P"), "GIF", save_all=True, append_images=[image.convert("P")] * 50),
        "scans.jpg": write(many_scans(image, 3000)),
        "empty.jpg": write(b""),
        "zeros.jpg": write(bytes(100_000)),
        "page.jpg": write(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n(x) run\n"),
        "page.png": write(b"%PDF-1.7\n"),
        "drawing.png": write(b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
        "huge.pgm": write(b"P5 999999999 999999999 255\n"),
        "fifo.jpg": os.mkfifo,
        "dangling.jpg": lambda path: path.symlink_to("nowhere"),
        "loop.jpg": lambda path: path.symlink_to("loop.jpg"),
        "device.jpg": lambda path: path.symlink_to("/dev/zero"),
        "kernel.jpg": lambda path: path.symlink_to("/proc/self/mem"),
        "sparse.jpg": lambda path: (path.touch(), os.truncate(path, 2**40)),
        "folder.jpg": lambda path: path.mkdir(),
        "line\nbreak.png": save(image),
        "\x1b[2Jünï \u202e.png": save(image),
        "-rf.png": save(image),
        "x" * 250 + ".png": save(image),
    }
    return files


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_header(side: int) -> bytes:
    """A PNG that claims to be ``side`` pixels each way, and ends after its header."""
    head = struct.pack(">4s2L5B", b"IHDR", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">L", 13) + head + struct.pack(">L", zlib.crc32(head))


def many_scans(image: Image.Image, times: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    file = io.BytesIO()
    image.save(file, "JPEG", progressive=True)
    content = file.getvalue()
    begin = content.rindex(b"\xff\xda")
    return content[:begin] + content[begin:-2] * times + b"\xff\xd9"


def try_changing(place: Place, tally: Tally, n: int) -> None:
    """Photos that are cut, grown, replaced and removed while they are read."""
    folder = place.fresh("changing")
    names = {f"{i:03d}.png": "changed while read" for i in range(n)}
    Image.open(place.photo).save(folder / "000.png")
    content = (folder / "000.png").read_bytes()
    for name in names:
        (folder / name).write_bytes(content)
    done = threading.Event()
    numbers = np.random.default_rng(int(place.random.integers(2**32)))

    def change() -> None:
        while not done.is_set():
            path = folder / list(names)[numbers.integers(n)]
            action = numbers.integers(4)
            if action == 0:
                path.unlink(missing_ok=True)
            elif action == 1 and path.exists():
                os.truncate(path, int(numbers.integers(len(content))))
            elif action == 2:
                path.write_bytes(content * 2)
            else:
                path.write_bytes(content[::-1])

    changer = threading.Thread(target=change)
    changer.start()
    try:
        paths = [str(folder / name) for name in names]
        said = pocketiqa("score", *paths, str(place.photo), "--bundle", str(place.bundle), "--format", "jsonl")
    finally:
        done.set()
        changer.join()
    tally.cost(said.grown_mib, said.seconds)
    wrong = said.misbehaviour() or wrong_rows(said, place.photo, place.score, folder, set(names))
    if wrong:
        tally.fail("photos", "changed while read", wrong)
        return
    for row in map(json.loads, said.output.splitlines()):
        if row["path"] != str(place.photo):
            tally.add("photos", "changed while read", "harmless" if row["error"] is None else "refused")
