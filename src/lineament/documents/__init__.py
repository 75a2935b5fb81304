"""Documents that somebody else may have written: the one reader of JSON, TOML and YAML.

What nobody writes on purpose is refused before it costs anything: too many bytes, nesting too deep, numbers
too long or not finite, a key that stands twice, half a character, aliases. What is read is plain values;
`lineament.typed` and `lineament.config` make dataclasses of them.
"""

from __future__ import annotations

import json
import math
import re
import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from lineament.documents import _yaml
from lineament.documents._bounds import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_TOML_BYTES,
    MAX_YAML_BYTES,
    TOO_DEEP,
    Malformed,
    finite,
    once,
    require_shallow,
    text_of,
    walk,
    whole,
)
from lineament.errors import ConfigError, LineamentError

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_DIGITS",
    "MAX_TOML_BYTES",
    "MAX_YAML_BYTES",
    "Malformed",
    "json_of",
    "lines_of",
    "read_json",
    "read_object",
    "read_toml",
    "toml_of",
    "yaml_of",
]

T = TypeVar("T")
_MAX_KEY_PARTS = 64


def read_json(
    path: Path, refusal: type[LineamentError] = ConfigError, *, max_bytes: int = MAX_BYTES
) -> Any:
    """The values of a JSON file; raises ``refusal``, which names the file and what is wrong."""
    return _read(path, refusal, lambda data: json_of(data, max_bytes), max_bytes)


def read_object(
    path: Path, refusal: type[LineamentError] = ConfigError, *, max_bytes: int = MAX_BYTES
) -> dict[str, Any]:
    """The same for a file that holds one JSON object."""
    values = read_json(path, refusal, max_bytes=max_bytes)
    if not isinstance(values, dict):
        raise refusal(f"{path}: holds no JSON object")
    return values


def read_toml(path: Path, refusal: type[LineamentError] = ConfigError) -> dict[str, Any]:
    """The table of a TOML file; raises ``refusal``, which names the file and what is wrong."""
    return _read(path, refusal, toml_of, MAX_TOML_BYTES)


def _read(path: Path, refusal: type[LineamentError], parse: Callable[[bytes], T], max_bytes: int) -> T:
    try:
        # Never waits: a pipe may have the name of a document.
        if not stat.S_ISREG(path.stat().st_mode):
            raise refusal(f"{path}: not a regular file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise refusal(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        return parse(data)
    except Malformed as error:
        raise refusal(f"{path}: {error}") from None


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of an open file; raises `Malformed` for one too long."""
    while line := file.readline(MAX_BYTES + 1):
        if len(line) > MAX_BYTES:
            raise Malformed(f"more bytes than the limit of {MAX_BYTES:,}")
        yield line


# Possessive, and the closing quote may be missing: each character is looked at once, whatever the text is.
_JSON_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_TOML_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:""")?|'
    r"'''(?:[^']++|'(?!''))*+(?:''')?|"
    r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|'
    r"'[^'\n]*+'?|#[^\n]*+",
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{_MAX_KEY_PARTS}}}")
# Of escapes: low ones stand for bytes of file names in another encoding, the others mean nothing alone.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ALONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def json_of(data: str | bytes, max_bytes: int = MAX_BYTES, *, numbers: bool = True) -> Any:
    """The values of JSON; raises `Malformed`.

    Without ``numbers`` those that are none (NaN, infinite, of 400 digits) come as NaN or infinity instead
    of ending it, for label files in which one box may be wrong and the others right.
    """
    text = text_of(data, max_bytes)
    if not text.strip(" \t\n\r"):
        raise Malformed("is empty")
    require_shallow(text, _JSON_STRING)
    try:
        values = (_JSON if numbers else _JSON_OF_TOOLS).decode(text)
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error}") from None
    except RecursionError:
        raise Malformed(TOO_DEEP) from None
    if _SURROGATE.search(text):
        for _, inner in walk(values):
            if isinstance(inner, str) and _ALONE.search(inner):
                raise Malformed(f"{inner[:40]!r} holds half of a character")
    return values


def toml_of(data: str | bytes) -> dict[str, Any]:
    """The table of a TOML document; raises `Malformed`."""
    text = text_of(data, MAX_TOML_BYTES)
    require_shallow(text, _TOML_STRING)
    if _LONG_KEY.search(_TOML_STRING.sub("x", text)):
        raise Malformed(f"a key has more than {_MAX_KEY_PARTS} parts")
    try:
        values = tomllib.loads(text, parse_float=finite)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not TOML: {error}") from None
    for depth, inner in walk(values):
        if depth > MAX_DEPTH:
            raise Malformed(TOO_DEEP)
        if isinstance(inner, int) and abs(inner) >= 10**MAX_DIGITS:
            raise Malformed(f"a whole number of more than {MAX_DIGITS} digits")
    return values


def yaml_of(data: str | bytes) -> Any:
    """The values of a YAML document without aliases and special tags; raises `Malformed`."""
    return _yaml.parsed(text_of(data, MAX_YAML_BYTES))


def _no_number(word: str) -> Any:
    raise Malformed(f"{word} is no number that can be used")


def _whole_or_infinite(digits: str) -> int | float:
    try:
        return int(whole(digits))
    except Malformed:
        return math.copysign(math.inf, -1 if digits.startswith("-") else 1)


_JSON = json.JSONDecoder(
    object_pairs_hook=once, parse_int=whole, parse_float=finite, parse_constant=_no_number
)
_JSON_OF_TOOLS = json.JSONDecoder(object_pairs_hook=once, parse_int=_whole_or_infinite)
