"""How a training went: its figures over the epochs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lineament.errors import MissingExtra
from lineament.plots.canvas import ACCENT, INK, OTHER, QUIET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_A_ROW = 3
"""Panels beside each other."""


def curves_figure(
    history: Sequence[Mapping[str, float]], names: Sequence[str], *, best_epoch: int | None = None
) -> Figure:
    """One panel a name with its training and validation curve; the best epoch is marked."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise MissingExtra("figures", "plots") from error
    shown = [n for n in names if any(f"{part}_{n}" in row for row in history for part in ("train", "val"))]
    wide = min(_A_ROW, max(1, len(shown)))
    high = max(1, -(-len(shown) // wide))
    figure = Figure(figsize=(5 * wide, 3.8 * high), dpi=130, layout="constrained")
    for number, name in enumerate(shown, 1):
        axes = figure.add_subplot(high, wide, number)
        for part, colour in (("train", ACCENT), ("val", OTHER)):
            points = [(row["epoch"], row[f"{part}_{name}"]) for row in history if f"{part}_{name}" in row]
            if points:
                x, y = zip(*points, strict=True)
                axes.plot(x, y, color=colour, marker=".", linewidth=1.5, label=f"{part}")
        if best_epoch is not None:
            axes.axvline(best_epoch, color=QUIET, linewidth=1, linestyle=":", label="best epoch")
        words = re.sub(r"\bauc\b", "AUC", name.replace("_", " "))
        axes.set_title(words, loc="left", fontsize=11, color=INK)
        axes.set_xlabel("epoch")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#e4e4e4", linewidth=0.7)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, fontsize=8)
    return figure
