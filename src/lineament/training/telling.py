"""What a training says while it runs: records of the logger ``lineament.training``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

log = logging.getLogger("lineament.training")
_FIGURES = 6
"""Of the validation split that a line holds; all stand in metrics.csv."""
_LATEST = 5
"""Epochs whose time says how long the next ones take."""


def epoch_line(history: Sequence[Mapping[str, float]], epochs: int, monitor: str, best: int | None) -> str:
    """The last epoch in one line: losses, figures of val, pictures a second, the most time that is left."""
    row = history[-1]
    number = int(row["epoch"])
    names = [name for name in row if name.startswith("val_")]
    names.sort(key=lambda name: name.removeprefix("val_") not in ("loss", monitor))
    parts = [f"{_words(name)} {row[name]:.3g}" for name in ("train_loss", *names[:_FIGURES]) if name in row]
    if row["seconds"]:
        parts.append(f"{row['samples'] / row['seconds']:.3g} pictures/s")
    latest = history[-_LATEST:]
    each = sum(one["seconds"] + one["validation_seconds"] for one in latest) / len(latest)
    if number < epochs:
        parts.append(f"at most {duration(each * (epochs - number))} left")
    return f"epoch {number} of {epochs}: {', '.join(parts)}{'; the best so far' if best == number else ''}"


def duration(seconds: float) -> str:
    """``40 s``, ``12 min`` or ``3 h 05 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def _words(name: str) -> str:
    return name.replace("_", " ")
