"""EXIF orientation: read without trusting the block it stands in, and applied.

EXIF 2.32, 4.6.4 A: 1 upright, 2 mirrored, 3 turned by 180 degrees, 4 mirrored upside down, 5 transposed,
6 to be turned 90 degrees clockwise, 7 transversed, 8 to be turned 90 degrees counter-clockwise.
"""

from __future__ import annotations

import struct

import numpy as np

from lineament.types import UInt8

_ORIENTATION_TAG = 274
_SHORT = 3


def from_exif(block: bytes) -> int:
    """The orientation 1-8 in a TIFF-structured EXIF block; 1 when it is absent or makes no sense.

    Only the first directory is read, so offsets that loop lead nowhere; damaged EXIF never costs the
    picture.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for entry in range(count):
            tag, kind, values, value = struct.unpack_from(order + "HHIH", block, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return value if kind == _SHORT and values == 1 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def upright(pixels: UInt8, orientation: int) -> UInt8:
    """The picture as it is meant to be seen; contiguous."""
    if orientation == 1:
        return pixels
    import cv2

    if orientation in (2, 4):
        return np.asarray(cv2.flip(pixels, 1 if orientation == 2 else 0), np.uint8)
    if orientation in (3, 6, 8):
        turn = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
        return np.asarray(cv2.rotate(pixels, turn[orientation]), np.uint8)
    turned = cv2.transpose(pixels)
    return np.asarray(turned if orientation == 5 else cv2.rotate(turned, cv2.ROTATE_180), np.uint8)
