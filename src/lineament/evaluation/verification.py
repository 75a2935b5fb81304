"""1:1 evaluation on pictures: LFW's View 2 protocol and error rates at target FMRs.

A pair with a failure to acquire is an error in the accuracy, whichever its label. In FMR and FNMR it is
what it would be in use, a non-match: wrong if mated, right if not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineament.analyzer import Analyzer
from lineament.answers import Answer, Table
from lineament.counting import quantity
from lineament.errors import InsufficientData, UsageError
from lineament.evaluation.capture import Captures, capture, failures_json, rate_key
from lineament.evaluation.pairs import PairList
from lineament.evaluation.templates import Templates, capture_templates
from lineament.protocols import Advance
from lineament.scoring import equal_error, intervals, operating_points, similarity, thresholds
from lineament.scoring.operating_points import COLUMNS, TARGET_RATES, OperatingPoint
from lineament.scoring.rate import Rate
from lineament.scoring.verification import Accuracy, Roc, auc, cross_validated_accuracy, roc
from lineament.shown import shown
from lineament.types import Float32

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LISTED_RATES = (1e-2, 1e-3)
SAME_DATA = "the thresholds of fnmr_at_fmr were chosen on these very comparisons"


@dataclass(frozen=True, slots=True, eq=False)
class VerificationReport(Answer):
    """What `evaluate` found.

    ``accuracy`` is None with a single fold; ``accuracy_rate`` is it with its interval over all pairs.
    ``listed`` are operating points of the pairs in the file, ``everything`` those of all comparisons
    between its pictures, supported or not: many more, so they carry lower rates. ``templates`` are what
    the list compares where it is not pictures.
    """

    pairs: PairList
    captures: Captures
    mated: Float32
    nonmated: Float32
    accuracy: Accuracy | None
    accuracy_rate: Rate | None
    auc: float
    eer: Rate
    roc: Roc
    listed: tuple[OperatingPoint, ...]
    everything: tuple[OperatingPoint, ...]
    templates: Templates | None = None

    __repr__ = shown

    @property
    def pairs_with_failures(self) -> int:
        """Pairs of which a picture gave no face."""
        failed = self.captures.failed
        return int((failed[self.pairs.first] | failed[self.pairs.second]).sum())

    @property
    def carried(self) -> list[OperatingPoint]:
        """The points that all comparisons support."""
        return [point for point in self.everything if point.supported]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the keys are explained in docs/reference/metrics.md."""
        accuracy = self.accuracy
        return {
            "pairs": len(self.pairs),
            "mated_pairs": len(self.mated),
            "non_mated_pairs": len(self.nonmated),
            "pictures": len(self.pairs.pictures),
            "subjects": int(self.pairs.subjects.max()) + 1,
            "pairs_with_failures": self.pairs_with_failures,
            **failures_json(self.captures.failures),
            "accuracy": None if self.accuracy_rate is None else self.accuracy_rate.to_json(),
            "accuracy_se": None if accuracy is None else accuracy.standard_error,
            "folds": []
            if accuracy is None
            else [
                {"fold": f.fold, "pairs": f.pairs, "accuracy": f.accuracy, "threshold": f.threshold}
                for f in accuracy.folds
            ],
            "auc": self.auc,
            "eer": self.eer.to_json(),
            "roc_points": len(self.roc.thresholds),
            "fnmr_at_fmr": {rate_key(p.target_rate): p.fnmr.rate.to_json() for p in self.listed},
            "thresholds_chosen_on": SAME_DATA,
            "unsupported": _unsupported(self.listed),
            "operating_points": _points_json(self.listed),
            "all_comparisons": {
                "fnmr_at_fmr": {rate_key(p.target_rate): p.fnmr.rate.to_json() for p in self.carried},
                "unsupported": _unsupported(self.everything),
                "operating_points": _points_json(self.carried),
            },
            "model": str(self.captures.model),
            "templates": self.templates is not None,
        }

    def told(self) -> Iterator[str | Table]:
        """Counts, accuracy over the folds, AUC and EER, and the operating points of both kinds."""
        failures = len(self.captures.failures)
        if self.templates is None:
            what = quantity(len(self.pairs.pictures), "picture")
        else:
            pictures = quantity(len(self.templates.pictures), "picture")
            what = f"{quantity(len(self.templates.ids), 'template')} of {pictures}"
        yield (
            f"{quantity(len(self.pairs), 'pair')} ({len(self.mated):,} mated, {len(self.nonmated):,} "
            f"non-mated) of {what}; {quantity(failures, 'failure')} to acquire in "
            f"{quantity(self.pairs_with_failures, 'pair')}"
        )
        if self.accuracy is None or self.accuracy_rate is None:
            yield "accuracy: needs 2 folds or more, because the threshold comes from the other folds"
        else:
            yield (
                f"accuracy {self.accuracy.mean:.4f} ({self.accuracy_rate.low:.4f} to "
                f"{self.accuracy_rate.high:.4f}), standard error {self.accuracy.standard_error:.4f} "
                f"({quantity(len(self.accuracy.folds), 'fold')}, threshold from the others)"
            )
        yield f"AUC {self.auc:.5f}, EER {self.eer}; {self.captures.system}"
        yield Table("The listed pairs", COLUMNS, [point.row() for point in self.listed])
        if self.carried:
            rows = [point.row() for point in self.carried]
            yield Table("All comparisons between these pictures", COLUMNS, rows)
        yield "in both tables the thresholds were chosen on the comparisons shown"

    def figures(self) -> Mapping[str, Figure]:
        """ROC, DET and the similarities of the listed pairs."""
        from lineament.plots.det import det_figure
        from lineament.plots.roc import roc_figure
        from lineament.plots.scores import score_figure

        marks = {f"FMR {p.target_rate:g}": p.threshold for p in self.carried or self.listed}
        return {
            "roc": roc_figure(self.roc, nonmated=len(self.nonmated)),
            "det": det_figure(self.roc, self.carried),
            "scores": score_figure(self.mated, self.nonmated, marks),
        }


