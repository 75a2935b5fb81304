"""From a manifest to a trained model: one readable loop, one file a trainer, ONNX and a card at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily
from lineament.training import threads as _threads

if TYPE_CHECKING:
    from lineament.training.attributes.trainer import AttributesSettings, train_attributes
    from lineament.training.classification.trainer import ClassifierSettings, train_classifier
    from lineament.training.detection.localizer import LocalizerSettings, train_localizer
    from lineament.training.detection.trainer import DetectorSettings, train_detector
    from lineament.training.loop import fit
    from lineament.training.recognition.task import EmbedderSettings
    from lineament.training.recognition.trainer import train_embedder
    from lineament.training.runs.folder import open_run
    from lineament.training.settings import LoopSettings
    from lineament.training.sweeping.sweep import SweepSettings, run_sweep

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
        "lineament.training.attributes.trainer": ("AttributesSettings", "train_attributes"),
        "lineament.training.classification.trainer": ("ClassifierSettings", "train_classifier"),
        "lineament.training.detection.trainer": ("DetectorSettings", "train_detector"),
        "lineament.training.recognition.trainer": ("train_embedder",),
        "lineament.training.recognition.task": ("EmbedderSettings",),
        "lineament.training.detection.localizer": ("LocalizerSettings", "train_localizer"),
        "lineament.training.loop": ("fit",),
        "lineament.training.runs.folder": ("open_run",),
        "lineament.training.settings": ("LoopSettings",),
        "lineament.training.sweeping.sweep": ("SweepSettings", "run_sweep"),
    },
)
