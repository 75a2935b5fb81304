"""JPEG by libjpeg-turbo through simplejpeg: the accurate IDCT, so pixels equal OpenCV's, and strict.

Strict means that a file libjpeg would only warn about (cut short, damaged entropy data) is refused: the
alternative is a picture whose lower half is grey.
"""

from __future__ import annotations

import simplejpeg

from lineament.errors import CorruptPicture, PictureTooLarge
from lineament.io.orientation import from_exif
from lineament.types import UInt8

# Real progressive files have 10 to 20 scans (previews inside the file count too). An empty scan costs few
# bytes and 0.12 s at 120 megapixels, so that a megabyte of them would run for minutes.
_MAX_SCANS = 50
# A camera writes a few dozen segments before the pixels; the walk over them is in Python.
_MAX_SEGMENTS = 2_000


def header(data: bytes) -> tuple[tuple[int, int], int]:
    """``size_wh`` as stored and the EXIF orientation; raises `CorruptPicture`."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    except Exception as error:
        raise CorruptPicture(f"damaged JPEG header: {error}") from None
    return (width, height), from_exif(_exif(data))


def decode(data: bytes, size_wh: tuple[int, int], min_side: int | None) -> tuple[UInt8, float]:
    """Pixels as stored (no orientation), and how many stored pixels one of them stands for."""
    if data.count(b"\xff\xda") > _MAX_SCANS:
        raise CorruptPicture(f"more than {_MAX_SCANS} scans: no encoder writes that")
    wanted = min_side or 0
    # Scales between a half and the whole take longer than the whole (measured), so they are not used.
    smallest = 2 if wanted else 1
    try:
        pixels: UInt8 = simplejpeg.decode_jpeg(
            data, "RGB", min_height=wanted, min_width=wanted, min_factor=smallest
        )
    except MemoryError:
        raise PictureTooLarge(f"{size_wh[0]}x{size_wh[1]} pixels do not fit into memory") from None
    except Exception as error:
        raise CorruptPicture(f"damaged JPEG: {error}") from None
    eighths = round(8 * max(pixels.shape[:2]) / max(size_wh))
    return pixels, 8 / eighths


def _exif(data: bytes) -> bytes:
    """The first EXIF block before the pixels, without its ``Exif`` prefix; empty if there is none."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        at = data.find(b"\xff", at)
        while data[at + 1 : at + 2] == b"\xff":  # fill bytes
            at += 1
        if at < 0 or at + 4 > len(data):
            break
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (0xDA, 0xD9):  # pixels begin, or nothing follows
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:  # stands alone
            at += 2
            continue
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return data[at + 10 : at + 2 + length]
        at += 2 + max(length, 2)
    return b""
