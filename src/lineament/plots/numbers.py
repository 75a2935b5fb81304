"""Predicted against true numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import ACCENT, QUIET, canvas
from lineament.types import Float64

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def numbers_figure(truth: Float64, predicted: Float64, *, name: str, unit: str = "") -> Figure:
    """One dot a sample; on the dotted line prediction and truth are equal."""
    told = f", {unit}" if unit else ""
    figure, axes = canvas(f"{name}, test split", f"true{told}", f"predicted{told}")
    figure.set_size_inches(5, 5)
    both = np.concatenate([truth, predicted])
    low, high = float(both.min()), float(both.max())
    edge = 0.03 * (high - low or 1)
    axes.plot([low, high], [low, high], color=QUIET, linewidth=1, linestyle=":")
    axes.scatter(truth, predicted, s=9, color=ACCENT, alpha=0.45, linewidths=0)
    axes.set_xlim(low - edge, high + edge)
    axes.set_ylim(low - edge, high + edge)
    axes.set_aspect("equal")
    return figure
