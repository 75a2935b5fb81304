"""Discrete ROC of a detector: faces found over false positives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.counting import quantity
from lineament.plots.canvas import ACCENT, canvas
from lineament.scoring.detection import Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def discrete_roc_figure(
    curve: Curve, *, pictures: int, things: str = "faces", title: str = "Detection"
) -> Figure:
    """Recall over the number of false positives in the whole set (the discrete ROC of FDDB)."""
    figure, axes = canvas(
        f"{title}: discrete ROC, {quantity(pictures, 'picture')}",
        "false positives in all pictures (logarithmic from 1)",
        f"share of {things} found",
    )
    axes.step(curve.false_positives, curve.recall, where="post", color=ACCENT, linewidth=1.6)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    return figure
