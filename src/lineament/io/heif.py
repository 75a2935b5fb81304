"""HEIC and HEIF, what iPhones write: read where the extra ``heif`` is installed.

The library that decodes it (pi-heif, with libheif and libde265 inside) is imported when the first such
picture comes. It applies the rotation and mirroring that the container tells; the EXIF orientation beside
them repeats it and is ignored, as the standard asks (ISO/IEC 23000-22, 7.3.6.7).
"""

from __future__ import annotations

from importlib.util import find_spec

from lineament.errors import UnsupportedFormat

_MAX_BOXES = 1_000


def available() -> bool:
    """Whether HEIC and HEIF can be read here; imports nothing."""
    return find_spec("pi_heif") is not None


def require() -> None:
    """Raise `UnsupportedFormat` with the command that installs the decoder, unless it is there."""
    if not available():
        raise UnsupportedFormat(
            "HEIC/HEIF is read with an optional extra: pip install 'lineament[heif]' (or convert it to JPEG)"
        )


def is_sequence_only(data: bytes) -> bool:
    """Whether the file is a film without a still picture: tracks, and no ``meta`` box at the top."""
    kinds, at = set(), 0
    for _ in range(_MAX_BOXES):
        length = int.from_bytes(data[at : at + 4], "big")
        if length == 1:  # the real one follows, in 64 bits
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        kinds.add(data[at + 4 : at + 8])
        at += length
        if length < 8 or at >= len(data):
            break
    return b"moov" in kinds and b"meta" not in kinds
