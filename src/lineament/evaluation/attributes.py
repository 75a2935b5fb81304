"""Attributes of labelled faces, whole photos in: classes by accuracy and all that, numbers by their errors.

A face that is not found is a wrong answer in ``accuracy``, and is left out, counted, everywhere else. How
the parts of the way from photo to answer share the losses tells `lineament.evaluation.end_to_end`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineament.analyzer import Analyzer
from lineament.answers import Answer, Table
from lineament.attributes.trained import Trained
from lineament.counting import quantity
from lineament.datasets import tables
from lineament.datasets.importing.labels import import_labels
from lineament.datasets.opening import open_dataset
from lineament.errors import ConfigError, InsufficientData, NoFaceFound, SplitError, UsageError
from lineament.evaluation.capture import Failure, failures_json
from lineament.evaluation.end_to_end import match, truth_of
from lineament.evaluation.enough_people import alone
from lineament.evaluation.trained_on import LeakCheck, leak_json, require_unseen, told
from lineament.io.manifest import Manifest, ManifestRow
from lineament.protocols import Advance
from lineament.scoring import classification_rates, numbers
from lineament.scoring.classification import RocCurve, roc
from lineament.scoring.classification_rates import ClassificationRates
from lineament.scoring.numbers import Bin, NumberErrors
from lineament.scoring.rate import Rate
from lineament.scoring.resampling import RESAMPLES
from lineament.types import Float64, Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AGE_EDGES = (0.0, 5.0, 13.0, 18.0, 30.0, 45.0, 60.0, 81.0, math.inf)
"""Where bins of age begin: what people call a small child, a child, a youth, and so on."""

_MOST_CONFUSED = 12
"""Classes whose confusion is told as a table; a figure shows that of more."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberReport:
    """Errors of a number, overall and by bins of the truth, None in a bin without a face."""

    truth: Float64
    predicted: Float64
    errors: NumberErrors
    by_bin: Mapping[Bin, NumberErrors | None]

    def table(self, name: str) -> Table:
        """A row for all and one a bin."""
        rows: list[tuple[str, ...]] = [("all", *_number_cells(self.errors))]
        for (low, high), one in self.by_bin.items():
            of = f"{low:g} to below {high:g}" if high != math.inf else f"{low:g} and more"
            rows.append((of, *(("no face", "", "", "0") if one is None else _number_cells(one))))
        columns = ("true value", "mean absolute error", "bias", f"within {self.errors.reach:g}", "faces")
        return Table(f"{name}, 95 % intervals, faces that were found", columns, rows)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; a bin holds what lies from its lower end up to below its upper."""
        return {
            **self.errors.to_json(),
            "bins": [
                {"from": low, "to": high, **({"n": 0} if found is None else found.to_json())}
                for (low, high), found in self.by_bin.items()
            ],
        }


@dataclass(frozen=True, slots=True, eq=False)
class AttributeReport(Answer):
    """What `evaluate` found: ``classes`` or ``number`` is None, as the attribute is the other.

    ``curves`` are one-against-rest ROCs of the classes that have one. ``unknown`` counts labels that are no
    class of the model: those faces are in no figure. ``unlabelled``, ``elsewhere`` and ``unusable`` rows
    have no such label, belong to another split, or ended without a face when the manifest was made.
    ``compared`` is with how many training rows the leak check compared, ``trained`` whether the model was
    trained here.
    """

    attribute: str
    pictures: int
    faces: int
    failures: tuple[Failure, ...]
    subjects: int
    unknown: Mapping[str, int]
    unlabelled: int
    elsewhere: int
    unusable: int
    compared: Mapping[str, LeakCheck]
    classes: ClassificationRates | None
    curves: Mapping[str, RocCurve]
    number: NumberReport | None
    trained: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; ``faces`` counts the labelled ones, found or not."""
        found = self.classes or self.number
        assert found is not None
        return {
            "attribute": self.attribute,
            "pictures": self.pictures,
            "faces": self.faces,
            "subjects": self.subjects,
            **failures_json(self.failures),
            "labels_of_no_class": dict(self.unknown),
            "rows_without_label": self.unlabelled,
            "rows_of_other_splits": self.elsewhere,
            "rows_without_a_face": self.unusable,
            **leak_json(self.compared),
            **found.to_json(),
        }

    def told(self) -> Iterator[str | Table]:
        """Counts, what is in no figure, and the rates of classes or the errors of a number."""
        yield (
            f"{quantity(self.faces, 'labelled face')} of {quantity(self.subjects, 'subject')} in "
            f"{quantity(self.pictures, 'picture')}; {len(self.failures):,} not found"
        )
        if self.subjects == self.pictures == self.faces:
            yield "no subjects are labelled: each picture is taken for another person"
        yield from alone(self.subjects, "person")
        for name, count in self.unknown.items():
            yield f"{count:,} labelled {name}, which is no class of the model: in no figure"
        for count, which in (
            (self.unlabelled, "without the label"),
            (self.elsewhere, "of other splits"),
            (self.unusable, "without a usable face"),
        ):
            if count:
                yield f"{quantity(count, 'row')} {which} left out"
        yield from told(self.compared)
        if self.trained and not any(one.rows for one in self.compared.values()):
            yield "the model's folder holds no manifest: whether it was trained on these is not known"
        if self.classes is not None:
            yield from _told_of_classes(self.attribute, self.classes)
        if self.number is not None:
            yield self.number.table(self.attribute)

    def figures(self) -> Mapping[str, Figure]:
        """Confusion, ROC and calibration of classes; of a number its errors by bin."""
        title = self.attribute.capitalize()
        if self.number is not None:
            from lineament.plots.number_bins import number_bins_figure

            return {"errors_by_bin": number_bins_figure(self.number.by_bin, title=title)}
        from lineament.plots.calibration import calibration_figure
        from lineament.plots.class_roc import class_roc_figure
        from lineament.plots.confusion import confusion_figure

        rates = self.classes
        assert rates is not None
        areas = {one.name: one.auc.value for one in rates.classes if one.auc is not None}
        names = [one.name for one in rates.classes]
        return {
            "confusion": confusion_figure(rates.confusion, names, title=f"{title}: confusion"),
            "roc": class_roc_figure(self.curves, areas, title=title),
            "calibration": calibration_figure(
                rates.calibration, rates.expected_calibration_error, title=f"{title}: calibration"
            ),
        }


