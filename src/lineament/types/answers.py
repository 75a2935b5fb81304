"""The answers to comparisons and searches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from lineament.types.thresholds import Threshold


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subject of the gallery that a probe may be; ``rank`` counts from 1."""

    subject: str
    similarity: float
    rank: int


class Decision(StrEnum):
    """Whether the best candidate passed the threshold."""

    MATCH = "match"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Match:
    """The answer to one search: candidates best first, and what the threshold says of the first."""

    candidates: tuple[Candidate, ...]
    decision: Decision
    threshold: Threshold

    @property
    def subject(self) -> str | None:
        """The subject matched, or None."""
        return self.candidates[0].subject if self.decision is Decision.MATCH else None

    @property
    def accepted(self) -> bool:
        """Whether the decision is a match."""
        return self.decision is Decision.MATCH

    def __bool__(self) -> NoReturn:
        raise _no_truth(self)


class Reason(StrEnum):
    """Why a face was taken of those in its picture."""

    ONLY = "only"
    CENTRE = "centre"
    LARGEST = "largest"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Compared:
    """The face of a picture that was compared.

    ``face`` is its number, from 1, of the ``faces`` found; ``box`` is xyxy in the picture's pixels.
    """

    source: str
    faces: int
    face: int
    box: tuple[float, float, float, float]
    chosen: Reason

    def __str__(self) -> str:
        where = " ".join(f"{value:.0f}" for value in self.box)
        if self.faces == 1:
            return f"{self.source}: its only face, box {where}"
        return f"{self.source}: face {self.face} of {self.faces}, {_WHY[self.chosen]}, box {where}"


_WHY = {
    Reason.ONLY: "the only one",
    Reason.CENTRE: "nearest the centre of the large ones",
    Reason.LARGEST: "the largest",
    Reason.ASKED: "as asked",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer to a 1:1 comparison.

    ``a`` and ``b`` are the faces compared; None for what was no face of a picture given (an embedding, a
    subject of a gallery).
    """

    similarity: float
    decision: Decision
    threshold: Threshold
    a: Compared | None = None
    b: Compared | None = None

    @property
    def accepted(self) -> bool:
        """Whether the decision is a match."""
        return self.decision is Decision.MATCH

    def __bool__(self) -> NoReturn:
        raise _no_truth(self)


def _no_truth(answer: Match | Verification) -> TypeError:
    """An answer has no truth value: a plain object is true whatever it says, strangers would pass."""
    return TypeError(f"a {type(answer).__name__} is neither true nor false; use .accepted")
