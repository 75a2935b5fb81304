"""What came of training a localizer, or a detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from lineament.answers import Table
from lineament.counting import quantity
from lineament.kinds import FACE, noun
from lineament.scoring.detection_rates import DetectionRates
from lineament.scoring.rate import Rate
from lineament.scoring.thresholds import RULE_OF
from lineament.shown import shown
from lineament.training.answers import Trained, rate_text


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalizerResult(Trained):
    """Is there a face, and where: rates beside ``guessing``, None where no picture could tell.

    ``pictures`` counts those with a face and without by split; of ``several_faces`` in a picture the
    largest was taken. ``finds`` is what the boxes hold. ``overfits_from`` is the epoch after which the
    validation loss rose.
    """

    trainer: ClassVar[str] = "localizer"
    besides: ClassVar[str] = "curves and drawn pictures"

    architecture: str
    method: str
    accuracy: Rate
    guessing: Mapping[str, float]
    faces_found: Rate | None = None
    false_alarms: Rate | None = None
    iou: Rate | None = None
    iou50: Rate | None = None
    pictures: Mapping[str, Mapping[str, int]]
    several_faces: int
    finds: tuple[str, ...] = (FACE,)
    overfits_from: int | None

    __repr__ = shown

    def tables(self) -> Iterator[Table]:
        """Each figure beside guessing."""
        one, many = noun(self.finds, 1), noun(self.finds)
        figures: list[tuple[str, str, Rate | None]] = [
            (f"{one} or not, right", "accuracy", self.accuracy),
            (f"{many} found", "faces_found", self.faces_found),
            ("false alarms", "false_alarms", self.false_alarms),
            ("mean IoU of the box", "iou", self.iou),
            ("IoU at least 0.5", "iou50", self.iou50),
        ]
        yield Table(
            f"{self.architecture}, {self.method}: split {self.measured_on}",
            ("figure", "value, 95 %", "guessing", "pictures"),
            [
                (words, rate_text(rate), self.guessing.get(key), rate.n)
                for words, key, rate in figures
                if rate is not None
            ],
        )

    def notes(self) -> Iterator[str]:
        """How the training went."""
        yield from self.warning()
        yield f"{self.best}; {self.start}"
        if self.overfits_from:
            yield f"over-fitting: the validation loss rises after epoch {self.overfits_from}"
        if self.several_faces:
            several = noun(self.finds)
            yield f"pictures with several {several}, the largest was taken: {self.several_faces}"
        yield from self.unread()
        yield self.place


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorResult(Trained):
    """Average precision over classes and of each; precision and recall at ``score``, chosen on val.

    ``classes`` holds None for one without a box in the split; ``any_class`` takes all as one. ``truths``
    counted, boxes ``ignored`` did not. ``score_chosen_on`` is how many boxes chose the score.
    ``train_loss`` is that of the first and of the last epoch; ``pictures`` are by split, ``unlabelled``
    those left out because nobody said what they hold. ``overfits_from`` is the epoch after which the
    validation loss rose.
    """

    trainer: ClassVar[str] = "detector"
    besides: ClassVar[str] = "curves and drawn pictures"

    model: str
    score: float
    score_chosen_on: int | None = None
    map50: float
    map50_95: float
    classes: Mapping[str, DetectionRates | None]
    any_class: DetectionRates | None = None
    pictures_measured: int
    truths: int
    ignored: int
    train_loss: tuple[float, float]
    pictures: Mapping[str, int]
    unlabelled: int
    overfits_from: int | None

    __repr__ = shown

    def tables(self) -> Iterator[Table]:
        """Each class, and all as one."""
        every = dict(self.classes)
        if self.any_class is not None:
            every["any class"] = self.any_class
        yield Table(
            f"{self.model} on {quantity(self.pictures_measured, 'picture')} of the split "
            f"{self.measured_on}, precision and recall at score {self.score:.2f} and IoU 0.5",
            ("class", "boxes", "mAP50, 95 %", "mAP50-95", "precision", "recall", "F1"),
            [
                (name, 0, "not in this split")
                if rates is None
                else (
                    name,
                    rates.map50.n,
                    rate_text(rates.map50),
                    rate_text(rates.map50_95),
                    rate_text(rates.precision) or "none found",
                    rate_text(rates.recall),
                    rate_text(rates.f1),
                )
                for name, rates in every.items()
            ],
        )

    def notes(self) -> Iterator[str]:
        """How the training went, and what was left out of it."""
        first, last = self.train_loss
        yield f"{self.best}; training loss {first:.3g} to {last:.3g}; {self.start}"
        if self.score_chosen_on is not None and self.score_chosen_on < RULE_OF:
            yield (
                f"warning: the score {self.score:.2f} was chosen on "
                f"{quantity(self.score_chosen_on, 'box')} of val, and below {RULE_OF} chance decides: more "
                f"photos in val, or try others: --detector {self.folder}:score=0.5"
            )
        for words, count in (
            ("pictures without a box that nobody said hold none, left out", self.unlabelled),
            ("boxes too small or standing for a crowd, not counted", self.ignored),
            ("over-fitting: the validation loss rises after epoch", self.overfits_from),
        ):
            if count:
                yield f"{words}: {count}"
        yield from self.unread()
        yield from self.warning()
        yield self.place
