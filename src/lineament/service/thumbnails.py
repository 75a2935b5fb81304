"""Rows of a manifest as small JPEGs, the last ones kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from lineament.geometry import boxes as box_geometry
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.types import UInt8

SMALL_PX, LARGE_PX = 224, 720
_AROUND = 1.8
_CACHE_BYTES = 64 * 2**20
_AT_ONCE = 2


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
            pixels = _part(pixels, np.array([row.box], np.float32))
        return images.encode_jpeg(_shrunk(pixels, longest_px), quality=82)


def _part(pixels: UInt8, box: np.ndarray) -> UInt8:
    h, w = pixels.shape[:2]
    if not np.isfinite(box).all():
        return pixels
    x0, y0, x1, y1 = box_geometry.clip(box_geometry.expand(box, _AROUND), (w, h))[0]
    left, top, right, bottom = int(x0), int(y0), int(np.ceil(x1)), int(np.ceil(y1))
    if right - left < 2 or bottom - top < 2:
        return pixels
    return pixels[top:bottom, left:right]


def _shrunk(pixels: UInt8, longest_px: int) -> UInt8:
    import cv2

    h, w = pixels.shape[:2]
    factor = longest_px / max(h, w)
    if factor >= 1:
        return pixels
    size = (max(1, round(w * factor)), max(1, round(h * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
