"""What came of training a classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from lineament.answers import Table
from lineament.counting import quantity
from lineament.scoring.rate import Rate
from lineament.shown import shown
from lineament.training.answers import Trained, counts_text, rate_text


@dataclass(frozen=True, slots=True)
class SplitFigures:
    """Accuracy, mean cross-entropy, and accuracy within the best five, of six classes or more."""

    accuracy: Rate
    loss: float | None
    top5: Rate | None = None


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class on the split that counts; None where a figure is not defined."""

    name: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None

    def to_json(self) -> dict[str, Any]:
        """The fields, the name as ``class``."""
        figures = {key: getattr(self, key) for key in ("support", "precision", "recall", "f1")}
        return {"class": self.name, **figures}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The row that `to_json` gave."""
        return cls(values["class"], *(values[key] for key in ("support", "precision", "recall", "f1")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierResult(Trained):
    """What a classifier is worth by split, beside what guessing gives.

    ``chance`` draws a class, ``majority`` always names the commonest of the training rows; ``at_chance``
    says so of a classifier that is no better. ``overfits_from`` is the epoch after which the validation
    loss rose. ``parameters`` has the network, of which ``trained`` were learned.
    """

    trainer: ClassVar[str] = "classifier"
    besides: ClassVar[str] = "curves and confusion matrix"

    architecture: str
    method: str
    label: str
    classes: int
    chance: float
    majority: float
    at_chance: str | None
    train: SplitFigures
    val: SplitFigures
    test: SplitFigures | None = None
    per_class: tuple[ClassRow, ...]
    rows: Mapping[str, int]
    unlabelled: Mapping[str, int]
    classes_with_one_picture: int
    classes_without_pictures: Mapping[str, int]
    overfits_from: int | None
    parameters: int
    trained: int
    seconds: Mapping[str, float]

    __repr__ = shown

    @property
    def splits(self) -> dict[str, SplitFigures]:
        """The figures by split."""
        return {"train": self.train, "val": self.val} | ({} if self.test is None else {"test": self.test})

    def tables(self) -> Iterator[Table]:
        """Accuracy by split."""
        yield Table(
            f"{self.architecture}, {self.method}: {quantity(self.classes, 'class')} of {self.label}",
            ("split", "accuracy, 95 %", "best five", "loss", "pictures", "refused"),
            [
                (
                    split,
                    rate_text(figures.accuracy),
                    rate_text(figures.top5),
                    figures.loss,
                    figures.accuracy.n,
                    self.refused[split],
                )
                for split, figures in self.splits.items()
            ],
        )

    def notes(self) -> Iterator[str]:
        """What guessing gives, how the training went, and what was left out of it."""
        always = f"always the commonest class {self.majority:.3f}"
        yield f"guessing: chance {self.chance:.3f}, {always}; {self.best}"
        yield from self.warning()
        if self.at_chance:
            yield f"at chance: {self.at_chance}"
        if self.overfits_from is not None:
            yield f"over-fitting: the validation loss rises after epoch {self.overfits_from}"
        if self.classes_with_one_picture:
            yield f"{quantity(self.classes_with_one_picture, 'class has')} one training picture only"
        if without := counts_text(self.classes_without_pictures):
            yield f"classes without a picture in a split, nothing is measured of them there: {without}"
        if left_out := counts_text(self.unlabelled):
            yield f"rows without a {self.label} were left out: {left_out}"
        yield from self.unread()
        yield self.start
        yield self.place
