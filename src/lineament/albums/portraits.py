"""Faces of an album as small squares, cut from the photos where they lie."""

from __future__ import annotations

from collections.abc import Iterable

from lineament.albums.records import AlbumFace
from lineament.errors import PictureError
from lineament.io import images
from lineament.plots.thumbnails import data_uri, missing, square
from lineament.types import UInt8

SIDE = 96
"""Of a square, in pixels."""


def portraits(path: str, faces: Iterable[AlbumFace]) -> dict[int, str]:
    """A JPEG as data URI by the number of each face of one photo; grey where it cannot be read now."""
    try:
        pixels: UInt8 | None = images.load(path).pixels
    except PictureError:
        pixels = None
    return {
        face.number: data_uri(
            images.encode_jpeg(
                missing(SIDE) if pixels is None else square(pixels, face.box, SIDE), quality=75
            )
        )
        for face in faces
    }
