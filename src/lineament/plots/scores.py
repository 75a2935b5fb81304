"""How mated and non-mated scores are distributed, and where the thresholds fall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineament.plots.canvas import ACCENT, INK, OTHER, canvas, legend_name
from lineament.scoring.comparisons import Histogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def score_figure(
    mated: Any, nonmated: Any, thresholds: Mapping[str, float], *, title: str = "Verification"
) -> Figure:
    """Shares of mated and non-mated scores in bins of 0.02, with labelled thresholds.

    Failures to acquire (-inf) have no place on the axis; the legend counts them.
    """
    sides = []
    for scores in (nonmated, mated):
        finite = scores[np.isfinite(scores)]
        sides.append((np.histogram(np.clip(finite, -1, 1), 100, (-1, 1))[0], len(scores)))
    return _draw(sides, thresholds, title)


def histogram_figure(
    histogram: Histogram, mated: int, thresholds: Mapping[str, float], *, title: str = "Verification"
) -> Figure:
    """The same from counts in bins; ``mated`` comparisons were made, failures to acquire included."""
    coarse = len(histogram.mated) // 100
    sides = [
        (counts.reshape(-1, coarse).sum(axis=1), total)
        for counts, total in ((histogram.nonmated, histogram.counted), (histogram.mated, mated))
    ]
    return _draw(sides, thresholds, title)


def _draw(sides: Sequence[tuple[NDArray[Any], int]], thresholds: Mapping[str, float], title: str) -> Figure:
    """Non-mated and mated counts in 100 bins, each with how many comparisons there were."""
    figure, axes = canvas(f"{title}: scores", "similarity", "share of comparisons")
    edges = np.linspace(-1, 1, 101)
    for (counts, total), name, colour in zip(sides, ("non-mated", "mated"), (OTHER, ACCENT), strict=True):
        failed = total - int(counts.sum())
        label = f"{name}, {total:,}" + (f" ({failed:,} failed to acquire)" if failed else "")
        share = counts / max(total, 1)
        axes.stairs(share, edges, fill=True, alpha=0.45, color=colour, label=legend_name(label))
        axes.stairs(share, edges, color=colour, linewidth=1)
    top = 1.2 * axes.get_ylim()[1]  # room for the legend
    for k, (name, value) in enumerate(thresholds.items()):
        axes.axvline(value, color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
        axes.annotate(
            name,
            (value, top * (0.95 - 0.08 * k)),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )
    axes.set_ylim(0, top)
    used = np.flatnonzero(sum(counts for counts, _ in sides))
    low = float(edges[used[0]]) if len(used) else -1.0
    axes.set_xlim(low - 0.05, 1.0)
    axes.legend(loc="upper right", frameon=False, fontsize=8)
    return figure
