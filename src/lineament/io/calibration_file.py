"""The file that ``lineament calibrate`` writes: a threshold with everything it rests on, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lineament import typed
from lineament.documents import read_json
from lineament.errors import ConfigError
from lineament.io.own_files import CALIBRATION
from lineament.io.writing import replacing
from lineament.scoring.probability import Probability
from lineament.types import Threshold

VERSION = 1
_KEY = "lineament_calibration"


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A threshold, perhaps a probability curve, and the ``record`` of how both came to be."""

    threshold: Threshold
    probability: Probability | None
    record: Mapping[str, Any]


def save(path: Path, calibration: Calibration) -> None:
    """Write atomically; raises `OutputError`, and `WouldOverwrite` for a file that is none."""
    values = {
        _KEY: VERSION,
        "threshold": asdict(calibration.threshold),
        "probability": None if calibration.probability is None else calibration.probability.to_json(),
        "record": dict(calibration.record),
    }
    with replacing(path, CALIBRATION) as file:
        file.write(json.dumps(values, indent=2, allow_nan=False) + "\n")


def load(path: Path) -> Calibration:
    """Read a calibration; raises `ConfigError` for anything that is none, or damaged."""
    values = read_json(path)
    if not isinstance(values, dict) or _KEY not in values:
        raise ConfigError(f"{path}: not written by `lineament calibrate`")
    if values[_KEY] != VERSION:
        raise ConfigError(f"{path}: written by another version of lineament; calibrate again")
    try:
        curve = values["probability"]
        return Calibration(
            threshold=_threshold(values["threshold"]),
            probability=None if curve is None else Probability.from_json(curve),
            record=typed.table(values["record"]),
        )
    except KeyError as error:
        raise ConfigError(f"{path}: damaged: lacks {error}") from error
    except (TypeError, ValueError, AttributeError, ConfigError) as error:
        raise ConfigError(f"{path}: damaged: {error}") from error


def _threshold(values: Any) -> Threshold:
    found = typed.build(Threshold, values)
    if not 0 < found.target_rate < 1:
        raise ValueError("no target rate")
    return found
