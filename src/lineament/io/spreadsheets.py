"""Tables with commas that people open in a spreadsheet: no cell is run, and what we read back is the same.

A spreadsheet runs a cell that begins with ``= + - @``, and splits cells where its own country divides
them. A text that begins so, or that would do so behind a ``;``, tab or line end within it, gets a ``'``
there; one that begins with ``'`` gets another. Numbers stay numbers. `read` takes away what `cell` put in.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable
from typing import IO, Any

from lineament.io.names import shown

# Blanks and marks that are drawn as nothing may stand before a formula; the wide forms count as well.
_BLANK = "[ '\"\u00a0\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*"
_RUN = f"{_BLANK}[=+\\-@\uff1d\uff0b\uff0d\uff20]"
_FIRST = re.compile(f"'|[\t\r\n]|{_RUN}")
_INSIDE = re.compile(f"(?<=[;\t\r\n])(?={_RUN})")
_PUT_INSIDE = re.compile(f"(?<=[;\t\r\n])'(?={_RUN})")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def cell(text: str, *, typed: bool = False) -> str:
    """A text as a cell that is not run; with ``typed`` neither empty nor a number, to be read as text."""
    if not typed and _NUMBER.fullmatch(text):
        return text
    inside = _INSIDE.sub("'", text)
    mark = _FIRST.match(inside) or (typed and (not text or number(text) is not None))
    return f"'{inside}" if mark else inside


def number(text: str) -> float | None:
    """The finite number that a cell is, or None."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def read(text: str) -> str:
    """The text that a cell was made of."""
    return _PUT_INSIDE.sub("", text.removeprefix("'"))


def write(out: IO[str], rows: Iterable[Iterable[Any]], *, typed: bool = False) -> None:
    """Write rows of texts and numbers; None is an empty cell.

    With ``typed``, for tables that are read again, every text comes back to the character; else it is
    written as `lineament.io.names.shown` shows it.
    """
    # A carriage return within a cell is quoted only where lines end with one.
    writer = csv.writer(out, lineterminator="\r\n" if typed else "\n")
    for row in rows:
        writer.writerow([_written(value, typed) if isinstance(value, str) else value for value in row])


def _written(text: str, typed: bool) -> str:
    return cell(text, typed=True) if typed else cell(shown(text, limit=None))
