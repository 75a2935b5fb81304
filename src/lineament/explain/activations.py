"""Feature maps: what each layer makes of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineament.config import several
from lineament.explain.graph import Graph, spread
from lineament.shown import shown
from lineament.types import Float32, UInt8


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMaps:
    """A layer's answer: ``maps`` float32 ``(channels, h, w)``, after its activation."""

    layer: str
    maps: Float32

    __repr__ = shown


def feature_maps(
    graph: Graph, crop: UInt8, names: Sequence[str] = (), *, most: int = 6
) -> list[FeatureMaps]:
    """Feature maps of the layers named, or of at most ``most`` spread over the depth of the network.

    ``crop`` is uint8 ``(S, S, 3)`` of the card's size. Raises `UnknownName` for a layer that is not there.
    """
    layers = [graph.layer(name) for name in several(names)] if names else spread(graph.layers(), most)
    found = graph.run([layer.value for layer in layers], crop[None])
    return [FeatureMaps(layer.name, found[layer.value][0]) for layer in layers]
