"""Photos as they are found in the wild: odd and damaged files of one kind each, most with a right answer.

A kind says what may become of its files: ``same`` scores as the sound photo does, ``told`` is refused or carries a
warning, ``any`` may be all of it.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from tests.hostile.command import pocketiqa
from tests.hostile.mutations import MUTATIONS
from tests.hostile.photos import BATCH, wrong_rows
from tests.hostile.place import Place
from tests.hostile.tally import Tally
from tests.sdk_python.tiffs import pages

_SIZE = (160, 120)
Make = Callable[["Sources", np.random.Generator], bytes]


class Sources:
    """One small picture as an array, and as the files from which the kinds are made."""

    def __init__(self, place: Place) -> None:
        picture = Image.open(place.photo).convert("RGB").resize(_SIZE)
        self.array = np.asarray(picture).astype(int)
        self.jpeg, self.progressive = (_saved(picture, "JPEG", progressive=kind) for kind in (False, True))
        self.png, self.plain = _saved(picture, "PNG"), _saved(picture, "TIFF")
        self.others = [_saved(picture, style) for style in ("JPEG2000", "AVIF", "PPM", "WEBP")]
        self.thumbnail = _saved(picture.resize((32, 24)), "JPEG")

    def any_jpeg(self, random: np.random.Generator) -> bytes:
        return self.jpeg if random.random() < 0.5 else self.progressive


def _saved(picture: Image.Image, style: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, style, **options)
    return file.getvalue()


def _trailer(sources: Sources, random: np.random.Generator) -> bytes:
    behind = (random.bytes(int(random.integers(1, 10**6))), sources.thumbnail, b"\xff\xda" * 5000, bytes(50_000))
    return sources.jpeg + behind[random.integers(len(behind))]


def _segment(sources: Sources, random: np.random.Generator) -> bytes:
    starts = (b"Photoshop 3.0\08BIM", b"MPF\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0\1\1", b"JFXX\0", b"")
    content = starts[random.integers(len(starts))] + random.bytes(int(random.integers(0, 3000)))
    marker = int(random.choice([0xE2, 0xE3, 0xED, 0xEF, 0xFE]))
    return sources.jpeg[:2] + struct.pack(">BBH", 255, marker, len(content) + 2) + content + sources.jpeg[2:]


def _unended(sources: Sources, random: np.random.Generator) -> bytes:
    padding = b"" if random.random() < 0.5 else bytes(int(random.integers(16, 5000)))
    return sources.jpeg[: -int(random.integers(1, 3))] + padding if not padding else sources.jpeg[:-2] + padding


def _hollow_jpeg(sources: Sources, random: np.random.Generator) -> bytes:
    encoded = sources.any_jpeg(random)
    kept = int(len(encoded) * random.uniform(0.4, 0.9))
    filler = bytes(len(encoded) - kept) if random.random() < 0.5 else b""
    return encoded[:kept] + filler


def _corrupt_jpeg(sources: Sources, random: np.random.Generator) -> bytes:
    encoded = bytearray(sources.any_jpeg(random))
    for place in random.integers(700, len(encoded) - 2, int(random.integers(1, 30))):
        encoded[place] = random.integers(256)
    return bytes(encoded)


def _chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    return struct.pack(">L4s", len(content), kind) + content + struct.pack(">L", zlib.crc32(kind + content) ^ wrong)


def _ancillary(sources: Sources, random: np.random.Generator) -> bytes:
    kind = (b"zTXt", b"tEXt", b"iTXt", b"pHYs", b"tIME", b"acTL", b"fcTL", b"xxXx", b"hIST")[random.integers(9)]
    texts = (b"Comment\0\0" + zlib.compress(bytes(2 * 10**6)), b"Raw profile type exif\0\0junk", random.bytes(200), b"")
    added = _chunk(kind, texts[random.integers(len(texts))], int(random.integers(0, 2)))
    return sources.png[:33] + added + sources.png[33:]


def _colour_chunk(sources: Sources, random: np.random.Generator) -> bytes:
    kind, size = ((b"gAMA", 4), (b"cHRM", 32), (b"cICP", 4), (b"sRGB", 1), (b"iCCP", 99), (b"tRNS", 6))[
        random.integers(6)
    ]
    added = _chunk(kind, random.bytes(int(size if random.random() < 0.8 else random.integers(0, 60))))
    return sources.png[:33] + added + sources.png[33:]


def _hollow_png(sources: Sources, random: np.random.Generator) -> bytes:
    kept = int(len(sources.png) * random.uniform(0.3, 0.9))
    return sources.png[:kept] + (bytes(len(sources.png) - kept) if random.random() < 0.5 else b"")


def _pages(sources: Sources, random: np.random.Generator) -> bytes:
    main = sources.array, 8, 2, {}
    tags = ({}, {254: (1,)}, {254: (4,)}, {255: (2,)})
    small = [(sources.array[::3, ::3], 8, 2, {"tags": tags[random.integers(4)]}) for _ in range(random.integers(1, 4))]
    order = [main, *small] if random.random() < 0.5 else [*small, main]
    return pages(order, "<>"[random.integers(2)])


def _tags(sources: Sources, random: np.random.Generator) -> bytes:
    """A picture of any bits and samples, with tags that may contradict them."""
    samples, bits = int(random.integers(1, 6)), int(random.choice([1, 2, 4, 8, 8, 12, 16, 32]))
    values = random.integers(0, min(2**bits, 2**31), (64, 48, samples))
    odd = {int(random.choice([258, 277, 284, 338, 339, 530, 266])): (int(random.integers(0, 5)),)}
    extra = random.integers(0, 3, random.integers(0, 3))
    options = {
        "planes": bool(random.integers(2)),
        "compression": int(random.choice([1, 8])),
        "tiled": bool(random.integers(2)),
        "fill": int(random.integers(1, 3)),
        "sample_format": int(random.integers(1, 3)) if bits >= 8 and bits != 12 else 1,
        "extra": tuple(int(kind) for kind in extra),
        "tags": odd if random.random() < 0.5 else {},
    }
    photometric = int(random.choice([0, 1, 2, 3, 4, 5, 6, 8, 9, 32803, 34892]))
    return pages([(values, bits, photometric, options)], "<>"[random.integers(2)], random.random() < 0.2)


def _raw(sources: Sources, random: np.random.Generator) -> bytes:
    preview = sources.array[::2, ::2], 8, 2, {"tags": {254: (1,)}}
    sensor = sources.array[..., :1] * 16, 16, int(random.choice([32803, 34892])), {}
    return pages([preview, sensor] if random.random() < 0.5 else [sensor, preview])


def _other_start(sources: Sources, random: np.random.Generator) -> bytes:
    starts = (
        *(b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n", b"8BPS", b"%PDF-1.7", b"II\xbc\1", b"FUJIFILMCCD-RAW", b"<svg "),
        *(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", b"PK\3\4"),
        *(b"II*\0\x10\0\0\0CR\2\0", b"\xff\xd8\xff\xf7", b"P7\n", bytes(70)),
    )
    return starts[random.integers(len(starts))] + random.bytes(int(random.integers(0, 3000)))


def _other_format(sources: Sources, random: np.random.Generator) -> bytes:
    return MUTATIONS[random.integers(len(MUTATIONS))](sources.others[random.integers(len(sources.others))], random)


# What it is, what may become of it, the file whose score it must have, and how it is made.
KINDS: dict[str, tuple[str, str, str, Make]] = {
    "bytes behind a JPEG's end": ("same", "jpeg", "jpg", _trailer),
    "metadata in a JPEG": ("same", "jpeg", "jpg", _segment),
    "a JPEG without its end marker": ("same", "jpeg", "jpg", _unended),
    "a JPEG, much of it missing": ("told", "", "jpg", _hollow_jpeg),
    "a JPEG, bytes changed": ("any", "", "jpg", _corrupt_jpeg),
    "metadata in a PNG": ("same", "png", "png", _ancillary),
    "colours of a PNG": ("any", "", "png", _colour_chunk),
    "a PNG, much of it missing": ("told", "", "png", _hollow_png),
    "pages of a TIFF": ("same", "plain", "tiff", _pages),
    "tags of a TIFF": ("any", "", "tiff", _tags),
    "a preview in a raw file": ("told", "", "tiff", _raw),
    "another format's start": ("told", "", "jpg", _other_start),
    "damaged JPEG 2000, AVIF, PPM, WebP": ("any", "", "jpg", _other_format),
}


def try_kinds(place: Place, tally: Tally, n: int) -> None:
    """``n`` files, as many of each kind, in folders of 25 and a good one."""
    sources = Sources(place)
    names = [list(KINDS)[i % len(KINDS)] for i in range(n)]
    for start in range(0, n, BATCH):
        batch = names[start : start + BATCH]
        folder = place.fresh("kinds")
        given = {f"{i:03d}.{KINDS[name][2]}": name for i, name in enumerate(batch)}
        for file, name in given.items():
            (folder / file).write_bytes(KINDS[name][3](sources, place.random))
        for kind in ("jpeg", "png", "plain"):
            (folder / f"sound-{kind}").write_bytes(getattr(sources, kind))
        good = folder / "zz-good.jpg"
        good.write_bytes(place.photo.read_bytes())
        said = pocketiqa("score", str(folder), "--bundle", str(place.bundle), "--format", "jsonl", seconds=60)
        tally.cost(said.grown_mib, said.seconds)
        if wrong := said.misbehaviour() or wrong_rows(said, good, place.score, folder, set(given)):
            tally.fail("photos", batch[0], f"{wrong} (among {sorted(set(batch))[:3]}…)")
            continue
        rows = {row["path"].rsplit("/", 1)[1]: row for row in map(json.loads, said.output.splitlines())}
        for file, name in given.items():
            if wrong := _wrong(rows[file], rows, *KINDS[name][:2]):
                tally.fail("photos", name, wrong)
            else:
                tally.add("photos", name, "harmless" if rows[file]["error"] is None else "refused")


def _wrong(row: dict, rows: dict[str, dict], may: str, source: str) -> str | None:
    if may == "same":
        sound = rows[f"sound-{source}"]
        if (row["score"], row["width"], row["warning"]) != (sound["score"], sound["width"], None):
            return f"{row['score']} and not {sound['score']} of the sound file ({row['error'] or row['warning']})"
    if may == "told" and row["error"] is None and row["warning"] is None:
        return f"scored {row['score']} without a word"
    return None
