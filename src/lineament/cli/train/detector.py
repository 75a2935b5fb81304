"""``lineament train detector``: where the faces, heads or whatever is labelled are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineament.cli import streams
from lineament.cli.train.running import Work, training
from lineament.training.detection.settings import DetectorSettings

if TYPE_CHECKING:
    from lineament.io.manifest import Manifest

AGPL = """\
YOLOv8 comes from the package ultralytics, which is under AGPL-3.0. Ultralytics holds that networks trained
with it are under AGPL-3.0 too, unless you have a licence from them. torchvision:ssdlite_mobilenet_v2 is
free of this."""


@training(DetectorSettings)
def detector(data: Manifest, out: Path, settings: DetectorSettings) -> Work:
    """Train a detector on pictures with boxes, in any label format that can be imported.

    Chooses the best epoch and score on val, measures once on test, or without it on val. Writes
    an ONNX file with a card that detect and analyze take as --detector.
    """
    from lineament.training.detection.trainer import length, train_detector

    if settings.is_agpl:
        for line in AGPL.splitlines():
            streams.complain(line)
    if settings.weights == "none":
        streams.complain("Training from random weights: that takes many pictures. See --weights.")
    return Work(
        length(data, settings), lambda advance: train_detector(data, out, settings, advance=advance)
    )
