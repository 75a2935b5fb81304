"""Who is seen when: a row a person, a bar each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lineament.io.names import shown
from lineament.plots.canvas import ACCENT, INK, OTHER, figure_of, legible_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNKNOWN = "unknown"
_HIGH = 0.34
_MOST = 60
"""Rows of a figure; those who are seen longest."""


def timeline_figure(spans: Sequence[tuple[str | None, float, float]], seconds: float) -> Figure:
    """Bars from and to, in seconds, of each name; None is somebody unknown, in the last row.

    Names come in the order in which they are first seen. A name that no font of this system draws is
    replaced by its row's number, from 1. ``seconds`` is how long the video is.
    """
    of: dict[str | None, list[tuple[float, float]]] = {}
    for name, start, end in sorted(spans, key=lambda span: span[1]):
        of.setdefault(name, []).append((start, end - start))
    longest = sorted(of, key=lambda name: -sum(length for _, length in of[name]))[:_MOST]
    rows = [name for name in of if name is not None and name in longest]
    texts = legible_names([shown(name, 30) for name in rows])
    labels = [*texts, *([UNKNOWN] if None in of else [])]
    figure = figure_of(9, 1.1 + _HIGH * max(1, len(labels)))
    axes = figure.add_subplot()
    every: list[str | None] = [*rows, *([None] if None in of else [])]
    for row, name in enumerate(every):
        # Somebody seen for a moment still gets a line that can be seen.
        bars = [(start, max(length, seconds / 300)) for start, length in of[name]]
        axes.broken_barh(bars, (row - 0.35, 0.7), facecolors=OTHER if name is None else ACCENT)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    axes.set_xlim(0, max(seconds, 1e-3))
    axes.set_xlabel("seconds", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, axis="x", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    return figure
