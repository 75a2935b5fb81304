"""Detection error trade-off: false non-match rate over false match rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lineament.plots.canvas import ACCENT, OTHER, QUIET, canvas
from lineament.scoring.operating_points import OperatingPoint
from lineament.scoring.verification import Roc

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def det_figure(
    roc: Roc,
    points: Sequence[OperatingPoint] = (),
    *,
    title: str = "Verification",
    curve: str = "listed pairs",
) -> Figure:
    """FNMR over FMR on log scales, the diagonal where they are equal, and operating points.

    ``points`` are drawn with their 95 % intervals; they may come from other comparisons than the curve.
    """
    figure, axes = canvas(f"{title}: DET", "false match rate", "false non-match rate")
    seen = (roc.fmr > 0) & (roc.fnmr > 0)
    axes.step(roc.fmr[seen], roc.fnmr[seen], where="post", color=ACCENT, linewidth=1.6, label=curve)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for k, point in enumerate(points):
        fmr, fnmr = point.fmr, point.fnmr
        if fmr.value == 0 or fnmr.value == 0:
            continue  # has no place on a log scale
        axes.errorbar(
            fmr.value,
            fnmr.value,
            xerr=[[fmr.value - fmr.interval.low], [fmr.interval.high - fmr.value]],
            yerr=[[fnmr.value - fnmr.interval.low], [fnmr.interval.high - fnmr.value]],
            fmt="o",
            markersize=4,
            color=OTHER,
            elinewidth=1,
            capsize=2,
            label="all comparisons, 95 % intervals" if k == 0 else None,
        )
    ends = axes.get_xlim()
    axes.plot(ends, ends, color=QUIET, linewidth=0.8, linestyle="--", label="equal error rate")
    axes.set_xlim(ends)
    if seen.any():  # an interval may reach down to nothing; the curve sets the scale
        axes.set_ylim(bottom=float(min(roc.fnmr[seen].min(), roc.fmr[seen].min())) / 2)
    axes.legend(loc="lower left", frameon=False, fontsize=8)
    return figure
