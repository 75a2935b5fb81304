"""Several pictures on one, with the boxes that are there and those that were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from lineament.plots.annotate import MATCH, NO_MATCH
from lineament.plots.lettering import legible_letters
from lineament.types import UInt8

CELL, COLUMNS = 360, 4
_GAP, _LEGEND = 6, 26


@dataclass(frozen=True, slots=True, eq=False)
class BoxedPicture:
    """A picture, ``truths`` ``(T, 4)`` and ``found`` ``(D, 4)`` in its pixels, a label a box found.

    ``caption`` is written below.
    """

    pixels: UInt8
    truths: Any
    found: Any
    labels: Sequence[str] = ()
    caption: str = ""


def box_sheet(pictures: Sequence[BoxedPicture]) -> UInt8:
    """uint8 ``(H, W, 3)``: the pictures in rows of four; true boxes green and thick, found ones orange."""
    rows = max(1, -(-len(pictures) // COLUMNS))
    columns = max(1, min(COLUMNS, len(pictures)))
    step = CELL + _GAP
    sheet = PillowImage.new("RGB", (columns * step, rows * step + _LEGEND), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    draw.text((4, 5), "labelled", font=font, fill=MATCH)
    draw.text((80, 5), "found", font=font, fill=NO_MATCH)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, COLUMNS)
        sheet.paste(_cell(picture), (column * step, _LEGEND + row * step))
    return np.asarray(sheet, np.uint8)


def _cell(picture: BoxedPicture) -> PillowImage.Image:
    small = PillowImage.fromarray(picture.pixels)
    scale = CELL / max(small.size)
    small = small.resize(
        (max(1, round(small.width * scale)), max(1, round(small.height * scale))),
        PillowImage.Resampling.LANCZOS,
    )
    cell = PillowImage.new("RGB", (CELL, CELL), (240, 240, 240))
    cell.paste(small, (0, 0))
    draw = ImageDraw.Draw(cell)
    font = ImageFont.load_default(size=12)
    for box in np.asarray(picture.truths, np.float64).reshape(-1, 4) * scale:
        draw.rectangle(tuple(map(float, box)), outline=MATCH, width=3)
    labels = [*picture.labels, *[""] * len(picture.found)]
    found = np.asarray(picture.found, np.float64).reshape(-1, 4) * scale
    for number, (box, label) in enumerate(zip(found, labels, strict=False), 1):
        draw.rectangle(tuple(map(float, box)), outline=NO_MATCH, width=2)
        if label:
            written = legible_letters(label, number, 12)
            x, y = min(max(float(box[0]), 0.0), CELL - 40), max(12.0, float(box[1]) - 3)
            left, top, right, bottom = written.box()
            draw.rectangle((x + left - 1, y + top - 1, x + right + 1, y + bottom + 1), fill=NO_MATCH)
            written.draw(draw, (x, y), (255, 255, 255))
    if picture.caption:
        at = (4.0, CELL - 18.0)
        left, top, right, bottom = draw.textbbox(at, picture.caption, font=font)
        draw.rectangle((left - 3, top - 2, right + 3, bottom + 2), fill=(255, 255, 255))
        draw.text(at, picture.caption, font=font, fill=(30, 30, 30))
    return cell
