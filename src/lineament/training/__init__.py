"""From a manifest to a trained model: one readable loop, one file a trainer, ONNX and a card at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily
from lineament.training import threads as _threads

if TYPE_CHECKING:
    from lineament.training.attributes import AttributesSettings, train_attributes
    from lineament.training.classifier import ClassifierSettings, train_classifier
    from lineament.training.detector import DetectorSettings, train_detector
    from lineament.training.embedder import train_embedder
    from lineament.training.embedder_task import EmbedderSettings
    from lineament.training.localizer import LocalizerSettings, train_localizer
    from lineament.training.loop import fit
    from lineament.training.run_folder import open_run
    from lineament.training.settings import LoopSettings
    from lineament.training.sweep import SweepSettings, run_sweep

_threads.sleep_while_waiting()

__all__ = [
    "AttributesSettings",
    "ClassifierSettings",
    "DetectorSettings",
    "EmbedderSettings",
    "LocalizerSettings",
    "LoopSettings",
    "SweepSettings",
    "fit",
    "open_run",
    "run_sweep",
    "train_attributes",
    "train_classifier",
    "train_detector",
    "train_embedder",
    "train_localizer",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.training.attributes": ("AttributesSettings", "train_attributes"),
        "lineament.training.classifier": ("ClassifierSettings", "train_classifier"),
        "lineament.training.detector": ("DetectorSettings", "train_detector"),
        "lineament.training.embedder": ("train_embedder",),
        "lineament.training.embedder_task": ("EmbedderSettings",),
        "lineament.training.localizer": ("LocalizerSettings", "train_localizer"),
        "lineament.training.loop": ("fit",),
        "lineament.training.run_folder": ("open_run",),
        "lineament.training.settings": ("LoopSettings",),
        "lineament.training.sweep": ("SweepSettings", "run_sweep"),
    },
)