def _told_of_classes(attribute: str, rates: ClassificationRates) -> Iterator[str | Table]:
    figures: dict[str, tuple[Rate | None, int]] = {
        "accuracy (not found is wrong)": (rates.accuracy, rates.accuracy.n),
        "accuracy of the faces found": (rates.accuracy_of_answers, rates.accuracy_of_answers.n),
        **{f"top-{k}": (rate, rate.n) for k, rate in rates.top_k.items()},
        "balanced accuracy": (rates.macro_recall, rates.macro_recall.n),
        "F1, mean over classes": (rates.macro_f1, rates.macro_f1.n),
        "AUC, mean over classes": (rates.macro_auc, rates.macro_f1.n),
        "expected calibration error": (
            rates.expected_calibration_error,
            rates.expected_calibration_error.n,
        ),
    }
    rows = [(name, _cell(rate), count) for name, (rate, count) in figures.items()]
    yield Table(attribute, ("figure", "value, 95 %", "faces"), rows)
    yield Table(
        "By class, faces that were found",
        ("class", "faces", "precision", "recall", "F1", "AUC"),
        [
            (one.name, one.samples, *map(_cell, (one.precision, one.recall, one.f1, one.auc)))
            for one in rates.classes
        ],
    )
    names = [one.name for one in rates.classes]
    if len(names) <= _MOST_CONFUSED:
        rows_of = zip(names, rates.confusion.tolist(), strict=True)
        yield Table(
            "Confusion: rows are true, columns predicted",
            ("", *names),
            [(name, *map(str, counts)) for name, counts in rows_of],
        )
    if rates.empty:
        yield f"no face of: {', '.join(rates.empty)}; of these nothing can be said"


def _cell(rate: Rate | None) -> str:
    return "not defined" if rate is None else str(rate)


def _number_cells(errors: NumberErrors) -> tuple[str, ...]:
    rates = (errors.mean_absolute_error, errors.bias, errors.within)
    return (*map(str, rates), f"{errors.bias.n:,}")


def open_labels(data: Path, attribute: str) -> Manifest:
    """A manifest, a table or labels of any format; folders give the attribute by their names."""
    manifest = open_dataset(data)
    if not data.is_dir() or any(truth_of(row, attribute) is not None for row in manifest):
        return manifest
    made_from = (
        str(manifest.steps[0].get("format") or manifest.steps[0].get("step")) if manifest.steps else ""
    )
    if made_from.partition(":")[0] in ("folder", "imagefolder", "lfw"):
        return import_labels(data, f"imagefolder:label={attribute}").manifest
    return manifest


