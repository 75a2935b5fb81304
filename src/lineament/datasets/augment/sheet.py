"""A picture of what a pipeline does: each row a photo, then its copies, boxes and landmarks drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.augment.view import View
from lineament.types import UInt8

_GAP = 4
_LEFT, _RIGHT, _REST, _BOX = (220, 60, 30), (30, 110, 220), (240, 220, 40), (40, 200, 90)


def sheet(
    pipeline: Pipeline, photos: Sequence[tuple[str, View]], *, copies: int = 7, cell: int = 160
) -> UInt8:
    """A sheet, uint8 RGB, of ``(key, view)`` photos: the photo itself first, then one copy an epoch.

    Boxes are green; the subject's left eye and mouth corner are red, the right ones blue, the nose yellow:
    a mirrored face shows at once.
    """
    rows = []
    for key, view in photos:
        views = [view] + [
            pipeline(view.pixels, view.boxes, view.landmarks, key=key, epoch=epoch)
            for epoch in range(1, copies + 1)
        ]
        rows.append(np.concatenate([_cell(one, cell) for one in views], axis=1))
    return np.concatenate(rows, axis=0)


def _cell(view: View, size: int) -> UInt8:
    import cv2

    w, h = view.size_wh
    scale = size / max(w, h)
    new_wh = (max(1, round(w * scale)), max(1, round(h * scale)))
    small = cv2.resize(view.pixels, new_wh, interpolation=cv2.INTER_AREA)
    for box in view.boxes:
        if not np.isnan(box).any():
            x0, y0, x1, y1 = (int(v) for v in np.rint(box * scale))
            cv2.rectangle(small, (x0, y0), (x1 - 1, y1 - 1), _BOX, 1)
    for points in view.landmarks:
        if np.isnan(points).any():
            continue
        for (x, y), colour in zip(points * scale, (_RIGHT, _LEFT, _REST, _RIGHT, _LEFT), strict=True):
            cv2.circle(small, (round(float(x)), round(float(y))), 2, colour, -1)
    cell = np.full((size + _GAP, size + _GAP, 3), 255, np.uint8)
    cell[: new_wh[1], : new_wh[0]] = small
    return cell
