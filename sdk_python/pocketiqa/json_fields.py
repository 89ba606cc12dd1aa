"""Fields of a stranger's JSON: each has the type that it must have, or the mistake is one line that names it."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from pocketiqa.errors import BundleError

NUMBER = (int, float)
_KIND = {
    str: "a string", int: "an integer", NUMBER: "a number", dict: "an object", list: "a list", bool: "true or false",
}  # fmt: skip


def parse_object(encoded: bytes, where: str) -> dict[str, Any]:
    """The JSON object in ``encoded``; raises BundleError when it is none, or holds a number that is not finite."""
    try:
        values = json.loads(encoded, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise BundleError(f"{where} holds no object; it must be {{…}}")
    return values


def get_field(
    values: Any, name: str, kind: type | tuple[type, ...], where: str = "manifest.json", default: Any = None
) -> Any:
    """``values[name]``, an instance of ``kind``, or ``default`` where it is missing and a default is given; else raises
    BundleError."""
    if not isinstance(values, dict):
        raise BundleError(f"{where} is {type(values).__name__}; it must be an object")
    if name not in values and default is not None:
        return default
    if name not in values:
        raise BundleError(f"{where} lacks {name!r}")
    value = values[name]
    if not isinstance(value, kind) or (kind in (int, NUMBER) and isinstance(value, bool)):
        raise BundleError(f"{where} has {name!r} of type {type(value).__name__}; it must be {_KIND[kind]}")
    return value


def plain_word(text: str, where: str) -> str:
    """``text`` if it is letters, digits and ``. _ + -``, at most 100, so that it can stand in a file name, a column or
    on a terminal; else raises BundleError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", text):
        raise BundleError(f"{where} is {text!r}; it must be letters, digits and . _ + - only")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no finite number")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refuse_constant(digits)
