"""A picture with its faces drawn in: boxes, landmarks, mesh and what is said of each, line by line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from lineament.plots.lettering import legible_letters
from lineament.types import Faces, Image, UInt8

MATCH, NO_MATCH, PLAIN = (34, 139, 84), (200, 80, 30), (40, 90, 200)
"""Colours that stay apart for most colour-blind readers; the label always says the same in words."""

MESH = (255, 255, 255)


def annotate(
    image: Image,
    faces: Faces,
    labels: Sequence[str] | None = None,
    colours: Sequence[tuple[int, int, int]] | None = None,
) -> UInt8:
    """A copy of the picture, uint8 ``(H, W, 3)``, with boxes, landmarks and labels, by default the score.

    There is one label a face, of several lines perhaps; an empty one is left out. A line that no font of
    this system draws rightly is its face's number, from 1 (`lineament.plots.lettering.legible`). Line and
    letter sizes follow the picture's size, so that a 4,000 pixel photo stays readable.
    """
    canvas = PillowImage.fromarray(image.pixels)
    draw = ImageDraw.Draw(canvas)
    unit = max(canvas.size) / 600
    size = max(10, round(13 * unit))
    for i, face in enumerate(faces):
        colour = colours[i] if colours else PLAIN
        x1, y1, x2, y2 = (float(v) for v in face.box / image.scale)
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=max(1, round(2 * unit)))
        if face.dense is not None:
            dot = max(0.5, (x2 - x1) / 300)
            for x, y in face.dense / image.scale:
                draw.ellipse((x - dot, y - dot, x + dot, y + dot), fill=MESH)
        if face.landmarks is not None:
            radius = max(1.0, (x2 - x1) / 40)
            for x, y in face.landmarks / image.scale:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        text = labels[i] if labels else f"{face.score:.2f}"
        lines = [legible_letters(line, i + 1, size) for line in text.splitlines() if line]
        if not lines:
            continue
        boxes = [line.box() for line in lines]
        pad, step = round(3 * unit), round(1.35 * size)
        width = max(right - left for left, _, right, _ in boxes) + 2 * pad
        above = -min(boxes[0][1], -0.7 * size)
        height = above + (len(lines) - 1) * step + max(boxes[-1][3], 0.0) + 2 * pad
        # Above the box where there is room, otherwise inside it; never off the picture.
        x = min(max(0.0, x1), max(0.0, canvas.width - width))
        y = y1 - height if y1 >= height else max(0.0, min(y1, canvas.height - height))
        draw.rectangle((x, y, x + width, y + height), fill=colour)
        for number, (line, box) in enumerate(zip(lines, boxes, strict=True)):
            line.draw(draw, (x + pad - box[0], y + pad + above + number * step), (255, 255, 255))
    return np.asarray(canvas, np.uint8)
