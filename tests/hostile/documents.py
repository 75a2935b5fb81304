"""Documents that break readers: what stands in them, whichever kind of file they are given as."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

N = 100_000

BROKEN: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\t ",
    "only a byte order mark": b"\xef\xbb\xbf",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "not utf-8": b'{"a": "\xff\xfe"}',
    "nul bytes": b"\0" * 64,
    "a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
    "lists, never closed": b"[" * N,
    "lists, 100,000 deep": b"[" * N + b"]" * N,
    "objects, 100,000 deep": b'{"a":' * N + b"1" + b"}" * N,
    "mixed, 990 deep": b'[{"a":' * 495 + b"1" + b"}]" * 495,
    "5,000 digits": b'{"a": ' + b"7" * 5000 + b"}",
    "4,000 digits": b'{"a": ' + b"7" * 4000 + b"}",
    "400 digits": b"7" * 400,
    "a fraction of 5,000 digits": b"[1." + b"7" * 5000 + b"]",
    "1e999": b'{"a": 1e999}',
    "NaN": b'{"a": NaN}',
    "-Infinity": b"[-Infinity]",
    "a key twice": b'{"a": 1, "a": 2}',
    "half a character": b'{"a": "\\ud800"}',
    "half a character as a key": b'{"\\udfff": 1}',
    "cut off in a string": b'{"a": "bcd',
    "cut off in a list": b'{"a": [1, 2,',
    "two documents": b"{} {}",
    "a control character": b'{"a": "\x01"}',
    "null": b"null",
    "a number": b"7",
    "a text": b'"text"',
    "a list": b"[]",
    "a list of lists": b"[[], []]",
    "an empty object": b"{}",
    "an object of something else": b'{"steps": [1], "a": null}',
    "quotes, escaped, never closed": b'"' + b'\\"' * N,
}

WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    0.5,
    1e300,
    "",
    "x",
    "\udc80",
    [],
    [[1]],
    {},
    {"x": [None]},
)
"""Values that belong at hardly any key."""


def altered(document: Any) -> Iterator[tuple[str, Any]]:
    """The document with the value at each place exchanged for each wrong one, and with each key missing."""
    for path in _places(document):
        for number, value in enumerate(WRONG):
            copy = json.loads(json.dumps(document))
            if not path:
                yield f"whole={number}", value
                continue
            holder = copy
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = value
            yield f"{'.'.join(map(str, path))}={number}", copy
        if path and isinstance(path[-1], str):
            copy = json.loads(json.dumps(document))
            holder = copy
            for step in path[:-1]:
                holder = holder[step]
            del holder[path[-1]]
            holder["surplus"] = 1
            yield f"{'.'.join(map(str, path))} missing", copy


def _places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = list(enumerate(document))[:2]
    for key, inner in items:
        yield from _places(inner, (*path, key))
