"""How mated and non-mated scores are distributed, and where the thresholds fall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lineament.plots.canvas import ACCENT, INK, OTHER, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def score_figure(
    mated: Any, nonmated: Any, thresholds: Mapping[str, float], *, title: str = "Verification"
) -> Figure:
    """Shares of mated and non-mated scores in bins of 0.02, with labelled thresholds.

    Failures to acquire (-inf) have no place on the axis; the legend counts them.
    """
    figure, axes = canvas(f"{title}: scores", "similarity", "share of comparisons")
    edges = np.linspace(-1, 1, 101)
    for name, scores, colour in (("non-mated", nonmated, OTHER), ("mated", mated, ACCENT)):
        finite = scores[np.isfinite(scores)]
        failed = len(scores) - len(finite)
        label = f"{name}, {len(scores):,}" + (f" ({failed:,} failed to acquire)" if failed else "")
        share = np.histogram(np.clip(finite, -1, 1), edges)[0] / max(len(scores), 1)
        axes.stairs(share, edges, fill=True, alpha=0.45, color=colour, label=label)
        axes.stairs(share, edges, color=colour, linewidth=1)
    top = axes.get_ylim()[1]
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
    low = float(
        min((s[np.isfinite(s)].min() for s in (mated, nonmated) if np.isfinite(s).any()), default=-1)
    )
    axes.set_xlim(low - 0.05, 1.0)
    axes.legend(loc="upper right", frameon=False, fontsize=8)
    return figure
