"""Which class was taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineament.io.names import shown
from lineament.plots.canvas import INK, canvas, legible_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = 40
"""Up to so many classes are named at the axes."""
_COUNTED = 20
"""Up to so many have their counts written into the cells."""


def confusion_figure(matrix: NDArray[Any], names: Sequence[str], *, title: str = "Confusion") -> Figure:
    """A confusion matrix ``(C, C)``, rows true and columns predicted, shaded by the share of each row.

    A class whose name no font of this system draws bears its number, from 1 in the order of ``names``.
    """
    figure, axes = canvas(title, "predicted", "true")
    side = float(np.clip(3 + 0.28 * len(names), 4.5, 14))
    figure.set_size_inches(side + 0.8, side)
    samples = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, samples, out=np.zeros(matrix.shape), where=samples > 0)
    shades = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shades, label="share of the true class", shrink=0.7)
    axes.grid(False)
    if len(names) <= _NAMED:
        ticks = range(len(names))
        short = [shown(name, limit=24) for name in legible_names(names)]
        axes.set_xticks(ticks, short, rotation=90, fontsize=7)
        axes.set_yticks(ticks, short, fontsize=7)
    if len(names) <= _COUNTED:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            axes.text(
                column,
                row,
                str(matrix[row, column]),
                ha="center",
                va="center",
                fontsize=7,
                color="white" if share[row, column] > 0.5 else INK,
            )
    return figure
