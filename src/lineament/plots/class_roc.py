"""Receiver operating characteristic of classes: each against all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lineament.io.names import shown
from lineament.plots.canvas import ACCENT, QUIET, canvas, legend_name
from lineament.scoring.classification import RocCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = 12
"""Up to so many classes get a colour and a line in the legend."""


def class_roc_figure(
    curves: Mapping[str, RocCurve], areas: Mapping[str, float], *, title: str = "Classification"
) -> Figure:
    """True over false positive rate of each class, with the area under it; chance is the diagonal."""
    figure, axes = canvas(
        f"{title}: ROC, each class against the rest", "false positive rate", "true positive rate"
    )
    named = len(curves) <= _NAMED
    for number, (name, curve) in enumerate(curves.items()):
        axes.step(
            curve.false_positive_rate,
            curve.true_positive_rate,
            where="post",
            linewidth=1.5 if named else 0.6,
            color=(ACCENT if len(curves) == 1 else f"C{number % 10}") if named else QUIET,
            linestyle="-" if number < 10 else "--",
            label=legend_name(f"{shown(name, limit=24)}: {areas[name]:.3f}")
            if named and name in areas
            else None,
        )
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    if named:
        axes.legend(loc="lower right", frameon=False, fontsize=8, title="area under the curve")
    return figure
