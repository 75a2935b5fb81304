"""The edge to files, models and the network: pictures, pinned assets, cards, inference sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.io.assets import fetch
    from lineament.io.catalog import ModelCard, card, cards
    from lineament.io.images import Limits, encode_jpeg, encode_png, load, probe, save
    from lineament.io.manifest import Manifest, ManifestRow
    from lineament.io.onnx import open_session
    from lineament.io.sources import expand, people

__all__ = [
    "Limits",
    "Manifest",
    "ManifestRow",
    "ModelCard",
    "card",
    "cards",
    "encode_jpeg",
    "encode_png",
    "expand",
    "fetch",
    "load",
    "open_session",
    "people",
    "probe",
    "save",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.io.assets": ("fetch",),
        "lineament.io.catalog": ("ModelCard", "card", "cards"),
        "lineament.io.images": ("Limits", "encode_jpeg", "encode_png", "load", "probe", "save"),
        "lineament.io.manifest": ("Manifest", "ManifestRow"),
        "lineament.io.onnx": ("open_session",),
        "lineament.io.sources": ("expand", "people"),
    },
)
