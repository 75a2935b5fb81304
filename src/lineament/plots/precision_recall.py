"""How good a detector is at every score: precision over recall, and F1 over the score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import ACCENT, INK, OTHER, QUIET, canvas, legend_name
from lineament.scoring.detection import Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (ACCENT, OTHER, "#3a7d44", "#7a4fa3", INK, QUIET)


def precision_recall_figure(curves: Mapping[str, Curve], *, title: str = "Detection, IoU 0.5") -> Figure:
    """Precision over recall, a line a class; the mark is where F1 is highest."""
    figure, axes = canvas(f"{title}: precision and recall", "recall", "precision")
    for number, (name, curve) in enumerate(curves.items()):
        if not len(curve.scores):
            continue
        colour = _COLOURS[number % len(_COLOURS)]
        axes.step(
            curve.recall, curve.precision, where="pre", color=colour, linewidth=1.5, label=legend_name(name)
        )
        axes.plot(curve.recall[curve.best], curve.precision[curve.best], "o", color=colour, markersize=4)
    axes.set_xlim(0, 1.005)
    axes.set_ylim(0, 1.005)
    if any(len(curve.scores) for curve in curves.values()):
        axes.legend(loc="upper right", frameon=False, fontsize=8)
    return figure


def f1_figure(
    curves: Mapping[str, Curve], *, score: float | None = None, title: str = "Detection, IoU 0.5"
) -> Figure:
    """F1 over the score that a detection needs, a line a class; ``score`` is the one in use."""
    figure, axes = canvas(f"{title}: F1", "least score kept", "F1")
    for number, (name, curve) in enumerate(curves.items()):
        if len(curve.scores):
            # At a score between two detections those above it count.
            x = np.concatenate([curve.scores, [0.0]])
            y = np.concatenate([curve.f1, curve.f1[-1:]])
            axes.step(
                x,
                y,
                where="pre",
                color=_COLOURS[number % len(_COLOURS)],
                linewidth=1.5,
                label=legend_name(name),
            )
    if score is not None:
        axes.axvline(score, color=QUIET, linestyle=":", linewidth=1, label=f"in use: {score:.2f}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(loc="upper right", frameon=False, fontsize=8)
    return figure
