"""Receiver operating characteristic: true match rate over false match rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import ACCENT, QUIET, canvas
from lineament.scoring.thresholds import RULE_OF
from lineament.scoring.verification import Roc

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def roc_figure(roc: Roc, *, nonmated: int, title: str = "Verification") -> Figure:
    """TMR over FMR, FMR on a log scale; ``nonmated`` is the number of non-mated comparisons.

    Left of 30 / nonmated the curve rests on fewer than 30 errors and is drawn dotted.
    """
    figure, axes = canvas(f"{title}: ROC", "false match rate (log scale)", "true match rate")
    seen = roc.fmr > 0
    x, y = roc.fmr[seen], roc.tmr[seen]
    limit = RULE_OF / nonmated
    solid = x >= limit
    axes.step(x, np.where(solid, y, np.nan), where="post", color=ACCENT, linewidth=1.6)
    axes.step(
        x,
        np.where(solid, np.nan, y),
        where="post",
        color=QUIET,
        linewidth=1.4,
        linestyle=":",
        label=f"fewer than {RULE_OF} false matches",
    )
    axes.set_xscale("log")
    axes.set_xlim(1 / max(nonmated, 2), 1)
    shown = y[solid] if solid.any() else y
    low = float(shown.min()) if len(shown) else 0.0
    axes.set_ylim(max(0.0, low - 0.1 * (1 - low) - 0.002), 1.0005)
    if not solid.all():
        axes.legend(loc="lower right", frameon=False)
    return figure
