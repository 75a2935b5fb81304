"""Many small pictures on one, a row a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from lineament.io import images
from lineament.io.names import shown
from lineament.plots.lettering import legible, legible_letters
from lineament.types import UInt8

T = TypeVar("T")

CELL, COLUMNS, ROWS, CAPTION = 96, 12, 60, 180
"""Pixels of a picture's side, pictures a person, people, and pixels of the name beside them."""


def contact_sheet(people: Mapping[str, Sequence[Path]]) -> UInt8:
    """uint8 ``(H, W, 3)``: each person's name and number of pictures, and up to 12 of the pictures.

    A name that no font of this system draws is its row's number (`sheet_legend`). Of more than 60 people or
    12 pictures those shown are spread evenly over the order given. Pictures keep their proportions. Raises
    `PictureError` for one that cannot be read.
    """
    names = _spread(list(people), ROWS)
    sheet = PillowImage.new("RGB", (CAPTION + COLUMNS * CELL, max(len(names), 1) * CELL), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(names):
        top = row * CELL
        legible_letters(shown(name, 24), row + 1, 14).draw(draw, (8, top + 22), (30, 30, 30))
        legible_letters(f"{len(people[name])}", row + 1, 14).draw(draw, (8, top + 42), (30, 30, 30))
        for column, path in enumerate(_spread(people[name], COLUMNS)):
            small = PillowImage.fromarray(images.load(path, min_side=CELL).pixels)
            small.thumbnail((CELL - 4, CELL - 4), PillowImage.Resampling.BOX)
            sheet.paste(small, (CAPTION + column * CELL, top))
    return np.asarray(sheet, np.uint8)


def sheet_legend(people: Mapping[str, Sequence[Path]]) -> list[str]:
    """``number<TAB>name`` of each row of `contact_sheet` that bears a number in place of its name."""
    names = _spread(list(people), ROWS)
    written = legible([shown(name, 24) for name in names])
    return [f"{i}\t{shown(name)}" for i, name in enumerate(names, 1) if written[i - 1] != shown(name, 24)]


def _spread(items: Sequence[T], most: int) -> list[T]:
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]
