"""One picture with what a detector got right and wrong: faces found, faces missed, false detections."""

from __future__ import annotations

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from lineament.types import Float64, Image, UInt8

FOUND, MISSED, FALSE = (34, 139, 84), (230, 97, 0), (40, 90, 200)
_LONG_SIDE = 1400


def detection_errors(image: Image, found: Float64, missed: Float64, false: Float64) -> UInt8:
    """A copy, uint8 ``(H, W, 3)``, with a line below that counts; boxes ``(N, 4)`` in upright pixels.

    A missed face has one diagonal, a false detection two, so that colour is not needed to tell them apart.
    Small pictures are enlarged and huge ones shrunk to a longer side of about 1,400 pixels.
    """
    full = PillowImage.fromarray(image.pixels)
    zoom = min(4.0, _LONG_SIDE / max(full.size))
    size = round(full.width * zoom), round(full.height * zoom)
    font = ImageFont.load_default(size=20)
    canvas = PillowImage.new("RGB", (max(size[0], 640), size[1] + 34), (255, 255, 255))
    canvas.paste(full.resize(size, PillowImage.Resampling.LANCZOS), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for boxes, colour, strokes in ((found, FOUND, 0), (false, FALSE, 2), (missed, MISSED, 1)):
        for x1, y1, x2, y2 in np.asarray(boxes, np.float64).reshape(-1, 4) / image.scale * zoom:
            draw.rectangle((x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)), outline=colour, width=3)
            if strokes > 0:
                draw.line((x1, y2, x2, y1), fill=colour, width=2)
            if strokes > 1:
                draw.line((x1, y1, x2, y2), fill=colour, width=2)
    x = 8
    for boxes, colour, word in (
        (found, FOUND, "found"),
        (missed, MISSED, "missed (one stroke)"),
        (false, FALSE, "false (cross)"),
    ):
        text = f"{len(boxes)} {word}"
        draw.rectangle((x, size[1] + 9, x + 16, size[1] + 25), fill=colour)
        draw.text((x + 24, size[1] + 5), text, font=font, fill=(20, 20, 20))
        x += 48 + round(draw.textlength(text, font=font))
    return np.asarray(canvas, np.uint8)
