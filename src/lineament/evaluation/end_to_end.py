"""Whole photos through detector and classifier together: which faces end right, and where others are lost.

A labelled face ends in exactly one way: named right, named wrong, not detected, in a refused picture, of a
class the classifier does not know, or impossible to place (no box, and others in the picture). The last two
are counted and in no rate: nothing the models could answer would be right, or known to be.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lineament.analyzer import Analyzer
from lineament.answers import Answer, Table
from lineament.counting import quantity
from lineament.datasets import tables
from lineament.errors import ConfigError, InsufficientData, SplitError
from lineament.evaluation.trained_on import LeakCheck, leak_json, require_unseen, told
from lineament.geometry.boxes import nearest_to
from lineament.geometry.placing import place
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.own_files import ANSWERS, LINE_END
from lineament.io.writing import replacing
from lineament.protocols import Advance
from lineament.scoring import numbers, proportions
from lineament.scoring.numbers import NumberErrors
from lineament.scoring.rate import Rate
from lineament.types import AttributeScores, Outcome

SUBJECT = "subject"
Ending = Literal["right", "wrong", "missed", "refused", "unknown_class", "not_placed"]
ENDINGS: tuple[Ending, ...] = ("right", "wrong", "missed", "refused", "unknown_class", "not_placed")
RATED: Mapping[Ending, str] = {
    "right": "detected and named right",
    "wrong": "detected and named wrong",
    "missed": "not detected",
    "refused": "picture refused",
}
"""The endings that rates are of, in words."""


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """One labelled face and how it ended.

    ``said`` is the classifier's answer with its ``probability``, None where no detection was the face. Of a
    number, ``right`` means detected.
    """

    row: str
    picture: str
    truth: str | float
    ending: Ending
    said: str | float | None = None
    probability: float | None = None
    iou: float | None = None
    whose: str = ""


@dataclass(frozen=True, slots=True)
class EndToEnd(Answer):
    """Every labelled face of the evaluated pictures, and what else was found in them.

    ``pictures`` counts how pictures ended. ``extra`` is the number of detections that are no labelled face,
    of ``detections``, in pictures whose faces all have boxes; None when there is no such picture.
    ``unlabelled`` rows have no truth, ``elsewhere`` belong to another split, ``unusable`` ended without a
    face when the manifest was made. ``compared`` is with how many training rows the leak check compared.
    """

    attribute: str
    faces: tuple[LabelledFace, ...]
    pictures: Mapping[str, int]
    detections: int
    extra: int | None
    extra_by_picture: tuple[tuple[int, int], ...]
    classes: tuple[str, ...]
    unlabelled: int
    elsewhere: int
    unusable: int
    compared: Mapping[str, LeakCheck]

    @property
    def rated(self) -> tuple[LabelledFace, ...]:
        """The faces that rates are of."""
        return tuple(face for face in self.faces if face.ending in RATED)

    def share(self, *endings: Ending, among: Collection[Ending] = RATED) -> Rate | None:
        """The share of faces that ended so, its interval clustered by subject; None among no faces."""
        faces = [face for face in self.faces if face.ending in among]
        if not faces:
            return None
        return proportions.of_flags([f.ending in endings for f in faces], [f.whose for f in faces])

    @property
    def is_number(self) -> bool:
        """Whether the answers are numbers, for which there is an error and no accuracy."""
        said = [face.said for face in self.faces if face.said is not None]
        return any(isinstance(value, float) for value in said or [face.truth for face in self.faces])

    def to_json(self) -> dict[str, Any]:
        """Counts, and rates as ``{"value", "low", "high", "n"}``, null where they are of nothing."""
        ends = Counter(face.ending for face in self.faces)
        found: dict[str, Any] = {
            "attribute": self.attribute,
            "pictures": dict(self.pictures),
            "faces": {ending: ends[ending] for ending in ENDINGS},
            "labelled_faces": len(self.faces),
            "rows_without_label": self.unlabelled,
            "rows_of_other_splits": self.elsewhere,
            "rows_without_a_face": self.unusable,
            "classes": len(self.classes),
            **leak_json(self.compared),
            "detections": self.detections,
            "detection_misses": Rate.json_of(self.share("missed")),
            "refused": Rate.json_of(self.share("refused")),
            "false_detections": None if self.extra is None else Rate.json_of(self._extra_share()),
        }
        if self.is_number:
            errors = self._errors()
            return (
                found
                | {"detected": Rate.json_of(self.share("right"))}
                | ({} if errors is None else errors.to_json())
            )
        return found | {
            "end_to_end_accuracy": Rate.json_of(self.share("right")),
            "classification_errors": Rate.json_of(self.share("wrong")),
            "accuracy_of_detected": Rate.json_of(self.share("right", among=("right", "wrong"))),
            "chance": 1 / len(self.classes) if self.classes else None,
            "confusions": [
                {"truth": truth, "said": said, "faces": count}
                for (truth, said), count in self.confusions().most_common()
            ],
        }

    def told(self) -> Iterator[str | Table]:
        """Counts, how the labelled faces ended, what they were taken for, and what is in no rate."""
        p = self.pictures
        yield (
            f"{quantity(p['total'], 'picture')} ({p.get('ok', 0):,} with a face found, "
            f"{p.get('no_face', 0):,} without, {p.get('refused', 0):,} refused), "
            f"{quantity(len(self.faces), 'labelled face')}, {quantity(self.detections, 'detection')}; "
            f"{self.attribute}: {quantity(len(self.classes), 'class') if self.classes else 'no classes'}"
        )
        ends = Counter(face.ending for face in self.faces)
        what = {**RATED, "right": "detected"} if self.is_number else RATED
        rows = [
            (label, ends[ending], _cell(self.share(ending)))
            for ending, label in what.items()
            if not (self.is_number and ending == "wrong")
        ]
        yield Table("How the labelled faces ended", ("", "faces", "share, 95 %"), rows)
        if not self.is_number:
            alone = self.share("right", among=("right", "wrong"))
            whole = _cell(self.share("right"))
            yield f"accuracy end to end {whole}; of the detected faces alone {_cell(alone)}"
            for (truth, said), count in self.confusions().most_common(5):
                yield f"  {truth} taken for {said}: {count}"
        elif (errors := self._errors()) is not None:
            error = errors.mean_absolute_error
            words = f"{error.value:.2f} ({error.span('.2f')}), n = {error.n}"
            yield f"mean absolute error of the detected: {words}"
        if self.extra is not None:
            extra = quantity(self.extra, "detection is")
            yield f"{extra} no labelled face, in pictures where all have boxes"
        unrated: dict[Ending, str] = {
            "unknown_class": "of classes the model was never shown",
            "not_placed": "without a box in pictures with several",
        }
        for ending, which in unrated.items():
            if count := ends[ending]:
                yield f"in no rate: {quantity(count, 'face')} {which}"
        for count, which in (
            (self.unlabelled, f"without a {self.attribute}"),
            (self.elsewhere, "of other splits"),
            (self.unusable, "that ended without a face when the data were made"),
        ):
            if count:
                yield f"left out: {quantity(count, 'row')} {which}"
        for run, one in self.compared.items():
            checked = f"none of the {quantity(one.rows, 'picture')} that shaped it is among these"
            yield f"leak check, {run}: {checked if one.rows else 'no manifest to compare with'}"
        yield from told(self.compared)

    def _errors(self) -> NumberErrors | None:
        """Of a number; None where no face was detected."""
        there = [face for face in self.faces if face.ending == "right"]
        if not there:
            return None
        return numbers.errors(*zip(*((f.truth, f.said, f.whose) for f in there), strict=True))

    def write_faces(self, path: Path) -> Path:
        """Write how each face ended, one JSON object a line; raises `OutputError`, `WouldOverwrite`."""
        with replacing(path, ANSWERS) as file:
            file.writelines(json.dumps(asdict(face), sort_keys=True) + LINE_END for face in self.faces)
        return path

    def confusions(self) -> Counter[tuple[str, str]]:
        """How often which class was taken for which."""
        return Counter((str(f.truth), str(f.said)) for f in self.faces if f.ending == "wrong")

    def _extra_share(self) -> Rate | None:
        if not sum(whole for _, whole in self.extra_by_picture):
            return None
        part, whole = np.array(self.extra_by_picture).T
        return proportions.of_counts(part, whole)


def evaluate(
    manifest: Manifest,
    analyzer: Analyzer,
    attribute: str = SUBJECT,
    *,
    split: str | None = None,
    min_iou: float = 0.5,
    runs: Sequence[Path] = (),
    advance: Advance | None = None,
) -> EndToEnd:
    """Analyse every picture of the manifest, or of one split, once, and follow each labelled face.

    The truth is the row's subject, or its label ``attribute``. A row's box says which face is meant: the
    detection that fits it best, each once, with an IoU of ``min_iou`` or more. A picture's only row may do
    without a box: then the face nearest the picture's centre is meant. ``runs`` are the folders of the
    models trained here. Raises `SplitError` when one was trained on these pictures, `ConfigError` when no
    model answers for the attribute, or with a number where labels are words, and `InsufficientData` without
    a labelled face.
    """
    if attribute not in [name for one in analyzer.attributes for name in one.names]:
        raise ConfigError(f"no model given answers for {attribute!r}")
    if not 0 < min_iou <= 1:
        raise ConfigError("min_iou lies between 0 and 1")
    rows = [row for row in manifest if split is None or row.split == split]
    if split is not None and not rows:
        known = ", ".join(sorted({r.split for r in manifest if r.split})) or "none"
        raise SplitError(f"no rows in the split {split!r}; splits: {known}")
    usable = [row for row in rows if row.outcome == "ok"]
    compared = {run.name: require_unseen(usable, run) for run in runs}
    by_picture: dict[str, list[ManifestRow]] = {}
    for row in usable:
        by_picture.setdefault(row.path, []).append(row)
    if not any(truth_of(row, attribute) is not None for row in usable):
        raise InsufficientData(f"none of the {quantity(len(usable), 'row')} has a {attribute}")
    follow = _Following(attribute, min_iou)
    files = [str(manifest.folder / path) for path in by_picture]
    for outcome, members in zip(analyzer.analyze(files), by_picture.values(), strict=True):
        follow.picture(outcome, members)
        if advance is not None:
            advance(1)
    classes = _classes(analyzer, attribute) or follow.classes
    return EndToEnd(
        attribute=attribute,
        faces=tuple(_known(face, classes) for face in follow.faces),
        pictures=dict(follow.pictures),
        detections=follow.detections,
        extra=sum(extra for extra, _ in follow.extra) if follow.extra else None,
        extra_by_picture=tuple(follow.extra),
        classes=classes,
        unlabelled=sum(truth_of(row, attribute) is None for row in usable),
        elsewhere=len(manifest) - len(rows),
        unusable=len(rows) - len(usable),
        compared=compared,
    )


def truth_of(row: ManifestRow, attribute: str) -> str | float | None:
    """A row's subject or label, None without one."""
    return row.subject if attribute == SUBJECT else row.labels.get(attribute)


