"""Below which probability a classifier names nobody: ``rejection.json`` in its run folder.

Beside the card and not in it, so that a model measured later keeps the card it was exported with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lineament import typed
from lineament.documents import read_object
from lineament.errors import CardMismatch, ConfigError
from lineament.io.own_files import REJECTION
from lineament.io.trained import TrainedCard
from lineament.io.writing import replacing

FILE = "rejection.json"
MEASURED: Literal["measured"] = "measured"
_KEY = "lineament_rejection"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Below which probability nobody is named, of which file by its SHA-256, and the ``record`` of how."""

    below: float
    model: str
    record: Mapping[str, Any]


def save(run: Path, found: Rejection) -> Path:
    """Write it into the run folder; raises `OutputError`."""
    values = {_KEY: 1, "below": found.below, "model": found.model, "record": dict(found.record)}
    with replacing(run / FILE, REJECTION) as file:
        file.write(json.dumps(values, indent=2, allow_nan=False) + "\n")
    return run / FILE


def load(run: Path, card: TrainedCard) -> Rejection:
    """Read it; raises `ConfigError` where none was measured, `CardMismatch` for that of other weights."""
    path = run / FILE
    if not path.exists():
        raise ConfigError(
            f"{run}: from which probability on it names somebody was not measured; do it with "
            f"`lineament evaluate strangers {run} STRANGERS`, or give the value: --reject-below 0.9"
        )
    values = read_object(path)
    if values.pop(_KEY, None) != 1:
        raise ConfigError(f"{path}: not what `evaluate strangers` wrote, or newer; measure again")
    try:
        found = typed.build(Rejection, values)
        named = typed.table(found.record.get("named"))
        for name in ("value", "low", "high", "n"):
            typed.number(named.get(name))
    except ValueError as error:
        raise ConfigError(f"{path}: damaged: {error}; measure again") from error
    if found.model != card.sha256:
        raise CardMismatch(f"{path}: measured with other weights than this run holds; measure again")
    return found
