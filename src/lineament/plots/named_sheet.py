"""A contact sheet of answers: each face with what was said of it below, to be looked through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from lineament.io.names import shown
from lineament.plots.annotate import PLAIN
from lineament.plots.lettering import letters
from lineament.types import Image, UInt8

CELL, COLUMNS, MOST = 180, 6, 240
"""Pixels of a picture's side, faces in a row, and faces on a sheet."""

_AROUND = 1.0
"""Of the longer side of a box, what is shown on each side of it."""

_LETTER, _LINE, _GAP = 14, 19, 6
_LETTERS_A_LINE = 23


class NamedSheet:
    """Takes faces one by one; ``beyond`` counts those after the first 240, for which there is no room."""

    def __init__(self) -> None:
        self._cells: list[tuple[PillowImage.Image, list[str]]] = []
        self.beyond = 0
        self.legend: list[str] = []

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, image: Image, box: Sequence[float], label: str, source: str) -> None:
        """One face: its ``box`` in the pixels of the file, its label of one or more lines, its file's name.

        A line that no font here can draw is the number of its cell, which `legend` explains.
        """
        if len(self._cells) == MOST:
            self.beyond += 1
            return
        number = len(self._cells) + 1
        lines = []
        for line in (*label.splitlines(), source):
            written = shown(line, limit=_LETTERS_A_LINE)
            if letters(written, _LETTER) is None:
                self.legend.append(f"{number} is {shown(line)}")
                written = str(number)
            lines.append(written)
        self._cells.append((_cell(image, np.asarray(box, np.float64) / image.scale), lines))

    def picture(self) -> UInt8:
        """uint8 ``(H, W, 3)``."""
        most = max((len(lines) for _, lines in self._cells), default=0)
        step_x, step_y = CELL + _GAP, CELL + most * _LINE + 2 * _GAP
        columns = max(1, min(COLUMNS, len(self._cells)))
        rows = max(1, -(-len(self._cells) // COLUMNS))
        sheet = PillowImage.new("RGB", (columns * step_x + _GAP, rows * step_y + _GAP), (255, 255, 255))
        draw = ImageDraw.Draw(sheet)
        for number, (cell, lines) in enumerate(self._cells):
            row, column = divmod(number, COLUMNS)
            x, y = _GAP + column * step_x, _GAP + row * step_y
            sheet.paste(cell, (x, y))
            for i, line in enumerate(lines):
                last = i == len(lines) - 1
                if (written := letters(line, _LETTER)) is not None:
                    ink = (140, 140, 140) if last else (25, 25, 25)
                    written.draw(draw, (x, y + CELL + (i + 1) * _LINE - 4), ink)
        return np.asarray(sheet, np.uint8)


def _cell(image: Image, box: np.ndarray) -> PillowImage.Image:
    """The face with what is around it, and its box."""
    h, w = image.hw
    side = float((box[2:] - box[:2]).max()) * (1 + 2 * _AROUND)
    side = min(max(side, 8.0), float(min(h, w)))
    middle = (box[:2] + box[2:]) / 2
    low = [_within(float(m) - side / 2, side, whole) for m, whole in zip(middle, (w, h), strict=True)]
    left, top = round(low[0]), round(low[1])
    part = image.pixels[max(0, top) : max(0, top) + round(side), max(0, left) : max(0, left) + round(side)]
    small = PillowImage.fromarray(np.ascontiguousarray(part))
    k = CELL / max(small.size)
    small = small.resize((max(1, round(small.width * k)), max(1, round(small.height * k))))
    edges = [(float(box[i]) - max(0, (left, top)[i % 2])) * k for i in range(4)]
    ImageDraw.Draw(small).rectangle(edges, outline=PLAIN, width=2)
    cell = PillowImage.new("RGB", (CELL, CELL), (240, 240, 240))
    cell.paste(small, (0, 0))
    return cell


def _within(low: float, side: float, whole: int) -> float:
    """Where a stretch begins that does not leave the picture, if it fits into it."""
    return min(max(low, 0.0), max(0.0, whole - side))
