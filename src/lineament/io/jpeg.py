"""JPEG by libjpeg-turbo through simplejpeg: the accurate IDCT, so pixels equal OpenCV's, and strict.

Strict means that a file libjpeg would only warn about (cut short, damaged entropy data) is refused: the
alternative is a picture whose lower half is grey. What loses no pixel is put right before, by
`lineament.io.jpeg_markers` and here.
"""

from __future__ import annotations

import re

import simplejpeg

from lineament.errors import CorruptPicture, PictureTooLarge
from lineament.io.jpeg_markers import Picture, without_fill
from lineament.types import UInt8

_EXTRA = re.compile(r"(?<!\d)(\d+) extraneous bytes before marker 0xd9")
# As an encoder leaves them that writes 32-bit words. A damaged scan may leave bytes over, too, but hardly
# so few (measured: docs/decisions/0002-one-decoder-a-format.md).
_MAX_EXTRA = 4


def size(picture: Picture) -> tuple[int, int]:
    """``size_wh`` as stored; raises `CorruptPicture`."""
    try:
        head = picture.pieces[: picture.scans[0]] if picture.scans else picture.pieces
        height, width, _, _ = simplejpeg.decode_jpeg_header(b"".join(head))
    except Exception as error:
        raise CorruptPicture(f"damaged JPEG header: {error}") from None
    return width, height


def decode(picture: Picture, size_wh: tuple[int, int], min_side: int | None) -> tuple[UInt8, float]:
    """Pixels as stored (no orientation), and how many stored pixels one of them stands for."""
    try:
        pixels = _decode(picture, min_side or 0)
    except MemoryError:
        raise PictureTooLarge(f"{size_wh[0]}x{size_wh[1]} pixels do not fit into memory") from None
    except Exception as error:
        raise CorruptPicture(f"damaged JPEG: {error}") from None
    eighths = round(8 * max(pixels.shape[:2]) / max(size_wh))
    return pixels, 8 / eighths


def _decode(picture: Picture, wanted: int) -> UInt8:
    try:
        return _strictly(picture.pieces, wanted)
    except ValueError as error:
        if "extraneous bytes" not in str(error) or not picture.complete:
            raise
    # Every pixel was decoded and bytes were left over. Some encoders fill up with zeros; where those are
    # needed (a download that broke off on a disk filled with zeros) the decoder misses them now.
    pieces = picture.pieces.copy()
    for at in picture.scans:
        pieces[at] = without_fill(pieces[at])
    try:
        return _strictly(pieces, wanted)
    except ValueError as error:
        extra = _EXTRA.search(str(error))
        if extra is None or int(extra[1]) > _MAX_EXTRA:
            raise
    pieces[picture.scans[-1]] = pieces[picture.scans[-1]][: -int(extra[1])]
    return _strictly(pieces, wanted)


def _strictly(pieces: list[bytes], wanted: int) -> UInt8:
    # Scales between a half and the whole take longer than the whole (measured), so they are not used.
    pixels: UInt8 = simplejpeg.decode_jpeg(
        b"".join(pieces), "RGB", min_height=wanted, min_width=wanted, min_factor=2 if wanted else 1
    )
    return pixels
