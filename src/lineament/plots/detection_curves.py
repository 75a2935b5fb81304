"""Curves of a detector at IoU 0.5: precision and recall, F1 by score, recall by false positives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.plots.canvas import ACCENT, OTHER, QUIET, canvas
from lineament.scoring.detection import Curve
from lineament.scoring.rate import Rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def precision_recall_figure(
    curve: Curve, average_precision: Rate, *, score: float | None = None, title: str = "Detection"
) -> Figure:
    """Precision over recall; the point at ``score``, where one is used, is marked."""
    figure, axes = canvas(
        f"{title}: precision and recall at IoU 0.5", "recall (share of faces found)", "precision"
    )
    label = f"average precision {average_precision}"
    axes.plot(curve.recall, curve.precision, color=ACCENT, linewidth=1.6, label=label)
    kept = 0 if score is None else int((curve.scores >= score).sum())
    if kept:
        at = kept - 1
        axes.plot(
            curve.recall[at],
            curve.precision[at],
            marker="o",
            color=OTHER,
            linestyle="none",
            label=f"score {score:g} and above: {curve.precision[at]:.2f} right, "
            f"{curve.recall[at]:.2f} found",
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower left", frameon=False, fontsize=8)
    return figure


def f1_score_figure(curve: Curve, *, score: float | None = None, title: str = "Detection") -> Figure:
    """Precision, recall and F1 by the score one cuts at; the best F1 of these pictures is marked."""
    figure, axes = canvas(f"{title}: where to cut the score", "least score kept", "share, at IoU 0.5")
    for values, name, colour, style in (
        (curve.f1, "F1", ACCENT, "-"),
        (curve.precision, "precision", QUIET, "--"),
        (curve.recall, "recall", QUIET, ":"),
    ):
        axes.plot(curve.scores, values, color=colour, linestyle=style, linewidth=1.6, label=name)
    if len(curve.scores):
        best = curve.best
        axes.plot(
            curve.scores[best],
            curve.f1[best],
            marker="o",
            color=OTHER,
            linestyle="none",
            label=f"best F1 {curve.f1[best]:.3f} at {curve.scores[best]:.3f} (chosen on these pictures)",
        )
    if score:
        axes.axvline(score, color=OTHER, linewidth=1, linestyle="--", label=f"score used: {score:g}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower center", frameon=False, fontsize=8)
    return figure


def discrete_roc_figure(curve: Curve, *, pictures: int, title: str = "Detection") -> Figure:
    """Recall over the number of false positives in the whole set (the discrete ROC of FDDB)."""
    figure, axes = canvas(
        f"{title}: discrete ROC, {pictures:,} pictures",
        "false positives in all pictures (logarithmic from 1)",
        "share of faces found",
    )
    axes.step(curve.false_positives, curve.recall, where="post", color=ACCENT, linewidth=1.6)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    return figure
