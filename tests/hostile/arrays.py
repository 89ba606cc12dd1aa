"""Arrays, images and other objects given to a ``Scorer`` from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image
from pocketiqa.errors import PhotoError
from pocketiqa.scorer import Scorer

from tests.hostile.isolation import in_a_child
from tests.hostile.place import Place
from tests.hostile.tally import Tally

_DTYPES = ("uint8", "uint8", "int8", "uint16", "int64", "float16", "float32", "float64", "bool", "complex64", "object")
_MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX", "RGBa", "La",
          "I;16", "I;16B")  # fmt: skip
BATCH = 50


def try_arrays(place: Place, tally: Tally, n: int) -> None:
    """``n`` objects: each gets a finite score or a ``PhotoError``, and none is changed."""
    made = _objects(place.random)
    for start in range(0, n, BATCH):
        batch = [next(made) for _ in range(min(BATCH, n - start))]

        def score(batch: list[object] = batch) -> list[str]:
            scorer = Scorer(place.bundle)
            return [_outcome(scorer, photo) for photo in batch]

        ending = in_a_child(score, seconds=60)
        tally.cost(ending.grown_mib, ending.seconds)
        if ending.kind != "returned":
            tally.fail("Python", "arrays and images", f"{ending.kind}: {ending.value}")
            continue
        for outcome in ending.value:
            if outcome in ("harmless", "refused"):
                tally.add("Python", "arrays and images", outcome)
            else:
                tally.fail("Python", "arrays and images", outcome)


def _outcome(scorer: Scorer, photo: object) -> str:
    before = photo.copy() if isinstance(photo, np.ndarray) else None
    try:
        result = scorer(photo)
    except PhotoError as error:
        return "refused" if str(error) else "a PhotoError without words"
    finally:
        if before is not None and before.tobytes() != photo.tobytes():
            raise RuntimeError("the array was changed")
    return "harmless" if 0 <= result.score <= 1 else f"score {result.score}"


def _objects(random: np.random.Generator) -> Iterator[object]:
    makers: tuple[Callable[[np.random.Generator], object], ...] = (_array, _array, _image, _other)
    while True:
        yield makers[random.integers(len(makers))](random)


def _array(random: np.random.Generator) -> object:
    shape = [int(side) for side in random.integers(0, 40, random.integers(0, 5))]
    if random.random() < 0.6:
        shape = [int(random.integers(1, 60)), int(random.integers(1, 60)), 3]
    with np.errstate(all="ignore"):
        array = np.asarray(random.random(shape) * 300).astype(_DTYPES[random.integers(len(_DTYPES))])
    if array.dtype.kind == "f" and array.size:
        array.flat[0] = random.choice([np.nan, np.inf, -np.inf, 0])
    if array.ndim == 3 and random.random() < 0.5:
        array = array[::-1, :: int(random.integers(1, 3))]
    elif random.random() < 0.2:
        array = np.asfortranarray(array)
    if random.random() < 0.3:
        array.flags.writeable = False
    return array


def _image(random: np.random.Generator) -> Image.Image:
    size = (int(random.integers(1, 60)), int(random.integers(1, 60)))
    image = Image.new(_MODES[random.integers(len(_MODES))], size)
    if image.mode == "F":
        image.paste(float(random.choice([np.nan, np.inf, -1, 0.5, 300, 1e9])), (0, 0, *size))
    junk = (b"junk", "words", 3, None, (1, 2), -1)
    image.info["transparency"] = junk[random.integers(len(junk))]
    image.info["icc_profile"] = junk[random.integers(len(junk))]
    if random.random() < 0.5:
        image.getexif()[0x0112] = junk[random.integers(1, len(junk))]
    if random.random() < 0.05:
        image.close()
    return image


def _other(random: np.random.Generator) -> object:
    others = (None, 3, 3.5, True, [], [[1, 2], [3, 4]], {}, "", "\0", "no/such.jpg", "/", b"", b"junk", bytearray(9),
              memoryview(b"x"), object(), Image, np.uint8(3), "x" * 9999, ("a.jpg",), random.bytes(99))  # fmt: skip
    return others[random.integers(len(others))]
