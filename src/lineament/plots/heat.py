"""A heat map over a face crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import INK, figure_of
from lineament.types import Float32, UInt8

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heat_figure(crop: UInt8, heat: Float32, title: str, label: str) -> Figure:
    """The crop ``(S, S, 3)`` beside itself under a heat map ``(S, S)`` in 0..1."""
    figure = figure_of(7.2, 3.6)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, color=INK)
    plain, hot = figure.subplots(1, 2)
    plain.imshow(crop)
    hot.imshow(crop)
    drawn = hot.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=np.clip(heat * 0.75, 0, 1))
    figure.colorbar(drawn, ax=hot, shrink=0.85, label=label)
    for axes in (plain, hot):
        axes.set_axis_off()
    return figure


def pair_figure(
    crops: Sequence[UInt8], heats: Sequence[Float32], names: Sequence[str], title: str
) -> Figure:
    """Two crops, and under each the places whose hiding lowers (red) or raises (blue) the similarity."""
    figure = figure_of(6.6, 6.4)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, color=INK)
    grid = figure.subplots(2, 2)
    limit = max(float(np.abs(heat).max()) for heat in heats) or 1.0
    for column, (crop, heat, name) in enumerate(zip(crops, heats, names, strict=True)):
        grid[0, column].imshow(crop)
        grid[0, column].set_title(name, fontsize=9, color=INK)
        grid[1, column].imshow(crop.mean(axis=2), cmap="gray", vmin=0, vmax=255)
        drawn = grid[1, column].imshow(heat, cmap="coolwarm", vmin=-limit, vmax=limit, alpha=0.6)
    for axes in grid.ravel():
        axes.set_axis_off()
    figure.colorbar(drawn, ax=grid[1, :], shrink=0.8, label="fall of the similarity when hidden")
    return figure
