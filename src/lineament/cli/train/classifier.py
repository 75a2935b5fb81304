"""``lineament train classifier``: who, among N people, or which value of a label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineament.cli.train.running import Work, training
from lineament.training.classification.settings import ClassifierSettings

if TYPE_CHECKING:
    from lineament.io.manifest import Manifest


@training(ClassifierSettings)
def classifier(data: Manifest, out: Path, settings: ClassifierSettings) -> Work:
    """Train on the split train, choose the best epoch on val, measure once on test, or without it on val.

    Writes an ONNX file with a card that analyze takes as --classifier. Stops when the validation loss has
    not fallen for 5 epochs, or at a validation accuracy of 0.97.
    """
    from lineament.training.classification.trainer import length, train_classifier

    return Work(
        length(data, settings), lambda advance: train_classifier(data, out, settings, advance=advance)
    )
