"""An empty figure in the style of all others, and writing one to a file. No global state, no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lineament.errors import MissingExtra
from lineament.io.names import visible
from lineament.io.own_files import FIGURE
from lineament.io.writing import replacing
from lineament.plots.lettering import figure_font

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter

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


def legible_names(names: Sequence[str]) -> list[str]:
    """Each name, or its number from 1 where no font of this system can be used for it."""
    return [name if figure_font(name) is not None else str(i) for i, name in enumerate(names, 1)]


def legend_name(name: str) -> str:
    """A name as it may stand in a legend, which leaves out what begins with an underscore."""
    return f" {name}" if name.startswith("_") else name


def _make_legible(figure: Figure) -> None:
    """Let each text be its own letters: no formula, nothing unseen, and a font that has its glyphs.

    What no font has is escaped: never empty boxes.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    numbers = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels, formatter = axis.get_ticklabels(which="both"), axis.get_major_formatter()
            if isinstance(formatter, FixedFormatter | FuncFormatter):
                axis.set_major_formatter(_shown_ticks(formatter))  # it is asked again when it is drawn
            else:
                numbers.update(labels)  # matplotlib's own, such as 10 to the -3
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text not in numbers:
            text.set_parse_math(False)
        written = _visible(text.get_text())
        text.set_text(written)
        if written.isascii():
            continue
        font = figure_font(written)
        if font is None:
            text.set_text(written.encode("ascii", "backslashreplace").decode())
        elif font.name != _OWN_FONT:
            text.set_fontproperties(FontProperties(fname=font, size=text.get_fontsize()))


def _shown_ticks(formatter: Formatter) -> Formatter:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, position: _visible(formatter(value, position)))


def _visible(lines: str) -> str:
    return "\n".join(map(visible, lines.split("\n")))


_OWN_FONT = "DejaVuSans.ttf"


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG; raises `OutputError`, and `WouldOverwrite` where anything else lies."""
    _make_legible(figure)
    with replacing(path, FIGURE, binary=True) as file:
        # Without a date and a program version the same data give the same bytes.
        figure.savefig(file, format="png", metadata={"Software": FIGURE.text})
    return path


def svg(figure: Figure) -> str:
    """A figure as SVG text; the same data give the same text."""
    from io import StringIO

    import matplotlib as mpl

    _make_legible(figure)
    text = StringIO()
    # Names of clip paths are random unless a salt is given.
    with mpl.rc_context({"svg.hashsalt": "lineament"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