class _Following:
    """Labelled faces through one picture after the other."""

    def __init__(self, attribute: str, min_iou: float) -> None:
        self.attribute, self.min_iou = attribute, min_iou
        self.faces: list[LabelledFace] = []
        self.pictures: Counter[str] = Counter()
        self.extra: list[tuple[int, int]] = []
        self.detections = 0
        self.classes: tuple[str, ...] = ()

    def picture(self, outcome: Outcome, rows: Sequence[ManifestRow]) -> None:
        self.pictures["total"] += 1
        self.pictures[str(outcome.status)] += 1
        self.detections += len(outcome.faces)
        chosen, overlap = match(outcome, rows, self.min_iou)
        if outcome.error is None and all(row.box is not None for row in rows):
            self.extra.append((len(outcome.faces) - int((chosen >= 0).sum()), len(outcome.faces)))
        scores = outcome.faces.attributes.get(self.attribute)
        if scores is not None and any(isinstance(value, str) for value in scores.values):
            self.classes = scores.classes
        for row, face, near in zip(rows, chosen.tolist(), overlap.tolist(), strict=True):
            if truth_of(row, self.attribute) is not None:
                self.faces.append(self._ended(row, outcome, len(rows), face, near, scores))

    def _ended(
        self,
        row: ManifestRow,
        outcome: Outcome,
        others: int,
        face: int,
        near: float,
        scores: AttributeScores | None,
    ) -> LabelledFace:
        truth = truth_of(row, self.attribute)
        assert truth is not None
        # Photos of one person are alike, and so are the faces of one picture.
        whose = row.subject or row.parent or row.path
        if isinstance(truth, int):
            truth = float(truth)
        if outcome.error is not None:
            return LabelledFace(row.id, row.path, truth, "refused", whose=whose)
        if row.box is None and others > 1:
            return LabelledFace(row.id, row.path, truth, "not_placed", whose=whose)
        if face < 0 or scores is None:
            return LabelledFace(row.id, row.path, truth, "missed", whose=whose)
        said = scores.values[face]
        if isinstance(said, float) and isinstance(truth, str):
            raise ConfigError(f"the model answers {self.attribute} with a number, and the labels are words")
        return LabelledFace(
            row=row.id,
            picture=row.path,
            truth=truth,
            ending="right" if isinstance(said, float) or said == _text(truth) else "wrong",
            said=said,
            probability=scores.probability(face),
            iou=None if row.box is None else near,
            whose=whose,
        )


