"""Reliability diagram: how often what was given a probability came true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import ACCENT, QUIET, canvas
from lineament.scoring.classification import Calibration
from lineament.scoring.intervals import wilson
from lineament.scoring.rate import Rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def calibration_figure(curve: Calibration, error: Rate, *, title: str = "Calibration") -> Figure:
    """Observed frequency over mean probability of each bin, with 95 % bars, and how many samples it holds.

    Below the diagonal the model is surer than it is right. The bars take samples for independent.
    """
    figure, axes = canvas(title, "probability the model gave", "share that was right")
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":", label="as sure as right")
    filled = np.flatnonzero(curve.count)
    x, y = curve.confidence[filled], curve.frequency[filled]
    ends = [wilson(float(f), int(n)) for f, n in zip(y, curve.count[filled], strict=True)]
    below = [max(0.0, float(f) - end.low) for f, end in zip(y, ends, strict=True)]
    above = [max(0.0, end.high - float(f)) for f, end in zip(y, ends, strict=True)]
    label = f"expected calibration error {error}"
    axes.errorbar(
        x, y, [below, above], color=ACCENT, marker="o", markersize=4, linewidth=1.4, capsize=2, label=label
    )
    width = np.diff(curve.edges)
    counts = axes.twinx()
    counts.bar(curve.edges[:-1], curve.count, width, align="edge", color=QUIET, alpha=0.2)
    counts.set_ylim(0, 4 * max(1, int(curve.count.max())))
    counts.set_yticks([])
    counts.spines[["top", "right"]].set_visible(False)
    for i in filled:
        middle = (curve.edges[i] + curve.edges[i + 1]) / 2
        counts.text(middle, curve.count[i], f"{curve.count[i]:,}", ha="center", va="bottom", fontsize=6)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    return figure
