"""What came of training a network of attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lineament.answers import Table
from lineament.counting import quantity
from lineament.scoring.rate import Rate
from lineament.shown import shown
from lineament.training.answers import Trained, counts_text, rate_text
from lineament.training.classification.report import at_chance

Figures = Mapping[str, Any]
"""Of a head on a split, as `lineament.training.attributes.report` makes them: rates as JSON, by name."""


@dataclass(frozen=True, slots=True)
class HeadResult:
    """One attribute: every figure of it on the split that counts, the main one on the others.

    ``labelled`` counts the rows with its ``label`` by split.
    """

    label: str
    labelled: Mapping[str, int]
    classes_with_one_picture: int
    classes_without_pictures: Mapping[str, int]
    train: Figures
    val: Figures
    test: Figures | None = None

    __repr__ = shown

    def on(self, split: str) -> Figures:
        """The figures of a split."""
        figures: Figures = getattr(self, split)
        return figures


@dataclass(frozen=True, slots=True)
class LabelTable:
    """A table of labels: rows ``labelled`` by it, lines and cells that told nothing."""

    labelled: int
    without_line: int
    lines_without_row: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributesResult(Trained):
    """What each head is worth, beside what guessing gives.

    ``unlabelled`` rows have no label of any head. ``overfits_from`` are the epochs after which the
    validation loss rose, of all heads together under ``all``, and of each.
    """

    trainer: ClassVar[str] = "attributes"
    besides: ClassVar[str] = "curves, ROC and confusion matrices"

    architecture: str
    method: str
    attributes: Mapping[str, HeadResult]
    rows: Mapping[str, int]
    unlabelled: Mapping[str, int]
    table: LabelTable | None
    overfits_from: Mapping[str, int | None]
    parameters: int
    trained: int
    seconds: Mapping[str, float]

    __repr__ = shown

    def tables(self) -> Iterator[Table]:
        """Classes, each head's by class, and numbers."""
        exam, before = self.measured_on, [s for s in ("train", "val") if s != self.measured_on]
        about = f"{self.architecture}, {self.method}"
        classes, numbers = self._heads("classes"), self._heads("number")
        if classes:
            yield Table(
                f"{about}: classes",
                (
                    *("attribute", *before, f"{exam}, 95 %", "chance", "always the commonest"),
                    *("AUC, 95 %", "F1", "n"),
                ),
                [
                    (
                        name,
                        *(head.on(split)["accuracy"]["value"] for split in before),
                        _rate(found["accuracy"]),
                        found["guessing"]["chance"],
                        found["guessing"]["majority"],
                        _rate(found["macro_auc"]),
                        found["macro_f1"]["value"],
                        found["accuracy"]["n"],
                    )
                    for name, (head, found) in classes.items()
                ],
            )
        for name, (_, found) in classes.items():
            yield Table(
                f"{name}, by class, on the split {exam}",
                ("class", "n", "precision, 95 %", "recall, 95 %", "F1", "AUC, 95 %"),
                [
                    (
                        one,
                        row["samples"],
                        _rate(row["precision"]),
                        _rate(row["recall"]),
                        None if row["f1"] is None else row["f1"]["value"],
                        _rate(row["auc"]),
                    )
                    for one, row in found["classes"].items()
                ],
            )
        if numbers:
            yield Table(
                f"{about}: numbers, mean absolute error",
                ("attribute", *before, f"{exam}, 95 %", "the median says", "bias", "n"),
                [
                    (
                        f"{name}, {found['unit']}" if found["unit"] else name,
                        *(head.on(split)["mean_absolute_error"]["value"] for split in before),
                        _rate(found["mean_absolute_error"], 2),
                        found["guessing"]["median"]["value"],
                        _rate(found["bias"], 2),
                        found["mean_absolute_error"]["n"],
                    )
                    for name, (head, found) in numbers.items()
                ],
            )

    def notes(self) -> Iterator[str]:
        """What guessing means, how the training went, and what was left out of it."""
        classes = self._heads("classes")
        if classes:
            told = ", ".join(f"{found['commonest']!r} ({name})" for name, (_, found) in classes.items())
            yield (
                "right without a network: chance draws a class; always the commonest names what most rows "
                f"of the split train are, {told}"
            )
        for name, (_, found) in classes.items():
            accuracy = Rate.from_json(found["accuracy"])
            if words := at_chance(accuracy, found["guessing"], self.measured_on):
                yield f"{name} is at chance: {words}"
        yield from self.warning()
        yield self.best
        for name, epoch in self.overfits_from.items():
            if epoch is not None:
                what = "the validation loss" if name == "all" else f"the validation loss of {name}"
                yield f"over-fitting: {what} rises after epoch {epoch} while the training loss falls"
        yield from self._left_out()
        yield from self.unread()
        yield self.start
        yield self.place

    def _left_out(self) -> Iterator[str]:
        """What was not used or not measured."""
        for name, head in self.attributes.items():
            if missing := counts_text({s: self.rows[s] - n for s, n in head.labelled.items()}):
                yield f"{name}: rows without this label, left out of it: {missing}"
            if count := head.classes_with_one_picture:
                yield f"{name}: {quantity(count, 'class has')} one training picture only"
            if without := counts_text(head.classes_without_pictures):
                yield f"{name}: classes without a picture, nothing is measured of them: {without}"
        if left_out := counts_text(self.unlabelled):
            yield f"rows without any of these labels were left out: {left_out}"
        if (table := self.table) is not None:
            yield (
                f"labels from the table: {quantity(table.labelled, 'row')}; "
                f"{quantity(table.without_line, 'row is')} not in it, "
                f"{table.lines_without_row} of its pictures are not in the data set, {table.missing} of "
                "its cells tell nothing (empty, NA, ? ...)"
            )

    def _heads(self, kind: str) -> dict[str, tuple[HeadResult, Figures]]:
        """The heads of a kind, with their figures on the split that counts."""
        every = {name: (head, head.on(self.measured_on)) for name, head in self.attributes.items()}
        return {name: one for name, one in every.items() if one[1]["kind"] == kind}


def _rate(rate: Mapping[str, Any] | None, digits: int = 3) -> str:
    return rate_text(None if rate is None else Rate.from_json(rate), digits)
