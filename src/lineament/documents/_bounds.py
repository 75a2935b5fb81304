"""What every reader of foreign documents refuses, whatever the language."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

MAX_BYTES = 1 << 24
"""Of a document, and of one line of a file of many."""
MAX_TOML_BYTES = 1 << 18
MAX_YAML_BYTES = 1 << 20
"""Less than of JSON: people write them, and they are read more slowly."""
MAX_DEPTH = 64
MAX_DIGITS = 40
"""Of a whole number: as many as a UUID has."""
_MAX_FLOAT_TEXT = 400


class Malformed(ValueError):
    """What is wrong with a document, in words that follow the name of its file."""


def text_of(data: str | bytes, max_length: int) -> str:
    """UTF-8 as text, its byte order mark dropped."""
    if len(data) > max_length:
        raise Malformed(f"more bytes than the limit of {max_length:,}")
    if isinstance(data, bytes):
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise Malformed("is UTF-16; save it as UTF-8")
        try:
            data = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(f"not UTF-8: {error.reason} at byte {error.start}") from None
    return data.removeprefix("\ufeff")


_NO_BRACKET = re.compile(r"[^\[\]{}]++")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


def require_shallow(text: str, strings: re.Pattern[str]) -> None:
    """Count brackets outside of what ``strings`` matches, before a parser that recurses sees them."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    brackets = _NO_BRACKET.sub("", strings.sub("", text))
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise Malformed(TOO_DEEP)


TOO_DEEP = f"nested more than {MAX_DEPTH} deep"


def walk(value: Any) -> Iterator[tuple[int, Any]]:
    """Every value and key inside a value, with its depth."""
    waiting = [(1, value)]
    while waiting:
        depth, value = waiting.pop()
        yield depth, value
        if isinstance(value, dict):
            waiting.extend((depth, key) for key in value)
            waiting.extend((depth + 1, inner) for inner in value.values())
        elif isinstance(value, list):
            waiting.extend((depth + 1, inner) for inner in value)


def whole(digits: str) -> int:
    """A whole number of few digits."""
    if len(digits) > MAX_DIGITS:
        raise Malformed(f"a whole number of {len(digits):,} digits; the limit is {MAX_DIGITS}")
    return int(digits)


def finite(digits: str) -> float:
    """A number that is one."""
    number = float(digits) if len(digits) <= _MAX_FLOAT_TEXT else math.inf
    if not math.isfinite(number):
        raise Malformed(f"{digits[:40]} is no number that can be used, or one too large or too long")
    return number


def once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """An object whose keys stand there once: readers differ in which of two values counts."""
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: set[Any] = set()
        for key, _ in pairs:
            if key in seen:
                raise Malformed(f"the key {str(key)[:80]!r} stands twice in one object")
            seen.add(key)
    return values
