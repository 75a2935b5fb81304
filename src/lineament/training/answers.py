"""What a training answers: figures as JSON, tables and words, for a command, a route and a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from lineament.answers import Table
from lineament.config import from_mapping
from lineament.counting import quantity
from lineament.errors import CheckpointMismatch, LineamentError
from lineament.scoring.rate import Rate
from lineament.shown import shown

RESULT = "result.json"
REFUSED = "refused.txt"


class TrainingAnswer(Protocol):
    """What a command shows of a training, or of many."""

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""

    def tables(self) -> Iterator[Table]:
        """The figures."""

    def notes(self) -> Iterator[str]:
        """What else is to be said, a line each."""

    @property
    def failures(self) -> int:
        """How many pictures were refused, or trainings failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of one training, as ``result.json`` in its ``folder`` keeps it.

    ``trained_from`` says of what weights it started, None for random ones. ``epochs`` were trained, the
    best of them was ``best_epoch``, and ``ended`` says why no more. Figures are of the split
    ``measured_on``; ``note`` warns where the best epoch was chosen by it. ``refused`` counts, by split, the
    pictures that could not be read.
    """

    trainer: ClassVar[str]
    besides: ClassVar[str]
    """What lies in the folder beside model and card."""

    folder: Path
    trained_from: str | None
    epochs: int
    best_epoch: int | None
    ended: str
    refused: Mapping[str, int]
    measured_on: str = "test"
    note: str | None = None

    __repr__ = shown

    def to_json(self) -> dict[str, Any]:
        """What ``result.json`` holds: the trainer and all but the folder."""
        values: dict[str, Any] = plain(self)
        del values["folder"]
        return {"trainer": self.trainer, **values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], folder: Path) -> Self:
        """What `to_json` gave, of this version or an earlier one; raises `CheckpointMismatch`."""
        known = {one.name for one in fields(cls)}
        told = {_NOW.get(key, key): value for key, value in values.items()}
        refused = told.get("refused")
        if isinstance(refused, Mapping) and any(isinstance(reason, str) for reason in refused.values()):
            told["refused"] = {"all": len(refused)}  # detectors once kept the reason of each picture here
        told = {key: value for key, value in told.items() if key in known}
        try:
            return from_mapping(cls, {**told, "folder": folder}, where=str(folder / RESULT))
        except (LineamentError, KeyError, TypeError, ValueError) as error:
            raise CheckpointMismatch(
                f"{error}: not what a training {cls.trainer} writes; give another folder"
            ) from error

    @property
    def failures(self) -> int:
        """How many pictures were refused."""
        return sum(self.refused.values())

    @property
    def best(self) -> str:
        """How long it was, and why."""
        return f"best of {quantity(self.epochs, 'epoch')}: {self.best_epoch}; ended: {self.ended}"

    @property
    def start(self) -> str:
        """Of what weights it started."""
        return f"started from: {self.trained_from or 'random weights'}"

    def warning(self) -> Iterator[str]:
        """That figures of val flatter, where they do."""
        if self.note is not None:
            yield self.note

    def unread(self) -> Iterator[str]:
        """Where it stands why pictures were refused, where any were."""
        if self.failures:
            reasons = self.folder / REFUSED
            yield f"refused pictures and why: {reasons if reasons.exists() else self.folder / RESULT}"

    @property
    def place(self) -> str:
        """What lies where."""
        return f"model, card, {self.besides}: {self.folder}"


_NOW = {"overfitting_from": "overfits_from"}
"""Keys of earlier versions, and what they are called now."""


def plain(value: Any) -> Any:
    """Dataclasses and what holds them as JSON can hold it, without fields that are None unless set."""
    if is_dataclass(value) and not isinstance(value, Trained) and hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value):
        each = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: plain(held) for one, held in each if held is not None or one.default is not None}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, (tuple, list)) else value


def rate_text(rate: Rate | None, digits: int = 3) -> str:
    """A rate with its interval, as tables show it; nothing where there is none."""
    return "" if rate is None else f"{rate.value:.{digits}f} ({rate.span(f'.{digits}f')})"


def counts_text(counts: Mapping[str, int]) -> str:
    """``train: 3, test: 1``, without those that are 0."""
    return ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
