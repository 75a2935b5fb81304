"""``lineament train sweep``: architectures x methods x augmentations x seeds in one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineament.cli.train.running import Work, training
from lineament.training.sweeping.settings import SweepSettings

if TYPE_CHECKING:
    from lineament.io.manifest import Manifest


@training(SweepSettings)
def sweep(data: Manifest, out: Path, settings: SweepSettings) -> Work:
    """Train classifiers with every combination, and compare them.

    OUT gets a run folder for each training, and sweep.html, .md, .csv and .json. Run again it goes on:
    finished trainings are kept, failed ones tried again. --strict exits with 1 when one failed.
    """
    from lineament.training.sweeping.sweep import cells, run_sweep

    return Work(
        len(cells(settings)), lambda advance: run_sweep(data, out, settings, advance=advance), "trainings"
    )
