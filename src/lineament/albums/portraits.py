"""Faces of an album as small squares, cut from the photos where they lie."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import numpy as np

from lineament.albums.records import AlbumFace
from lineament.errors import PictureError
from lineament.geometry import boxes as box_geometry
from lineament.io import images
from lineament.types import UInt8

SIDE = 96
"""Of a square, in pixels."""
_AROUND = 1.5
_MISSING = (200, 200, 200)


def portraits(path: str, faces: Iterable[AlbumFace]) -> dict[int, str]:
    """A JPEG as data URI by the number of each face of one photo; grey where it cannot be read now."""
    try:
        pixels: UInt8 | None = images.load(path).pixels
    except PictureError:
        pixels = None
    return {face.number: _uri(_square(pixels, face)) for face in faces}


def _square(pixels: UInt8 | None, face: AlbumFace) -> UInt8:
    import cv2

    if pixels is None:
        return np.full((SIDE, SIDE, 3), _MISSING, np.uint8)
    h, w = pixels.shape[:2]
    around = box_geometry.expand(np.array([face.box], np.float32), _AROUND)
    x0, y0, x1, y1 = box_geometry.clip(around, (w, h))[0]
    side = max(2.0, float(min(x1 - x0, y1 - y0)))
    left = int(np.clip((x0 + x1 - side) / 2, 0, max(0, w - side)))
    top = int(np.clip((y0 + y1 - side) / 2, 0, max(0, h - side)))
    part = pixels[top : top + round(side), left : left + round(side)]
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _uri(square: UInt8) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(images.encode_jpeg(square, quality=75)).decode()}"
