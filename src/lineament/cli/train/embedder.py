"""``lineament train embedder``: recognition of people, also of those never trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineament.cli.train.running import Work, training
from lineament.training.recognition.settings import EmbedderSettings

if TYPE_CHECKING:
    from lineament.io.manifest import Manifest


@training(EmbedderSettings)
def embedder(data: Manifest, out: Path, settings: EmbedderSettings) -> Work:
    """Train on the people of the split train, choose the best epoch by FNMR among the strangers of val.

    DATA are aligned crops (dataset extract --align --size 112), split by subject (dataset split --by
    subject). The run folder then is an embedder: verify --embedder DIR, after lineament calibrate.
    """
    from lineament.training.recognition.trainer import length, train_embedder

    return Work(
        length(data, settings), lambda advance: train_embedder(data, out, settings, advance=advance)
    )