def _unsupported(points: Sequence[OperatingPoint]) -> dict[str, str]:
    return {
        rate_key(point.target_rate): thresholds.shortfall(
            point.target_rate, point.fmr.comparisons, "FMR", "non-mated comparisons"
        )
        for point in points
        if not point.supported
    }


def _points_json(points: Sequence[OperatingPoint]) -> dict[str, Any]:
    return {rate_key(point.target_rate): point.to_json() for point in points}


def evaluate(
    pairs: PairList,
    images: Path,
    analyzer: Analyzer,
    advance: Advance | None = None,
    *,
    templates: Templates | None = None,
) -> VerificationReport:
    """Compare every listed pair; each picture is analysed once.

    A list may be one of ``templates``, made of several pictures each. A picture that is missing is a
    failure to acquire. Raises `UsageError` when none is there at all, and
    `InsufficientData` when the list lacks mated or non-mated pairs.
    """
    if not images.is_dir():
        raise UsageError(f"no folder of images at {images}")
    paths = [images / name for name in (templates or pairs).pictures]
    if not any(path.exists() for path in paths):
        file = "pairs" if templates is None else "template"
        raise UsageError(
            f"none of the {quantity(len(paths), 'picture')} of the {file} file lies under {images}"
        )
    require_both_kinds(pairs)
    if templates is None:
        return score(pairs, capture(analyzer, paths, advance))
    return replace(
        score(pairs, capture_templates(templates, images, analyzer, advance)), templates=templates
    )


def require_both_kinds(pairs: PairList) -> None:
    """Raise `InsufficientData` for a list with only mated or only non-mated pairs."""
    if pairs.same.all() or not pairs.same.any():
        only = "mated" if pairs.same.all() else "non-mated"
        raise InsufficientData(f"error rates need mated and non-mated pairs, the file has only {only} ones")


def score(pairs: PairList, captures: Captures) -> VerificationReport:
    """Every figure from the embeddings of ``pairs.pictures``, in that order."""
    scores = similarity.paired(captures.embeddings[pairs.first], captures.embeddings[pairs.second])
    failed = captures.failed[pairs.first] | captures.failed[pairs.second]
    mated, nonmated = scores[pairs.same], scores[~pairs.same]
    owners = pairs.subjects[pairs.first[pairs.same]]
    others = pairs.subjects[pairs.first[~pairs.same]], pairs.subjects[pairs.second[~pairs.same]]
    everything = operating_points.from_samples(captures.embeddings, pairs.subjects, TARGET_RATES)
    right = None
    try:
        accuracy = cross_validated_accuracy(scores, pairs.same, pairs.folds, failed)
        people = pairs.subjects[pairs.first], pairs.subjects[pairs.second]
        errors = intervals.estimate(intervals.by_subjects(accuracy.wrong, *people)).rate.complement()
        # Folds of unequal size weigh unequally in the mean; the interval is that of the pairs together.
        right = replace(errors, value=accuracy.mean)
    except InsufficientData:
        accuracy = None
    return VerificationReport(
        pairs=pairs,
        captures=captures,
        mated=mated,
        nonmated=nonmated,
        accuracy=accuracy,
        accuracy_rate=right,
        auc=auc(mated, nonmated),
        eer=equal_error.listed(mated, owners, nonmated, *others),
        roc=roc(mated, nonmated),
        listed=tuple(operating_points.from_scores(mated, owners, nonmated, *others, rates=LISTED_RATES)),
        everything=tuple(everything),
    )
