"""Small pictures inside the page: contact sheets of subjects, and the rows of a leak side by side."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np

from lineament.errors import PictureError
from lineament.geometry import boxes as box_geometry
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.types import UInt8

CELL = 72
_FRAME = 3
_MISSING = (200, 200, 200)


def contact_sheet(
    manifest: Manifest,
    rows: Sequence[ManifestRow],
    colours: Mapping[str, tuple[int, int, int]],
    wide: int = 12,
) -> str:
    """The rows' faces as one JPEG in a data URI, each framed in the colour of its split.

    A picture that cannot be read is a grey square.
    """
    cells = [_framed(_thumbnail(manifest, row), colours.get(row.split or "", _MISSING)) for row in rows]
    side = CELL + 2 * _FRAME
    columns = min(wide, len(cells))
    sheet = np.full((-(-len(cells) // columns) * side, columns * side, 3), 255, np.uint8)
    for i, cell in enumerate(cells):
        y, x = i // columns * side, i % columns * side
        sheet[y : y + side, x : x + side] = cell
    data = base64.b64encode(images.encode_jpeg(sheet, quality=72)).decode()
    return f"data:image/jpeg;base64,{data}"


def _thumbnail(manifest: Manifest, row: ManifestRow) -> UInt8:
    """The face, or the middle of a picture without a box, ``(CELL, CELL, 3)``."""
    import cv2

    try:
        # Decoded small where it is large; a small face in a large picture may look soft here.
        image = images.load(manifest.file_inside(row), min_side=4 * CELL if row.box else CELL)
    except PictureError:
        return np.full((CELL, CELL, 3), _MISSING, np.uint8)
    w, h = image.size_wh
    region = np.array([[0, 0, w, h]], np.float32)
    if row.box is not None:
        region = box_geometry.expand(np.array([row.box], np.float32) / image.scale, 1.5)
        region = box_geometry.clip(region, (w, h))
    x0, y0, x1, y1 = region[0]
    side = max(2.0, float(min(x1 - x0, y1 - y0)))
    left = int(np.clip((x0 + x1 - side) / 2, 0, max(0, w - side)))
    top = int(np.clip((y0 + y1 - side) / 2, 0, max(0, h - side)))
    part = image.pixels[top : top + round(side), left : left + round(side)]
    return np.asarray(cv2.resize(part, (CELL, CELL), interpolation=cv2.INTER_AREA), np.uint8)


def _framed(cell: UInt8, colour: tuple[int, int, int]) -> UInt8:
    framed = np.full((CELL + 2 * _FRAME, CELL + 2 * _FRAME, 3), colour, np.uint8)
    framed[_FRAME:-_FRAME, _FRAME:-_FRAME] = cell
    return framed
