"""How a file that this tool wrote is known again: by what stands in it, never by its name.

Each kind of output carries something that no other program writes. A command may write over an earlier
result of its own kind, and over nothing else.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineament.documents import Malformed, json_of

LINE_END = "\t\n"
"""Of a line of ``--json``: a tab before the newline, which JSON allows and nobody else writes."""
ARRAY_END = b"lineament array\n"
"""Behind the numbers of an ``.npy`` file, where numpy does not look."""
GENERATOR = '<meta name="generator" content="lineament">'
_HEAD = 1 << 16
_MARKED_WITHIN = 512
"""Bytes in which the text of a picture of ours stands."""
_JSON_LIMIT = 1 << 28


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of output: its ``name`` in messages, and whether a file is one that this tool wrote.

    ``text`` is what pictures of the kind say of their program: no version, so that equal data stay equal.
    """

    name: str
    known: Callable[[Path], bool]
    text: str = ""


def picture(what: str) -> Kind:
    """PNG or JPEG files with the text ``lineament: what``, which `stamp_png` and `stamp_jpeg` put in."""
    text = f"lineament: {what}"
    return Kind(f"a {what} of lineament", lambda path: _picture_text(path) == text, text)


def stamp_png(data: bytes, kind: Kind) -> bytes:
    """The PNG file with a text chunk behind its header."""
    body = b"tEXtSoftware\0" + kind.text.encode("latin-1")
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return data[:33] + chunk + data[33:]


def stamp_jpeg(data: bytes, kind: Kind) -> bytes:
    """The JPEG file with a comment behind its first segment."""
    at = 4 + int.from_bytes(data[4:6], "big")
    text = kind.text.encode("latin-1")
    return data[:at] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[at:]


def is_drawn(path: str) -> bool:
    """Whether a file is a sheet, drawing or plot of ours: made to be looked at, never to be read again.

    Only the first bytes are read, so that a walk over many photos stays quick. Crops and augmented copies
    are pictures to work on, and not meant.
    """
    try:
        # Never waits: a pipe may have the name of a picture.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # noqa: PTH123
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            head = file.read(_MARKED_WITHIN) if regular else b""
    except (OSError, ValueError):
        return False
    return any(kind.text.encode("latin-1") in head for kind in (SHEET, DRAWING, FIGURE))


def _picture_text(path: Path) -> str | None:
    head = _head(path)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        at = 8
        while at + 12 <= len(head) and (name := head[at + 4 : at + 8]) != b"IDAT":
            end = at + 8 + int.from_bytes(head[at : at + 4], "big")
            if name == b"tEXt" and head[at + 8 : end].startswith(b"Software\0"):
                return head[at + 17 : end].decode("latin-1")
            at = end + 4
    elif head.startswith(b"\xff\xd8"):
        at = 2
        while at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] != 0xDA:
            end = at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
            if head[at + 1] == 0xFE:
                return head[at + 4 : end].decode("latin-1")
            at = end
    return None


def _answers(path: Path) -> bool:
    with path.open("rb") as file:
        return all(line.startswith(b"{") and line.endswith(b"}\t\n") for line in file)


def _object_with(key: str) -> Callable[[Path], bool]:
    def known(path: Path) -> bool:
        if path.stat().st_size > _JSON_LIMIT:
            return False
        values = _json(path.read_bytes())
        return isinstance(values, dict) and key in values

    return known


def lines_with(keys: Iterable[str], *, optional: Iterable[str] = ()) -> Callable[[Path], bool]:
    """Whether each line of a file is a JSON object of just these keys, some of which may be missing."""
    every, needed = {*keys, *optional}, set(keys)

    def known(path: Path) -> bool:
        with path.open("rb") as file:
            while line := file.readline(_JSON_LIMIT):
                values = _json(line)
                if not isinstance(values, dict) or not needed <= set(values) <= every:
                    return False
        return True

    return known


def _manifest(path: Path) -> bool:
    with path.open("rb") as file:
        header = _json(file.readline(_JSON_LIMIT))
    return isinstance(header, dict) and {"lineament_manifest", "rows", "steps"} <= set(header)


def _album(path: Path) -> bool:
    with path.open("rb") as file:
        header = _json(file.readline(_JSON_LIMIT))
    return isinstance(header, dict) and "lineament_album" in header


def _page(path: Path) -> bool:
    head = _head(path)
    return head[:15].lower() == b"<!doctype html>" and GENERATOR.encode() in head[:4096]


def _array(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            return False
        file.seek(-len(ARRAY_END), 2)
        return file.read() == ARRAY_END


def _bundle(path: Path) -> bool:
    head = _head(path)
    return head.startswith(b"PK\x03\x04") and b'"format": "lineament-models/' in head[:512]


def _drawing_table(path: Path) -> bool:
    return _head(path).startswith(b"picture,drawing,error,x1,y1,x2,y2,score\n")


def _appearances(path: Path) -> bool:
    return _head(path).startswith(b"source,track,subject,from_s,to_s,frames,looks,similarity,probability,")


def _json(data: bytes) -> Any:
    try:
        return json_of(data, _JSON_LIMIT)
    except Malformed:
        return None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


ANSWERS = Kind("JSON lines that --json wrote", _answers)
MANIFEST = Kind("a manifest", _manifest)
PROPOSALS = Kind(
    "proposals that `dataset clean` wrote",
    lines_with(("path", "subject", "action", "reason", "score", "to", "of", "detail", "id")),
)
DECISIONS = Kind(
    "the decisions of `dataset review`",
    lines_with(("sha256", "path", "id", "choice"), optional=("to", "by", "reason", "score", "at")),
)
CALIBRATION = Kind("a threshold that `calibrate` wrote", _object_with("lineament_calibration"))
REJECTION = Kind("what `evaluate strangers` wrote", _object_with("lineament_rejection"))
EVALUATION = Kind("an evaluation that --save wrote", _object_with("lineament_evaluation"))
ALBUM = Kind("an album that `cluster` wrote", _album)
PAGE = Kind("a page of lineament", _page)
ARRAY = Kind("an array of lineament", _array)
BUNDLE = Kind("a bundle that `models bundle` wrote", _bundle)
ERROR_TABLE = Kind("the table of --errors", _drawing_table)
APPEARANCES = Kind("a table that `watch` wrote", _appearances)
PICTURE = picture("picture")
DRAWING = picture("drawing")
SHEET = picture("sheet")
FIGURE = picture("figure")
CROP = picture("crop")
COPY = picture("copy")
MASKED = picture("masked picture")
NEW = Kind("a new file", lambda _path: False)
"""Never written over, not even an earlier one."""
OWN = Kind("a file of the folder that a step has made its own", lambda _path: True)
"""For folders that a step has recognised as its own before it writes there: a run, an extraction."""
