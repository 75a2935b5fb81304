"""1:N figures: the open-set trade-off, and the closed-set cumulative match characteristic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import ACCENT, QUIET, canvas
from lineament.scoring.identification import Searches, cmc
from lineament.scoring.thresholds import RULE_OF
from lineament.types import Float32

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def open_set_figure(mated: Searches, nonmated_top: Float32, *, title: str = "Identification") -> Figure:
    """FNIR (rank 1) over FPIR, FPIR on a log scale; dotted where fewer than 30 searches are returned."""
    figure, axes = canvas(
        f"{title}: open set", "false positive identification rate", "false negative identification rate"
    )
    tops = np.sort(nonmated_top[np.isfinite(nonmated_top)].astype(np.float64))
    values = np.unique(tops)[::-1]
    fpir = (len(tops) - np.searchsorted(tops, values, "left")) / len(nonmated_top)
    hits = np.sort(mated.mate[mated.rank == 1].astype(np.float64))
    fnir = 1 - (len(hits) - np.searchsorted(hits, values, "left")) / len(mated.mate)
    sure = fpir >= RULE_OF / len(nonmated_top)
    axes.step(fpir, np.where(sure, fnir, np.nan), where="post", color=ACCENT, linewidth=1.6)
    axes.step(
        fpir,
        np.where(sure, np.nan, fnir),
        where="post",
        color=QUIET,
        linewidth=1.4,
        linestyle=":",
        label=f"fewer than {RULE_OF} false positives",
    )
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", frameon=False, fontsize=8)
    return figure


def cmc_figure(mated: Searches, *, enrolled: int, title: str = "Identification") -> Figure:
    """Share of mates within rank 1..20, closed-set: it says nothing about people who are not enrolled."""
    figure, axes = canvas(f"{title}: CMC (closed-set)", "rank", "share of mates found")
    ranks = min(20, enrolled)
    axes.plot(range(1, ranks + 1), cmc(mated, ranks), color=ACCENT, marker="o", markersize=3, linewidth=1.4)
    axes.set_xlim(0.5, ranks + 0.5)
    axes.set_xticks(range(1, ranks + 1, 1 if ranks <= 10 else 2))
    return figure