def evaluate(
    manifest: Manifest,
    analyzer: Analyzer,
    attribute: str,
    *,
    label: str | None = None,
    split: str | None = None,
    edges: Sequence[float] = AGE_EDGES,
    min_iou: float = 0.5,
    runs: Sequence[Path] = (),
    resamples: int = RESAMPLES,
    advance: Advance | None = None,
) -> AttributeReport:
    """Compare the analyzer's answers for ``attribute`` with the rows' ``label`` of that or another name.

    A row's box says which face is meant, else it is the one nearest the picture's centre. ``edges`` divide
    true numbers into bins. ``runs`` are the folders of the models trained here. Raises `ConfigError` when
    no model answers for the attribute, `SplitError` for rows that were trained on, `UsageError` without a
    label, and `InsufficientData` without a labelled face that was found.
    """
    if attribute not in [name for one in analyzer.attributes for name in one.names]:
        raise ConfigError(f"no model given answers for {attribute!r}")
    label = label or attribute
    rows = [row for row in manifest if split is None or row.split == split]
    if not rows:
        known = ", ".join(sorted({r.split for r in manifest if r.split})) or "none"
        raise SplitError(f"no rows in the split {split!r}; splits: {known}")
    usable = [row for row in rows if row.outcome == "ok"]
    compared = {run.name: require_unseen(usable, run) for run in runs}
    by_picture: dict[str, list[ManifestRow]] = {}
    for row in usable:
        if truth_of(row, label) is not None:
            by_picture.setdefault(row.path, []).append(row)
    if not by_picture:
        raise UsageError(f"none of the {quantity(len(usable), 'row')} has a label {label!r}")
    answers = _Answers(attribute, label, min_iou)
    files = [str(manifest.folder / path) for path in by_picture]
    for outcome, members in zip(analyzer.analyze(files), by_picture.values(), strict=True):
        answers.picture(outcome, members)
        if advance is not None:
            advance(1)
    classes, number = answers.classes(resamples), answers.number(edges, resamples)
    return AttributeReport(
        attribute=attribute,
        pictures=len(by_picture),
        faces=sum(map(len, by_picture.values())),
        failures=tuple(answers.failures),
        subjects=len({*answers.whose, *answers.whose_failed}),
        unknown=answers.unknown,
        unlabelled=sum(truth_of(row, label) is None for row in usable),
        elsewhere=len(manifest) - len(rows),
        unusable=len(rows) - len(usable),
        compared=compared,
        classes=classes,
        curves=answers.curves() if classes is not None else {},
        number=number,
        trained=any(isinstance(one, Trained) for one in analyzer.attributes if attribute in one.names),
    )


class _Answers:
    """Labels and answers, one face after the other."""

    def __init__(self, attribute: str, label: str, min_iou: float) -> None:
        self.attribute, self.label, self.min_iou = attribute, label, min_iou
        self.truths: list[str | float] = []
        self.values: list[str | float] = []
        self.chances: list[Float64] = []
        self.whose: list[str] = []
        self.whose_failed: list[str] = []
        self.failures: list[Failure] = []
        self.unknown: Counter[str] = Counter()
        self.names: tuple[str, ...] = ()

    def picture(self, outcome: Outcome, rows: Sequence[ManifestRow]) -> None:
        chosen, _ = match(outcome, rows, self.min_iou)
        scores = outcome.faces.attributes.get(self.attribute)
        for row, face in zip(rows, chosen.tolist(), strict=True):
            whose = row.subject or row.parent or row.path
            if outcome.error is not None or face < 0 or scores is None:
                error = outcome.error or NoFaceFound("no face found where the label says")
                refused = outcome.error is not None
                self.failures.append(Failure(row.path, type(error).__name__, str(error), refused))
                self.whose_failed.append(whose)
                continue
            truth = truth_of(row, self.label)
            assert truth is not None
            said = scores.values[face]
            if isinstance(said, str):
                truth = truth if isinstance(truth, str) else tables.number_text(truth)
                self.names = scores.classes
                if truth not in self.names:
                    self.unknown[truth] += 1
                    continue
            elif isinstance(truth, str):
                raise ConfigError(
                    f"{self.attribute} is answered with a number, but {row.path} is labelled {truth!r}"
                )
            self.truths.append(truth)
            self.values.append(said)
            self.chances.append(scores.probabilities[face].astype(np.float64))
            self.whose.append(whose)

    def classes(self, resamples: int) -> ClassificationRates | None:
        """Rates of a classifier, None of a model that answers with numbers."""
        if not self.truths:
            raise InsufficientData(
                f"no labelled face was found and known: {quantity(len(self.failures), 'failure')} to "
                f"acquire, {quantity(self.unknown.total(), 'label')} no class of the model"
            )
        if not self.names:
            return None
        return classification_rates.rates(
            self._codes(),
            np.stack(self.chances),
            self.names,
            self.whose,
            failed_subjects=self.whose_failed,
            resamples=resamples,
        )

    def number(self, edges: Sequence[float], resamples: int) -> NumberReport | None:
        """Errors of a number, None of a model that answers with classes."""
        if self.names:
            return None
        truth, guess = np.array(self.truths, np.float64), np.array(self.values, np.float64)
        bins = list(pairwise(edges))
        return NumberReport(
            truth=truth,
            predicted=guess,
            errors=numbers.errors(truth, guess, self.whose, resamples=resamples),
            by_bin=numbers.errors_by_bin(truth, guess, self.whose, bins, resamples=resamples),
        )

    def curves(self) -> dict[str, RocCurve]:
        """ROC of each class that some but not all faces are of."""
        codes, chances = self._codes(), np.stack(self.chances)
        return {
            name: roc(chances[:, c], codes == c)
            for c, name in enumerate(self.names)
            if 0 < (codes == c).sum() < len(codes)
        }

    def _codes(self) -> Any:
        return np.array([self.names.index(str(truth)) for truth in self.truths], np.int64)
