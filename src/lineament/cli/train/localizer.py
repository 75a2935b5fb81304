"""``lineament train localizer``: is there a face in the picture, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineament.cli.train.running import Work, training
from lineament.training.detection.settings import LocalizerSettings

if TYPE_CHECKING:
    from lineament.io.manifest import Manifest


@training(LocalizerSettings)
def localizer(data: Manifest, out: Path, settings: LocalizerSettings) -> Work:
    """Train one network for two answers: face or not, and one box.

    Pictures without a box are "no face" pictures. Takes LabelMe and every other format that can be
    imported. Writes an ONNX file with a card that detect and analyze take as --detector.
    """
    from lineament.training.detection.localizer import length, train_localizer

    return Work(
        length(data, settings), lambda advance: train_localizer(data, out, settings, advance=advance)
    )
