"""Rows of a manifest as small JPEGs, the last ones kept in memory, and as sheets of many squares."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from lineament.errors import PictureError
from lineament.geometry import boxes as box_geometry
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.types import Float32, UInt8

SMALL_PX, LARGE_PX = 224, 720
_AROUND = 1.8
_CACHE_BYTES = 64 * 2**20
_AT_ONCE = 2
CELL = 72
"""Side of a square of a sheet, in pixels."""
_FRAME = 3
_MISSING = (200, 200, 200)


class Thumbnails:
    """Small pictures of rows: the whole picture, or the surroundings of the row's box.

    At most two pictures are decoded at a time, as one may take 324 MB. Safe from several threads.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._decoding = threading.BoundedSemaphore(_AT_ONCE)

    def get(self, row: ManifestRow, longest_px: int = SMALL_PX) -> bytes:
        """JPEG bytes with no side longer than this; raises `PictureError` for a picture that is refused."""
        key = (row.id, longest_px)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._decoding:
            data = self._make(row, longest_px)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = data
                self._bytes += len(data)
            while self._bytes > _CACHE_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return data

    def _make(self, row: ManifestRow, longest_px: int) -> bytes:
        # With a box only a part is shown, so the picture is needed whole.
        file = self._manifest.file_inside(row)
        image = images.load(file, min_side=None if row.box is not None else longest_px)
        pixels = image.pixels
        if row.box is not None:
            pixels = _part(pixels, row.box)
        return images.encode_jpeg(shrunk(pixels, longest_px), quality=82)


def sheet(
    manifest: Manifest,
    rows: Sequence[ManifestRow],
    colours: Mapping[str, tuple[int, int, int]],
    wide: int = 12,
) -> str:
    """The rows' faces as one JPEG in a data URI, each framed in the colour of its split.

    A picture that cannot be read is a grey square.
    """
    side = CELL + 2 * _FRAME
    columns = min(wide, len(rows))
    found = np.full((-(-len(rows) // columns) * side, columns * side, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        y, x = i // columns * side, i % columns * side
        found[y : y + side, x : x + side] = colours.get(row.split or "", _MISSING)
        found[y + _FRAME : y + _FRAME + CELL, x + _FRAME : x + _FRAME + CELL] = _square(manifest, row)
    return data_uri(images.encode_jpeg(found, quality=72))


def _square(manifest: Manifest, row: ManifestRow) -> UInt8:
    """The face, or the middle of a picture without a box, ``(CELL, CELL, 3)``."""
    try:
        # Decoded small where it is large; a small face in a large picture may look soft here.
        image = images.load(manifest.file_inside(row), min_side=4 * CELL if row.box else CELL)
    except PictureError:
        return missing(CELL)
    box = None if row.box is None else np.array(row.box, np.float32) / image.scale
    return square(image.pixels, box, CELL)


def missing(side: int) -> UInt8:
    """The grey square ``(side, side, 3)`` in the place of a picture that cannot be read."""
    return np.full((side, side, 3), _MISSING, np.uint8)


def square(pixels: UInt8, box: Sequence[float] | Float32 | None, side: int) -> UInt8:
    """The surroundings of a box, or the middle of a picture without one, ``(side, side, 3)``."""
    h, w = pixels.shape[:2]
    x0, y0, x1, y1 = (0, 0, w, h) if box is None else _around(box, 1.5, (w, h))
    whole = max(2.0, float(min(x1 - x0, y1 - y0)))
    left = int(np.clip((x0 + x1 - whole) / 2, 0, max(0, w - whole)))
    top = int(np.clip((y0 + y1 - whole) / 2, 0, max(0, h - whole)))
    return _resized(pixels[top : top + round(whole), left : left + round(whole)], (side, side))


def data_uri(jpeg: bytes) -> str:
    """A JPEG as it stands in a page that needs nothing else."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _part(pixels: UInt8, box: Sequence[float]) -> UInt8:
    h, w = pixels.shape[:2]
    if not np.isfinite(box).all():
        return pixels
    x0, y0, x1, y1 = _around(box, _AROUND, (w, h))
    left, top, right, bottom = int(x0), int(y0), int(np.ceil(x1)), int(np.ceil(y1))
    if right - left < 2 or bottom - top < 2:
        return pixels
    return pixels[top:bottom, left:right]


def _around(box: Sequence[float] | Float32, factor: float, size_wh: tuple[int, int]) -> Float32:
    """A box grown about its centre, as far as the picture goes."""
    (found,) = box_geometry.clip(box_geometry.expand(np.array([box], np.float32), factor), size_wh)
    return np.asarray(found, np.float32)


def shrunk(pixels: UInt8, longest_px: int) -> UInt8:
    """A picture with no side longer than this."""
    h, w = pixels.shape[:2]
    factor = longest_px / max(h, w)
    size_wh = (max(1, round(w * factor)), max(1, round(h * factor)))
    return pixels if factor >= 1 else _resized(pixels, size_wh)


def _resized(pixels: UInt8, size_wh: tuple[int, int]) -> UInt8:
    import cv2

    return np.asarray(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
