"""An evaluation as a file: what was measured, on what, by which rules, and every figure with its interval.

``lineament evaluate ... --save FILE`` writes one; report, compare and gate read them. Subjects and pictures
appear as digests only, so that two records can be paired without naming anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lineament import typed
from lineament.documents import read_json
from lineament.errors import ConfigError, InvalidArray
from lineament.io.own_files import EVALUATION
from lineament.io.writing import replacing
from lineament.scoring.paired import Counts
from lineament.scoring.rate import Rate

VERSION = 1
_KEY = "lineament_evaluation"
_MAX_BYTES = 1 << 28
"""Counts of every subject, and figures."""
_NUMBER, _END = (int, float), (int, float, type(None))
_OF_RATE = {"value": _NUMBER, "low": _END, "high": _END, "n": _NUMBER}
_RATE_KEYS = set(_OF_RATE)
_LOW_IS_BETTER = (
    *("fnmr", "fmr", "fpir", "fnir", "eer", "apcer", "bpcer", "error", "mae", "ece", "failure"),
    *("miss", "refused", "false", "changed"),
)
_REPEATS = "operating_points"
"""The same rates again, with what their intervals rest on."""
_NEITHER = ("bias", "chance", "majority", "guess", "prevalence")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its ``rate`` and, where known, the ``clusters`` it is the sum of."""

    name: str
    rate: Rate
    clusters: Counts | None = None

    @property
    def better(self) -> Literal["low", "high", "neither"]:
        """Whether low or high is better, by the figure's name; neither of a bias or a guess."""
        words = self.name.lower()
        if any(word in words for word in _NEITHER):
            return "neither"
        return "low" if any(word in words for word in _LOW_IS_BETTER) else "high"


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """``protocol`` holds all that must be equal for two records to be compared: kind, data digest, rules.

    ``system`` names detector, model and settings; ``answer`` is the command's JSON answer, its
    ``failures`` as counts by type of error. ``charts`` are figures as SVG by name.
    """

    kind: str
    title: str
    protocol: Mapping[str, Any]
    system: Mapping[str, Any]
    answer: Mapping[str, Any]
    clusters: Mapping[str, Counts] = field(default_factory=dict)
    charts: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, Figure]:
        """Every rate in the answer, by its path: ``fnmr_at_fmr.1e-3``."""
        return {name: Figure(name, rate, self.clusters.get(name)) for name, rate in _rates(self.answer, "")}

    def save(self, path: Path) -> None:
        """Write the record as JSON; raises `OutputError`, and `WouldOverwrite` for a file that is none."""
        from lineament.io.environment import environment

        values = {
            _KEY: VERSION,
            "kind": self.kind,
            "title": self.title,
            "protocol": self.protocol,
            "system": self.system,
            "answer": self.answer,
            "clusters": {name: {k: list(v) for k, v in c.items()} for name, c in self.clusters.items()},
            "charts": self.charts,
            "environment": self.environment or environment(),
        }
        with replacing(path, EVALUATION) as file:
            json.dump(values, file, indent=1, sort_keys=True, allow_nan=False)
            file.write("\n")

    @classmethod
    def load(cls, path: Path) -> EvaluationRecord:
        """Read a record; raises `ConfigError` when it is none."""
        values = read_json(path, max_bytes=_MAX_BYTES)
        if not isinstance(values, dict) or values.get(_KEY) != VERSION:
            raise ConfigError(f"{path}: not an evaluation written with --save, or by a newer lineament")
        try:
            found = typed.build(cls, {key: value for key, value in values.items() if key != _KEY})
            assert found.figures is not None  # made on demand, so that a rate that is none shows here
            return found
        except (ValueError, InvalidArray) as error:
            raise ConfigError(f"{path}: a damaged evaluation: {error}") from error


def anonymous(name: str) -> str:
    """A digest in place of a name: equal names give equal ones, and a known name can be recognised."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def flat(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{path}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def _rates(value: Any, path: str) -> Iterator[tuple[str, Rate]]:
    if not isinstance(value, Mapping):
        return
    if set(value) >= _RATE_KEYS and all(isinstance(value[key], _OF_RATE[key]) for key in _RATE_KEYS):
        yield path, Rate.from_json(value)
        return
    for key in value:
        if key == _REPEATS:
            continue
        yield from _rates(value[key], f"{path}.{key}" if path else str(key))
