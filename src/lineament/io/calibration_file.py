"""The file that ``lineament calibrate`` writes: a threshold with everything it rests on, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lineament.errors import ConfigError
from lineament.io.own_files import CALIBRATION
from lineament.io.writing import replacing
from lineament.scoring.probability import Probability
from lineament.types import Interval, ModelId, Threshold

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
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not JSON"
        raise ConfigError(f"cannot read the threshold file {path}: {reason}") from error
    if not isinstance(values, dict) or _KEY not in values:
        raise ConfigError(f"{path}: not written by `lineament calibrate`")
    if values[_KEY] != VERSION:
        raise ConfigError(f"{path}: written by another version of lineament; calibrate again")
    try:
        curve = values["probability"]
        return Calibration(
            threshold=_threshold(values["threshold"]),
            probability=None if curve is None else Probability.from_json(curve),
            record=dict(values["record"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise ConfigError(f"{path}: damaged: {error}") from error


def _threshold(values: Mapping[str, Any]) -> Threshold:
    interval = Interval(*(_number(values["interval"][key]) for key in ("low", "high", "level")))
    rate, value = _number(values["target_rate"]), _number(values["value"])
    if values["kind"] not in ("FMR", "FPIR") or not 0 < rate < 1:
        raise ValueError("no target rate")
    enrolled = values["enrolled"]
    return Threshold(
        value=value,
        model=ModelId(str(values["model"]["name"]), str(values["model"]["sha256"])),
        target_rate=rate,
        measured_on=str(values["measured_on"]),
        rate=_number(values["rate"]),
        interval=interval,
        comparisons=int(values["comparisons"]),
        subjects=int(values["subjects"]),
        kind=values["kind"],
        enrolled=None if enrolled is None else int(enrolled),
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
