"""Binary PGM and PPM, decoded here: a header in words, then the samples as they are.

Pillow decodes a largest value other than 255 sample by sample in Python, and reads a comment of any length
byte by byte. Netpbm formats, pgm(5) and ppm(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from lineament.errors import CorruptPicture
from lineament.types import UInt8

# Three numbers and what a camera or program says of itself in comments.
_MAX_HEADER = 65_536
_NUMBER = re.compile(rb"(?:[ \t\r\n\v\f]|#[^\r\n]*+[\r\n])++([0-9]{1,10})(?=[ \t\r\n\v\f#])")
_CHANNELS = {b"P5": 1, b"P6": 3}
_DEEPEST = 65_535
_STRIP_SAMPLES = 1 << 20


@dataclass(frozen=True, slots=True)
class Samples:
    """What the header says, and where in ``data`` the samples begin."""

    data: bytes
    at: int
    size_wh: tuple[int, int]
    channels: int
    white: int


def opened(data: bytes) -> Samples:
    """Read the header only; raises `CorruptPicture`."""
    head = data[:_MAX_HEADER]
    at, numbers = 2, []
    for _ in range(3):
        found = _NUMBER.match(head, at)
        if found is None:
            if len(data) > _MAX_HEADER and not head[at:].strip(b"0123456789 \t\r\n\v\f"):
                raise _too_long()
            if len(data) > _MAX_HEADER and b"#" in head[at:]:
                raise _too_long()
            raise CorruptPicture("damaged PNM header: width, height and largest value are expected")
        numbers.append(int(found[1]))
        at = found.end()
    width, height, white = numbers
    if not 0 < white <= _DEEPEST:
        raise CorruptPicture(f"damaged PNM header: a largest value of {white}; it is 1 to {_DEEPEST:,}")
    return Samples(data, at + 1, (width, height), _CHANNELS[data[:2]], white)


def _too_long() -> CorruptPicture:
    return CorruptPicture(f"the header of the PNM file is longer than {_MAX_HEADER:,} bytes")


def decode(samples: Samples) -> UInt8:
    """uint8 ``(H, W, 3)`` RGB, the largest value white; of deep grey the upper 8 of 16 bits."""
    width, height = samples.size_wh
    kind = np.dtype(np.uint8 if samples.white < 256 else ">u2")
    count = width * height * samples.channels
    if samples.at + count * kind.itemsize > len(samples.data):
        raise CorruptPicture("the PNM file ends early")
    stored = np.frombuffer(samples.data, kind, count, samples.at)
    out = np.empty((height, width, 3), np.uint8)
    flat = out.reshape(-1, 3)
    shown = None if samples.white == 255 else _shown(samples.white, samples.channels)
    for start in range(0, width * height, _STRIP_SAMPLES):
        part = slice(start * samples.channels, (start + _STRIP_SAMPLES) * samples.channels)
        values = stored[part] if shown is None else shown[stored[part]]
        flat[start : start + _STRIP_SAMPLES] = values.reshape(-1, samples.channels)
    return out


def _shown(white: int, channels: int) -> UInt8:
    """The shade of each stored value; one above the largest is white."""
    values = np.arange(256 if white < 256 else _DEEPEST + 1) / white
    if white > 255 and channels == 1:
        return (np.rint(values * _DEEPEST).clip(0, _DEEPEST).astype(np.uint16) >> 8).astype(np.uint8)
    return np.rint(values * 255).clip(0, 255).astype(np.uint8)
