"""What detection on labelled pictures found: as JSON, in words, and drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lineament.answers import Answer, Table
from lineament.counting import quantity
from lineament.evaluation.capture import Failure, failures_json
from lineament.evaluation.enough_people import alone
from lineament.evaluation.truths import Truths
from lineament.kinds import FACE, alike, counted, noun
from lineament.scoring import detection_rates
from lineament.scoring.detection import Curve
from lineament.scoring.detection_rates import DetectionRates
from lineament.scoring.matching import Matches, PictureBoxes
from lineament.scoring.rate import Rate
from lineament.scoring.thresholds import RULE_OF

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDER = {
    name: f"WIDER FACE easy, medium, hard: average precision by that benchmark's own protocol, {rule}; a "
    "level holds the easier ones too, a level without a face has no row, and none compares with mAP50"
    for name, rule in (
        ("label", "faces taken by their label 'level'"),
        (
            "height",
            "of faces at least 50, 30 and 10 pixels tall, which only comes near its published lists",
        ),
    )
}
"""What the rows of the levels are, by what tells a face's level."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionReport(Answer):
    """What `evaluate` found.

    ``boxes`` are the pictures with truths and detections, in the order of ``truths.pictures``, followed by
    one that stands for all missing pictures, if any. ``wider`` holds the levels that have faces;
    ``wider_levels`` tells whether the faces' label ``level`` or their height says which. ``curve`` is at
    IoU 0.5. ``finds`` are the classes the detector looks for, ``lowest`` is the least score it returned.
    """

    truths: Truths
    boxes: tuple[PictureBoxes, ...]
    matches: Matches
    rates: DetectionRates
    curve: Curve
    by_size: Mapping[str, Rate | None]
    by_label: Mapping[str, Mapping[str, Rate]]
    wider: Mapping[str, Rate]
    wider_levels: str
    failures: tuple[Failure, ...]
    min_side: float
    finds: tuple[str, ...] = (FACE,)
    lowest: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the keys are explained in docs/reference/detection-metrics.md."""
        truths = self.truths
        return {
            "pictures": len(truths.pictures),
            "truths": self.matches.truths,
            "truths_ignored": len(self.matches.counted) - self.matches.truths,
            "detections": len(self.matches.scores),
            "min_side": self.min_side,
            **self.rates.to_json(),
            "best_f1": self._best(),
            "by_size": {name: Rate.json_of(rate) for name, rate in self.by_size.items()},
            "by_label": {
                label: {value: rate.to_json() for value, rate in rates.items()}
                for label, rates in self.by_label.items()
            },
            "wider": {level: rate.to_json() for level, rate in self.wider.items()},
            "wider_levels_by": self.wider_levels,
            **failures_json(self.failures),
            "faces_of_missing_pictures": truths.missing_faces,
            "pictures_with_unusable_labels": dict(truths.unusable),
            "pictures_elsewhere": truths.elsewhere,
            "pictures_without_labels": truths.unlabelled,
            "label_format": truths.format,
            "split": truths.split or "all",
            "pictures_of_other_splits": truths.other_splits,
            "boxes": dict(truths.boxes),
            "boxes_of_other_classes": dict(truths.other_kinds),
            "label_problems": dict(truths.problems),
            "lowest_score": self.lowest,
        }

    def told(self) -> Iterator[str | Table]:
        """What the labels held, the rates of all boxes, and recall by size and by label."""
        yield from self._labels()
        truths, rates = self.truths, self.rates
        rows = [("mAP50", *_cells(rates.map50)), ("mAP50-95", *_cells(rates.map50_95))]
        rows += [
            (f"{name} at score {rates.score:g}", *_cells(rate))
            for name, rate in (("precision", rates.precision), ("recall", rates.recall), ("F1", rates.f1))
        ]
        by = f"by {self.wider_levels}"
        rows += [(f"WIDER FACE {level}, {by}", *_cells(rate)) for level, rate in self.wider.items()]
        title = f"All {noun(truths.boxes)} (IoU 0.5 unless stated)"
        yield Table(title, ("figure", "value", "95 %", "of"), rows)
        if self.wider:
            yield WIDER[self.wider_levels]
        yield from alone(self.matches.pictures_with_truths, "picture")
        if self.lowest is not None and self.lowest > 0.1:
            yield (
                f"average precision without detections below {self.lowest:g}, which this detector does not "
                "give: lower than it would be with them"
            )
        rows = [(name, *_cells(rate)) for name, rate in self.by_size.items() if rate is not None]
        for label, by_value in self.by_label.items():
            rows += [(f"{label}: {value}", *_cells(rate)) for value, rate in by_value.items()]
        title = f"Recall at score {rates.score:g}, by shorter side and by label"
        yield Table(title, (noun(truths.boxes), "recall", "95 %", "of"), rows)

    def _labels(self) -> Iterator[str]:
        truths, thing = self.truths, noun(self.truths.boxes, 1)
        ignored = len(self.matches.counted) - self.matches.truths
        yield (
            f"{quantity(len(truths.pictures), 'picture')} ({len(self.failures)} refused), "
            f"{self.matches.truths:,} {noun(truths.boxes, self.matches.truths)} that count, {ignored:,} "
            f"ignored; labels read as {truths.format}" + (f", split {truths.split}" if truths.split else "")
        )
        unlabelled = "in the folder that the labels do not name, left out"
        if truths.offer:
            unlabelled += f"; if they hold no {thing}: --format {truths.offer}"
        for count, one, rest in (
            (
                truths.missing_faces,
                thing,
                "of pictures that are not there, counted as missed whatever their size",
            ),
            (len(truths.unusable), "picture", "left out, because their labels cannot be used"),
            (truths.other_splits, "picture", f"of other splits than {truths.split}, left out"),
            (truths.elsewhere, "labelled picture", "outside the folder, left out"),
            (truths.unlabelled, "picture", unlabelled),
        ):
            if count:
                yield f"{quantity(count, one)} {rest}"
        if truths.other_kinds:
            yield f"{counted(truths.other_kinds)} left out: the detector looks for {noun(self.finds)}"
        elif not alike(truths.boxes, self.finds):
            yield (
                f"warning: the labels are of {noun(truths.boxes)}, the detector finds {noun(self.finds)}, "
                "with other boxes: these figures do not tell how well it finds what it looks for"
            )
        yield from (f"left out: {path}: {reason}" for path, reason in truths.unusable.items())
        if truths.problems:
            yield "in the labels: " + ", ".join(
                f"{kind} {count}" for kind, count in truths.problems.items()
            )

    def figures(self) -> Mapping[str, Figure]:
        """Precision against recall, F1 by score, and true positives against false ones."""
        from lineament.plots.discrete_roc import discrete_roc_figure
        from lineament.plots.precision_recall import f1_figure, precision_recall_figure

        named = {f"average precision {self.rates.map50}": self.curve}
        return {
            "precision_recall": precision_recall_figure(named),
            "f1_by_score": f1_figure({"F1": self.curve}, score=self.rates.score),
            "discrete_roc": discrete_roc_figure(
                self.curve, pictures=len(self.truths.pictures), things=noun(self.truths.boxes)
            ),
        }

    def by_picture(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Numerator and denominator of precision and recall by picture, under digests of the paths."""
        right, wrong, truths = detection_rates.by_picture(self.matches, self.rates.score)
        names = [
            hashlib.sha256(one.path.encode("utf-8", "surrogateescape")).hexdigest()[:20]
            for one in self.truths.pictures
        ]
        names += ["missing"] * (len(right) - len(names))
        return {
            "recall": {n: (float(r), float(t)) for n, r, t in zip(names, right, truths, strict=True)},
            "precision": {n: (float(r), float(r + w)) for n, r, w in zip(names, right, wrong, strict=True)},
        }

    def _best(self) -> dict[str, Any] | None:
        if not len(self.curve.scores):
            return None
        i, truths = self.curve.best, self.matches.truths
        few = truths < RULE_OF
        return {
            "score": None if few else float(self.curve.scores[i]),
            "precision": float(self.curve.precision[i]),
            "recall": float(self.curve.recall[i]),
            "f1": float(self.curve.f1[i]),
            "truths": truths,
            "note": "chosen on these very pictures: it flatters"
            + (f"; no score is named: that needs {RULE_OF} truths, you have {truths}" if few else ""),
        }


def _cells(rate: Rate | None) -> tuple[str, ...]:
    if rate is None:
        return ("nothing detected", "", "0")
    return (f"{rate.value:.3f}", rate.span(".3f"), f"{rate.n:,}")
