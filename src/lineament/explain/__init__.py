"""Seeing inside trained models and inside a match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.explain.activations import FeatureMaps, feature_maps
    from lineament.explain.crops import aligned, seen_by
    from lineament.explain.filters import first_filters
    from lineament.explain.graph import Graph, Layer
    from lineament.explain.impostors import Crowd, Impostor, crowd, nearest
    from lineament.explain.match import Occlusion, occlude
    from lineament.explain.saliency import Saliency, grad_cam

__all__ = [
    "Crowd",
    "FeatureMaps",
    "Graph",
    "Impostor",
    "Layer",
    "Occlusion",
    "Saliency",
    "aligned",
    "crowd",
    "feature_maps",
    "first_filters",
    "grad_cam",
    "nearest",
    "occlude",
    "seen_by",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.explain.activations": ("FeatureMaps", "feature_maps"),
        "lineament.explain.crops": ("aligned", "seen_by"),
        "lineament.explain.filters": ("first_filters",),
        "lineament.explain.graph": ("Graph", "Layer"),
        "lineament.explain.impostors": ("Crowd", "Impostor", "crowd", "nearest"),
        "lineament.explain.match": ("Occlusion", "occlude"),
        "lineament.explain.saliency": ("Saliency", "grad_cam"),
    },
)
