"""One page of a TIFF as a file of its own: the tags that make pixels, and the strips that the page needs.

The decoder reads every number of every tag in Python, so a file may not have it read more of them than its
picture has strips. Nothing else of the directory is passed on. TIFF 6.0, sections 2, 3 and 15.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineament.errors import CorruptPicture

_BYTE, _SHORT, _LONG, _UNDEFINED = 1, 3, 4, 7
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_WHOLE = {_BYTE: "u1", _SHORT: "u2", _LONG: "u4"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _CHANNELS, _ROWS, _STRIP_SIZES, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES = 322, 323, 324, 325
# Tag -> how many values of it are passed on. Fill order, predictor, palette, inks, extra samples, sample
# format; tables of JPEG in bytes; coefficients, subsampling, position and reference of YCbCr.
_ONE = {
    _WIDTH,
    _HEIGHT,
    _COMPRESSION,
    266,
    _CHANNELS,
    _ROWS,
    _PLANAR,
    317,
    _TILE_WIDTH,
    _TILE_HEIGHT,
    332,
    531,
}
_KEPT = dict.fromkeys(_ONE, 1) | {
    **{_BITS: 16, 320: 3 << 16, 338: 16, 339: 16, 347: 1 << 20, 529: 3, 530: 2, 532: 6},
}
_UNCOMPRESSED, _BLACK_IS_ZERO, _SEPARATE = 1, 1, 2
# A strip a row of the longest side that is read, in three planes; tiles are 128 x 128 as a rule.
_MAX_PARTS = 200_000


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    count: int
    raw: bytes


def alone(data: bytes, order: str, at: int, photometric: int) -> bytes:
    """``data`` with one directory more, which alone is read: that at ``at``, upright, nothing behind it.

    Raises `CorruptPicture` where strips lie outside of the file, or are more than a picture has.
    """
    entries, parts = _read(data, order, at)
    entries[_PHOTOMETRIC] = _numbers(order, [photometric])
    entries |= _parts(data, order, entries, parts)
    return _with_directory(data, order, entries)


def _read(data: bytes, order: str, at: int) -> tuple[dict[int, _Entry], dict[int, _Entry]]:
    """The entries to keep, and those that tell where the pixels are."""
    kept: dict[int, _Entry] = {}
    parts: dict[int, _Entry] = {}
    (count,) = struct.unpack_from(order + "H", data, at)
    listed = data[at + 2 : at + 2 + 12 * count]
    for tag, kind, number, inline in struct.iter_unpack(order + "HHI4s", listed[: len(listed) // 12 * 12]):
        where = parts if tag in (_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES) else kept
        if tag in where or kind not in _SIZES or not (where is parts or tag in _KEPT):
            continue
        values = min(number, _MAX_PARTS if where is parts else _KEPT[tag])
        size = values * _SIZES[kind]
        start = struct.unpack(order + "I", inline)[0] if size > 4 else 0
        raw = (data if size > 4 else inline)[start : start + size]
        if size and len(raw) == size:
            where[tag] = _Entry(kind, values, raw)
    return kept, parts


def _parts(
    data: bytes, order: str, entries: dict[int, _Entry], parts: dict[int, _Entry]
) -> dict[int, _Entry]:
    """The entries of strips or tiles, as many as the picture needs, all within the file."""

    def first(tag: int, default: int) -> int:
        entry = entries.get(tag)
        return int(_values(order, entry)[0]) if entry else default

    width, height = first(_WIDTH, 0), first(_HEIGHT, 0)
    channels, planes = first(_CHANNELS, 1), 1
    if first(_PLANAR, 1) == _SEPARATE:
        channels, planes = 1, channels
    tiled = _TILES in parts and _STRIPS not in parts
    wide = first(_TILE_WIDTH, 0) if tiled else width
    tall = first(_TILE_HEIGHT, 0) if tiled else min(first(_ROWS, height), height)
    if not wide or not tall:
        raise CorruptPicture("damaged TIFF: strips or tiles without a size")
    what = "tiles" if tiled else "strips"
    down = -(-height // tall)
    needed = -(-width // wide) * down * planes
    if needed > _MAX_PARTS:
        raise CorruptPicture(f"the TIFF picture is cut into {needed:,} {what}; the limit is {_MAX_PARTS:,}")
    starts = _told(order, parts.get(_TILES if tiled else _STRIPS), needed)
    if starts is None:
        raise CorruptPicture(f"damaged TIFF: it does not tell where all of its {needed:,} {what} are")
    plain = first(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED
    if plain:
        row = -(-wide * channels * max(_values(order, entries.get(_BITS)), default=1) // 8)
        sizes = np.full(needed, row * tall, np.int64)
        if not tiled:
            sizes.reshape(planes, down)[:, -1] = row * (height - tall * (down - 1))
    else:
        told = _told(order, parts.get(_TILE_SIZES if tiled else _STRIP_SIZES), needed)
        if told is None and needed > 1:
            raise CorruptPicture(f"damaged TIFF: it does not tell how long its {needed:,} {what} are")
        sizes = np.array([len(data) - int(starts[0])]) if told is None else told
    # Where nothing is coded, the decoder itself misses what is not there.
    if not plain and (starts + sizes > len(data)).any():
        raise CorruptPicture("the TIFF file ends early")
    if not plain and sizes.sum() > 2 * len(data):
        raise CorruptPicture(
            f"the {what} of the TIFF picture overlap: together they are longer than the file"
        )
    for tag in (_ROWS,) if tiled else (_TILE_WIDTH, _TILE_HEIGHT):
        entries.pop(tag, None)
    if tiled:
        return {_TILES: _numbers(order, starts), _TILE_SIZES: _numbers(order, sizes)}
    if plain and down > 1:
        joined = _joined(starts.reshape(planes, down), sizes.reshape(planes, down))
        if joined is not None:
            starts, sizes, tall = *joined, height
    return {
        _STRIPS: _numbers(order, starts),
        _STRIP_SIZES: _numbers(order, sizes),
        _ROWS: _numbers(order, [tall]),
    }


def _joined(
    starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """One strip a plane, where the strips of each follow one another."""
    if (starts[:, 1:] != starts[:, :-1] + sizes[:, :-1]).any():
        return None
    return starts[:, 0], sizes.sum(axis=1)


def _told(order: str, entry: _Entry | None, needed: int) -> NDArray[np.int64] | None:
    if entry is None or entry.kind not in _WHOLE or entry.count < needed:
        return None
    return _values(order, entry)[:needed]


def _values(order: str, entry: _Entry | None) -> NDArray[np.int64]:
    if entry is None or entry.kind not in _WHOLE:
        return np.array([1 if entry is None else 0], np.int64)
    return np.frombuffer(entry.raw, order + _WHOLE[entry.kind]).astype(np.int64)


def _numbers(order: str, values: NDArray[np.int64] | list[int]) -> _Entry:
    return _Entry(_LONG, len(values), np.asarray(values).astype(order + "u4").tobytes())


def _with_directory(data: bytes, order: str, entries: dict[int, _Entry]) -> bytes:
    padding = bytes(len(data) % 2)
    at = len(data) + len(padding)
    listed, behind = [struct.pack(order + "H", len(entries))], []
    end = at + 2 + 12 * len(entries) + 4
    for tag, entry in sorted(entries.items()):
        inline = entry.raw.ljust(4, b"\0")
        if len(entry.raw) > 4:
            inline = struct.pack(order + "I", end)
            behind.append(entry.raw + bytes(len(entry.raw) % 2))
            end += len(behind[-1])
        listed.append(struct.pack(order + "HHI", tag, entry.kind, entry.count) + inline)
    head = data[:4] + struct.pack(order + "I", at)
    return b"".join([head, data[8:], padding, *listed, bytes(4), *behind])
