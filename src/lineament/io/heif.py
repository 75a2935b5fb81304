"""HEIC and HEIF, what iPhones write: read where the extra ``heif`` is installed.

The library that decodes it (pi-heif, with libheif and libde265 inside) is imported when the first such
picture comes. It applies the rotation and mirroring that the container tells; the EXIF orientation beside
them repeats it and is ignored, as the standard asks (ISO/IEC 23000-22, 7.3.6.7).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from lineament.errors import CorruptPicture, UnsupportedFormat

# A film of an hour in fragments has some thousand boxes at the top; a still has four.
_MAX_BOXES = 10_000


def available() -> bool:
    """Whether HEIC and HEIF can be read here: the decoder is installed, and loads on this machine."""
    try:
        import_module("pi_heif")
    except (ImportError, OSError):  # OSError: a library of it that this machine cannot load
        return False
    return True


def require() -> None:
    """Raise `UnsupportedFormat` with the command that installs the decoder, unless it is there."""
    if not available():
        raise UnsupportedFormat(
            "HEIC/HEIF needs an optional extra: pip install 'lineament[heif]' (or convert it to JPEG)"
        )


def check(data: bytes) -> None:
    """The gate in front of the decoder, which shows a picture with holes where tiles are missing.

    Raises `CorruptPicture` where a coded item lies beyond the end of the file, `UnsupportedFormat` for a
    film without a still picture. ISO/IEC 14496-12, 4.2 and 8.11.3.
    """
    top = {kind: (start, end) for kind, start, end in _boxes(data, 0, len(data))}
    if b"meta" not in top:
        if b"moov" in top:
            raise UnsupportedFormat("a HEIF film without a still picture; save a frame of it")
        raise CorruptPicture("damaged HEIF header: it has no meta box")
    start, end = top[b"meta"]
    for kind, at, stop in _boxes(data, start + 4, end):
        if kind == b"iloc" and _farthest(data[at:stop]) > len(data):
            raise CorruptPicture("the HEIF file ends early")


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each box, and where its content begins and ends."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        length, header = int.from_bytes(data[at : at + 4], "big"), 8
        if length == 1:  # the real one follows, in 64 bits
            length, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = min(at + length, end) if length else end
        if stop < at + header:
            return
        yield data[at + 4 : at + 8], at + header, stop
        at = stop


def _farthest(iloc: bytes) -> int:
    """Where the last of the pieces that the item locations name ends, as an offset in the file."""
    at = 0

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(iloc[at - size : at], "big")

    version = number(4) >> 24
    sizes = number(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index = index if version else 0
    farthest = 0
    for _ in range(number(4 if version == 2 else 2)):
        number(4 if version == 2 else 2)
        in_file = not version or number(2) & 15 == 0
        number(2)
        origin = number(base)
        pieces = number(2)
        if not offset + length + index:  # nothing is told of them
            pieces = 0
        for _ in range(pieces):
            number(index)
            where = origin + number(offset)
            end = where + number(length)
            farthest = max(farthest, end if in_file else 0)
            if at > len(iloc):
                return farthest
        if at >= len(iloc):
            break
    return farthest
