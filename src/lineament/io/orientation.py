"""EXIF orientation: read without trusting the block it stands in, and applied.

EXIF 2.32, 4.6.4 A: 1 upright, 2 mirrored, 3 turned by 180 degrees, 4 mirrored upside down, 5 transposed,
6 to be turned 90 degrees clockwise, 7 transversed, 8 to be turned 90 degrees counter-clockwise.
"""

from __future__ import annotations

import struct

import numpy as np

from lineament.types import UInt8

_ORIENTATION_TAG = 274
# The integer types of TIFF 6.0, section 2: the standard asks for SHORT, programs write what they like.
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
_MAX_VALUES = 1_000


def from_exif(block: bytes) -> int:
    """The orientation 1-8 in a TIFF-structured EXIF block; 1 when it is absent or makes no sense.

    Only the first directory is read, so offsets that loop lead nowhere; damaged EXIF never costs the
    picture. XMP is not read: it repeats the EXIF value, or contradicts it.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return 1
    return orientation_in(block, order, struct.unpack_from(order + "I", block, 4)[0])


def orientation_in(block: bytes, order: str, at: int) -> int:
    """The orientation 1-8 in the directory at ``at``, of any integer type; 1 when it makes no sense."""
    values = directory(block, order, at, {_ORIENTATION_TAG}).get(_ORIENTATION_TAG)
    return values[0] if values and 1 <= values[0] <= 8 else 1


def directory(block: bytes, order: str, at: int, tags: set[int]) -> dict[int, list[int]]:
    """The integers that a TIFF directory holds under ``tags``; an entry that leads nowhere has none.

    ``order`` is ``<`` or ``>``. Raises nothing: the directory of a damaged file ends with the file.
    """
    found: dict[int, list[int]] = {}
    if at + 2 > len(block):
        return found
    (count,) = struct.unpack_from(order + "H", block, at)
    entries = memoryview(block)[at + 2 : at + 2 + 12 * count]
    for tag, kind, values in struct.iter_unpack(order + "HHI4x", entries[: len(entries) // 12 * 12]):
        at += 12
        if tag not in tags or tag in found:
            continue
        form = f"{order}{min(values, _MAX_VALUES)}{_INTEGERS.get(kind, 's')}"
        where = at - 2
        if struct.calcsize(form) > 4:
            (where,) = struct.unpack_from(order + "I", block, where)
        inside = kind in _INTEGERS and where + struct.calcsize(form) <= len(block)
        found[tag] = list(struct.unpack_from(form, block, where)) if inside else []
    return found


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
