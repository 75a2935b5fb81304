"""A face and those most like it, with their similarities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lineament.io.names import shown
from lineament.plots.canvas import INK, QUIET, figure_of, legible_names
from lineament.types import UInt8

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def lookalikes_figure(
    rows: Sequence[tuple[str, UInt8, Sequence[tuple[str, float, UInt8 | None]]]],
) -> Figure:
    """A row a face: its name and crop, then name, similarity and crop of each lookalike, best first.

    A name that no font of this system draws is replaced by its place in the row: 1 for the face, 2 for the
    likest.
    """
    columns = 1 + max((len(others) for _, _, others in rows), default=0)
    figure = figure_of(1.5 * columns, 1.95 * len(rows))
    for row, (name, crop, others) in enumerate(rows):
        cells: list[tuple[str, UInt8 | None, str]] = [(shown(name, 20), crop, INK)]
        cells += [(f"{shown(who, 20)}\n{score:.3f}", face, QUIET) for who, score, face in others]
        titles = legible_names([text for text, _, _ in cells])
        for column, (title, (_, face, colour)) in enumerate(zip(titles, cells, strict=True)):
            axes = figure.add_subplot(len(rows), columns, row * columns + column + 1)
            if face is not None:
                axes.imshow(face)
            axes.set_title(title, fontsize=7, color=colour)
            axes.set_axis_off()
    return figure
