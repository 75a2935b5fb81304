"""Small pictures in a grid: filters, and feature maps layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lineament.plots.canvas import INK, figure_of
from lineament.types import Float32, UInt8

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHANNELS = 10
_FILTERS = 128


def filters_figure(weights: Float32, title: str) -> Figure:
    """Filters ``(out, in, h, w)``, each scaled to its own largest weight; grey is 0.

    Three input channels are shown as colours, others as their mean. At most 128 are drawn.
    """
    drawn = weights[:_FILTERS]
    columns = math.ceil(math.sqrt(len(drawn) * 1.6))
    rows = math.ceil(len(drawn) / columns)
    figure = figure_of(columns * 0.55, rows * 0.55 + 0.5)
    figure.suptitle(title, x=0.02, ha="left", fontsize=10, color=INK)
    for number, filter_ in enumerate(drawn, 1):
        axes = figure.add_subplot(rows, columns, number)
        shown = filter_.transpose(1, 2, 0) if filter_.shape[0] == 3 else filter_.mean(axis=0)
        top = float(np.abs(shown).max()) or 1.0
        axes.imshow(0.5 + 0.5 * shown / top, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_axis_off()
    return figure


def feature_maps_figure(crop: UInt8, layers: Sequence[tuple[str, Float32]]) -> Figure:
    """The crop, and a row a layer: its liveliest channels of ``(channels, h, w)``, each on its scale."""
    figure = figure_of(1.0 * _CHANNELS + 0.4, 1.25 * len(layers) + 1.6)
    rows = len(layers) + 1
    first = figure.add_subplot(rows, _CHANNELS, 1)
    first.imshow(crop)
    first.set_title("input", fontsize=8, loc="left", color=INK)
    first.set_axis_off()
    for row, (name, maps) in enumerate(layers, 1):
        order = np.argsort(-maps.std(axis=(1, 2)), kind="stable")[:_CHANNELS]
        for column, channel in enumerate(order):
            axes = figure.add_subplot(rows, _CHANNELS, row * _CHANNELS + column + 1)
            axes.imshow(maps[channel], cmap="viridis", interpolation="nearest")
            axes.set_axis_off()
            if column == 0:
                shape = "x".join(map(str, maps.shape))
                axes.set_title(f"{name}  {shape}", fontsize=8, loc="left", color=INK)
    return figure
