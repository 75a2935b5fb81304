"""What came of training an embedder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from lineament.answers import Table
from lineament.counting import quantity
from lineament.scoring.rate import Rate
from lineament.shown import shown
from lineament.training.answers import Trained, rate_text


@dataclass(frozen=True, slots=True)
class Strangers:
    """Verification among a split's people: comparisons, and FNMR and threshold by false match rate."""

    people: int
    photos: int
    mated: int
    non_mated: int
    refused: int
    fnmr_at_fmr: Mapping[str, Rate]
    thresholds: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderResult(Trained):
    """How well people are told apart who were never trained on.

    ``best_fnmr`` is the best epoch's FNMR on val at the false match rate ``fmr``. ``people``, ``photos``
    and what was ``left_out``, with the reason, are by split.
    """

    trainer: ClassVar[str] = "embedder"
    besides: ClassVar[str] = "curves"

    architecture: str
    loss: str
    fmr: float
    best_fnmr: float | None
    people: Mapping[str, int]
    photos: Mapping[str, int]
    left_out: Mapping[str, Mapping[str, int]]
    val: Strangers
    test: Strangers | None = None
    parameters: int
    trained: int
    seconds: Mapping[str, float]

    __repr__ = shown

    def tables(self) -> Iterator[Table]:
        """FNMR by split and false match rate."""
        splits = {"val": self.val} | ({} if self.test is None else {"test": self.test})
        yield Table(
            f"{self.architecture}, {self.loss}: people never trained on",
            ("split", "FMR <=", "FNMR, 95 %", "people", "photos", "mated"),
            [
                (split, fmr, rate_text(fnmr), found.people, found.photos, fnmr.n)
                for split, found in splits.items()
                for fmr, fnmr in found.fnmr_at_fmr.items()
            ],
        )

    def notes(self) -> Iterator[str]:
        """How the training went, and what was left out of it."""
        yield (
            f"trained on {quantity(self.photos['train'], 'photo')} of "
            f"{quantity(self.people['train'], 'person')}; best of {quantity(self.epochs, 'epoch')} "
            f"by FNMR at FMR {self.fmr:g} on val: {self.best_epoch}; ended: {self.ended}"
        )
        for split, reasons in self.left_out.items():
            for reason, count in reasons.items():
                yield f"left out of {split}: {count} {reason}"
        yield from self.warning()
        yield from self.unread()
        yield self.start
        yield f"model, card and curves: {self.folder}; thresholds come from: lineament calibrate"
