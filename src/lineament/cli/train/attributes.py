"""``lineament train attributes``: one network with a head an attribute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineament.cli.train.running import Work, training
from lineament.training.attributes.settings import AttributesSettings

if TYPE_CHECKING:
    from lineament.io.manifest import Manifest


@training(AttributesSettings)
def attributes(data: Manifest, out: Path, settings: AttributesSettings) -> Work:
    """Train on the split train, choose the best epoch on val, measure once on test, or without it on val.

    Words are classes and numbers a number. Rows may lack labels: they teach the other heads. Writes an
    ONNX file with a card that analyze takes as --attributes.
    """
    from lineament.training.attributes.trainer import length, train_attributes

    return Work(
        length(data, settings), lambda advance: train_attributes(data, out, settings, advance=advance)
    )
