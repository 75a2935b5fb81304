"""TIFF files made byte for byte: pages, pages below pages, and every number in its own place."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lineament.types import UInt8

SHORT, LONG = 3, 4
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}


@dataclass
class Page:
    """One page: its tags as ``{tag: (type, values)}``, its coded pixels, and the pages below it."""

    tags: dict[int, tuple[int, Sequence[int]]]
    pixels: bytes
    below: list[Page] = field(default_factory=list)


def page(
    samples: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    *,
    photometric: int,
    bits: int = 8,
    order: str = "<",
    deflate: bool = False,
    below: Sequence[Page] = (),
    **more: int,
) -> Page:
    """A page of one strip from ``(H, W)`` or ``(H, W, C)``; further tags as ``t254=1`` (a LONG)."""
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    if bits < 8:
        rows = np.unpackbits(samples.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
        packed = np.packbits(rows.reshape(height, -1), axis=1).tobytes()
    else:
        packed = samples.astype(f"{order}u{bits // 8}").tobytes()
    tags: dict[int, tuple[int, Sequence[int]]] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits] * channels),
        259: (SHORT, [8 if deflate else 1]),
        262: (SHORT, [photometric]),
        277: (SHORT, [channels]),
        278: (LONG, [height]),
    }
    tags |= {int(name[1:]): (LONG, [value]) for name, value in more.items()}
    return Page(tags, zlib.compress(packed) if deflate else packed, list(below))


def tiff(*pages: Page, order: str = "<") -> bytes:
    """The file; the pages are linked in their order, those below a page by its SubIFDs tag."""
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))

    def add(data: bytes) -> int:
        at = len(out)
        out.extend(data + bytes(len(data) % 2))
        return at

    def put(one: Page) -> int:
        tags = one.tags | {273: (LONG, [add(one.pixels)]), 279: (LONG, [len(one.pixels)])}
        if one.below:
            tags |= {330: (LONG, [put(below) for below in one.below])}
        entries = b""
        for tag, (kind, values) in sorted(tags.items()):
            raw = struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values)
            if len(raw) > 4:
                raw = struct.pack(order + "I", add(raw))
            entries += struct.pack(order + "HHI", tag, kind, len(values)) + raw.ljust(4, b"\0")
        return add(struct.pack(order + "H", len(tags)) + entries + bytes(4))

    link = 4
    for one in pages:
        at = put(one)
        struct.pack_into(order + "I", out, link, at)
        link = at + 2 + 12 * struct.unpack_from(order + "H", out, at)[0]
    return bytes(out)


def shrunk(picture: UInt8, factor: int) -> UInt8:
    """A preview: every ``factor``-th pixel."""
    return np.ascontiguousarray(picture[::factor, ::factor])