def match(
    outcome: Outcome, rows: Sequence[ManifestRow], min_iou: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which detection is which row's face, -1 for none, and their IoU: both ``(rows,)``.

    All rows together, each detection once (`lineament.geometry.placing`).
    """
    chosen = np.full(len(rows), -1, np.intp)
    overlap = np.zeros(len(rows))
    boxed = [i for i, row in enumerate(rows) if row.box is not None]
    faces = outcome.faces
    if len(faces) and boxed:
        placed = place(np.array([rows[i].box for i in boxed], np.float32), faces.boxes, min_iou)
        chosen[boxed], overlap[boxed] = placed.face, placed.overlap
    if len(rows) == 1 and not boxed and len(faces) and outcome.size_wh is not None:
        w, h = outcome.size_wh
        chosen[0] = nearest_to(faces.boxes, (w / 2, h / 2))
    return chosen, overlap


def _classes(analyzer: Analyzer, attribute: str) -> tuple[str, ...]:
    """The classes a trained model's card names; none of a number, or of a model without a card."""
    from lineament.attributes.trained import Trained

    for one in analyzer.attributes:
        if isinstance(one, Trained) and attribute in one.names:
            return one.card.heads[one.names.index(attribute)].classes
    return ()


def _known(face: LabelledFace, classes: Sequence[str]) -> LabelledFace:
    """A face of a class that the classifier was never shown cannot be named right."""
    if not classes or _text(face.truth) in classes or face.ending == "not_placed":
        return face
    return replace(face, ending="unknown_class")


def _text(truth: str | float) -> str:
    return truth if isinstance(truth, str) else tables.number_text(truth)


def _cell(rate: Rate | None) -> str:
    return "" if rate is None else str(rate)
