"""A picture with its faces drawn in: boxes, landmarks and one label a face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from lineament.plots.lettering import legible_letters
from lineament.types import Faces, Image, UInt8

MATCH, NO_MATCH, PLAIN = (34, 139, 84), (200, 80, 30), (40, 90, 200)
"""Colours that stay apart for most colour-blind readers; the label always says the same in words."""


def annotate(
    image: Image,
    faces: Faces,
    labels: Sequence[str] | None = None,
    colours: Sequence[tuple[int, int, int]] | None = None,
) -> UInt8:
    """A copy of the picture, uint8 ``(H, W, 3)``, with boxes, landmarks and labels (one a face).

    A label that no font of this system draws rightly is its face's number, from 1
    (`lineament.plots.lettering.legible`). Line and letter sizes follow the picture's size, so that a 4,000
    pixel photo stays readable.
    """
    canvas = PillowImage.fromarray(image.pixels)
    draw = ImageDraw.Draw(canvas)
    unit = max(canvas.size) / 600
    size = max(10, round(13 * unit))
    for i, face in enumerate(faces):
        colour = colours[i] if colours else PLAIN
        x1, y1, x2, y2 = (float(v) for v in face.box / image.scale)
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=max(1, round(2 * unit)))
        if face.landmarks is not None:
            radius = max(1.0, (x2 - x1) / 40)
            for x, y in face.landmarks / image.scale:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        text = labels[i] if labels else f"{face.score:.2f}"
        written = legible_letters(text, i + 1, size)
        left, top, right, bottom = written.box()
        pad = round(3 * unit)
        width, height = right - left + 2 * pad, bottom - top + 2 * pad
        # Above the box where there is room, otherwise inside it; never off the picture.
        x = min(max(0.0, x1), max(0.0, canvas.width - width))
        y = y1 - height if y1 >= height else min(y1, canvas.height - height)
        draw.rectangle((x, y, x + width, y + height), fill=colour)
        written.draw(draw, (x + pad - left, y + pad - top), (255, 255, 255))
    return np.asarray(canvas, np.uint8)
