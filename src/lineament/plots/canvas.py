"""An empty figure in the style of all others, and writing one to a file. No global state, no display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineament.errors import MissingExtra
from lineament.io.own_files import FIGURE
from lineament.io.writing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, ACCENT, OTHER, QUIET = "#1b1b1b", "#0b5fa5", "#c1440e", "#8a8a8a"


def figure_of(width: float, height: float) -> Figure:
    """A figure without axes, in inches; raises `MissingExtra` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("figures", "plots") from error
    return Figure(figsize=(width, height), dpi=130, layout="constrained")


def canvas(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """A figure of 6 x 4.5 inches with one pair of axes; raises `MissingExtra` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("figures", "plots") from error
    figure = Figure(figsize=(6, 4.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, which="major", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG; raises `OutputError`, and `WouldOverwrite` where anything else lies."""
    with replacing(path, FIGURE, binary=True) as file:
        # Without a date and a program version the same data give the same bytes.
        figure.savefig(file, format="png", metadata={"Software": FIGURE.text})
    return path


def svg(figure: Figure) -> str:
    """A figure as SVG text; the same data give the same text."""
    from io import StringIO

    import matplotlib as mpl

    text = StringIO()
    # Names of clip paths are random unless a salt is given.
    with mpl.rc_context({"svg.hashsalt": "lineament"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
