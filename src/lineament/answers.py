"""What is told of work that is done: JSON, tables, notes and figures, the same to whoever shows it.

A result gives all four itself; a command prints them, a service sends them, and neither words them anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lineament.errors import LineamentError
from lineament.types import Compared, Face, Match, Outcome, Verification

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people: cells are text, numbers or None, and are shown literally."""

    title: str | None
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@runtime_checkable
class Answer(Protocol):
    """A result that can tell of itself; who subclasses it says `to_json` and `told`."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values (see `plain`)."""
        ...

    def told(self) -> Iterator[str | Table]:
        """Notes and tables in the order in which people read them."""
        ...

    def notes(self) -> list[str]:
        """The sentences among what is told."""
        return [part for part in self.told() if isinstance(part, str)]

    def tables(self) -> list[Table]:
        """The tables among what is told."""
        return [part for part in self.told() if isinstance(part, Table)]

    def figures(self) -> Mapping[str, Figure]:
        """Figures by name, drawn now; raises `MissingExtra` without matplotlib, where there are any."""
        return {}


def plain(value: Any) -> Any:
    """A value as JSON can hold it: arrays as lists, enums as text, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, bool) or value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def error_json(error: LineamentError | None) -> dict[str, str] | None:
    """``{"type", "message"}`` of a named error."""
    return None if error is None else {"type": type(error).__name__, "message": str(error)}


def face_json(face: Face, match: Match | None = None) -> dict[str, Any]:
    """One face; ``candidates`` is empty and ``decision`` null when no gallery was searched."""
    record: dict[str, Any] = {
        "box": rounded(face.box),
        "score": round(face.score, 6),
        "landmarks": None if face.landmarks is None else rounded(face.landmarks),
        "quality": None if face.quality is None else asdict(face.quality),
        "attempt": None if face.attempt is None else asdict(face.attempt),
        "candidates": [],
        "decision": None,
    }
    if face.attributes:
        record["attributes"] = dict(face.attributes)
        record["probabilities"] = {name: round(p, 6) for name, p in face.probabilities.items()}
    if match is not None:
        record["candidates"] = [asdict(candidate) for candidate in match.candidates]
        record["decision"] = match.decision
        record["threshold"] = match.threshold.to_json()
    return record


def picture_json(outcome: Outcome, matches: Sequence[Match] | None = None) -> dict[str, Any]:
    """One picture with all its faces, and one match a face where a gallery was searched."""
    width, height = outcome.size_wh or (None, None)
    return {
        "source": outcome.source,
        "width": width,
        "height": height,
        "outcome": outcome.status,
        "error": error_json(outcome.error),
        "faces": [
            face_json(face, matches[i] if matches is not None else None)
            for i, face in enumerate(outcome.faces)
        ],
    }


def taken_json(taken: Compared | None) -> dict[str, Any] | None:
    """The face that was taken of a picture: its number of how many, its box, and why it."""
    return None if taken is None else asdict(taken) | {"box": rounded(taken.box)}


def verification_json(answer: Verification) -> dict[str, Any]:
    """A 1:1 comparison: the faces ``a`` and ``b``, how similar they are, and what the threshold says."""
    return {
        "a": taken_json(answer.a),
        "b": taken_json(answer.b),
        "similarity": answer.similarity,
        "decision": answer.decision,
        "threshold": answer.threshold.to_json(),
    }


def rounded(values: Any) -> Any:
    """Pixels, of an array or a tuple, to a thousandth."""
    try:
        return [rounded(item) for item in values]
    except TypeError:
        return round(float(values), 3)
