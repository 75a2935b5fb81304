"""From a manifest to a trained model: one readable loop, one file a trainer, ONNX and a card at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily
from lineament.training import threads as _threads

if TYPE_CHECKING:
    from lineament.training.attributes.settings import AttributesSettings
    from lineament.training.attributes.trainer import train_attributes
    from lineament.training.classification.settings import ClassifierSettings
    from lineament.training.classification.trainer import train_classifier
    from lineament.training.detection.localizer import train_localizer
    from lineament.training.detection.settings import DetectorSettings, LocalizerSettings
    from lineament.training.detection.trainer import train_detector
    from lineament.training.loop import fit
    from lineament.training.recognition.settings import EmbedderSettings
    from lineament.training.recognition.trainer import train_embedder
    from lineament.training.runs.folder import open_run
    from lineament.training.settings import LoopSettings
    from lineament.training.sweeping.settings import SweepSettings
    from lineament.training.sweeping.sweep import run_sweep

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
        "lineament.training.attributes.settings": ("AttributesSettings",),
        "lineament.training.attributes.trainer": ("train_attributes",),
        "lineament.training.classification.settings": ("ClassifierSettings",),
        "lineament.training.classification.trainer": ("train_classifier",),
        "lineament.training.detection.settings": ("DetectorSettings", "LocalizerSettings"),
        "lineament.training.detection.trainer": ("train_detector",),
        "lineament.training.recognition.trainer": ("train_embedder",),
        "lineament.training.recognition.settings": ("EmbedderSettings",),
        "lineament.training.detection.localizer": ("train_localizer",),
        "lineament.training.loop": ("fit",),
        "lineament.training.runs.folder": ("open_run",),
        "lineament.training.settings": ("LoopSettings",),
        "lineament.training.sweeping.settings": ("SweepSettings",),
        "lineament.training.sweeping.sweep": ("run_sweep",),
    },
)
