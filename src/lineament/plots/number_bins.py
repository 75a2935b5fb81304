"""Errors of a predicted number by bins of the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import ACCENT, OTHER, QUIET, canvas
from lineament.scoring.numbers import Bin, NumberErrors

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def number_bins_figure(
    by_bin: Mapping[Bin, NumberErrors | None], *, unit: str = "years", title: str = "Age"
) -> Figure:
    """Mean absolute error and bias of each bin that holds a face, with 95 % bars; below, its faces.

    A bin of one person has no bar, see `Rate.bounded`.
    """
    figure, axes = canvas(f"{title}: errors by true value", f"true value ({unit})", f"error ({unit})")
    found = [(b, e) for b, e in by_bin.items() if e is not None]
    x = np.arange(len(found))
    for shift, colour, name, rates in (
        (-0.1, ACCENT, "mean absolute error", [e.mean_absolute_error for _, e in found]),
        (0.1, OTHER, "bias (prediction minus truth)", [e.bias for _, e in found]),
    ):
        values = np.array([r.value for r in rates])
        ends = [(r.low, r.high) if r.bounded else (r.value, r.value) for r in rates]
        below = np.maximum(values - [low for low, _ in ends], 0)
        above = np.maximum([high for _, high in ends] - values, 0)
        axes.errorbar(
            x + shift,
            values,
            [below, above],
            color=colour,
            marker="o",
            linestyle="none",
            capsize=3,
            label=name,
        )
    axes.axhline(0, color=QUIET, linewidth=1)
    axes.set_xticks(x, [f"{_span(b)}\n{e.bias.n:,}" for b, e in found], fontsize=7)
    axes.legend(loc="best", frameon=False, fontsize=8)
    return figure


def _span(one: Bin) -> str:
    return f"{one[0]:g} to {one[1]:g}" if np.isfinite(one[1]) else f"{one[0]:g} and more"
