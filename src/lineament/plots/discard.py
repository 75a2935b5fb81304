"""Error versus discard: what remains of the errors when the worst pictures are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import ACCENT, INK, OTHER, QUIET, canvas, legend_name
from lineament.scoring.discard import DiscardCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (ACCENT, OTHER, "#3a7d44", "#7a4fa3", "#b08900", "#00798c", "#a23b72")


def discard_figure(
    curves: Mapping[str, DiscardCurve], *, up_to: float = 0.3, title: str = "Quality"
) -> Figure:
    """FNMR over the share discarded; flat is a number that knows nothing, the dashes one that knows all."""
    figure, axes = canvas(
        f"{title}: error versus discard", "share of comparisons discarded, worst first", "FNMR of the rest"
    )
    for number, (name, curve) in enumerate(curves.items()):
        x, y = np.append(curve.discarded, 1.0), np.append(curve.rate, curve.rate[-1])
        axes.step(
            x,
            y,
            where="post",
            color=_COLOURS[number % len(_COLOURS)],
            linewidth=1.8 if number == 0 else 1.2,
            linestyle=("-", "--", "-.")[number // len(_COLOURS) % 3],
            label=legend_name(name.replace("_", " ")),
        )
    start = max((float(curve.rate[0]) for curve in curves.values()), default=0.0)
    shares = np.linspace(0, up_to, 200)
    axes.axhline(start, color=QUIET, linewidth=1, linestyle=":", label="knows nothing")
    ideal = np.clip((start - shares) / (1 - shares), 0, None)
    axes.plot(shares, ideal, color=INK, linewidth=1, linestyle="--", label="knows every error")
    axes.set_xlim(0, up_to)
    inside = [float(c.rate[c.discarded <= up_to].max()) for c in curves.values()]
    axes.set_ylim(0, max([start, *inside]) * 1.15 + 1e-9)
    axes.legend(loc="lower left", frameon=False, fontsize=7, ncols=2)
    return figure
