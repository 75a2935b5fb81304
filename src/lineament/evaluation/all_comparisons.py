"""1:1 evaluation on all comparisons of labelled pictures: every rate that their number can support.

The threshold for a target FMR is chosen on the very comparisons it is then described by; what it does on
people it has not seen is for `lineament.evaluation.calibration` to say, or for the model's own threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lineament.analyzer import Analyzer
from lineament.answers import Table
from lineament.counting import quantity
from lineament.errors import InsufficientData, UnknownName
from lineament.evaluation.capture import Captures, capture, failures_json, rate_key
from lineament.evaluation.evaluated import PeopleReport
from lineament.evaluation.people import LabelledPictures
from lineament.evaluation.record import anonymous
from lineament.io import catalog
from lineament.protocols import Advance
from lineament.scoring import equal_error, intervals, operating_points, thresholds
from lineament.scoring.comparisons import Comparisons, compare
from lineament.scoring.operating_points import COLUMNS, TARGET_RATES, OperatingPoint
from lineament.scoring.paired import Counts
from lineament.scoring.rate import Rate
from lineament.types import Threshold

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAME_DATA = "the thresholds were chosen on these very comparisons"
ROC_POINTS = 200


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """FMR and FNMR at a threshold that was chosen on other data."""

    threshold: Threshold
    fmr: Rate
    fnmr: Rate

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "threshold": self.threshold.to_json(),
            "fmr": self.fmr.to_json(),
            "fnmr": self.fnmr.to_json(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class AllComparisonsReport(PeopleReport):
    """What `evaluate` found. ``points`` are the rates the comparisons support, ``unsupported`` says of the
    others what they would need. ``elsewhere`` is the threshold of a card or file, chosen on other data.
    """

    people: LabelledPictures
    captures: Captures
    found: Comparisons
    points: tuple[OperatingPoint, ...]
    unsupported: dict[float, str]
    eer: Rate
    eer_exact: bool
    elsewhere: AtThreshold | None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the keys are explained in docs/reference/metrics.md."""
        curve, exact = self.found.roc(ROC_POINTS)
        return {
            "protocol": "all comparisons",
            "pictures": len(self.people),
            "subjects": len(self.found.samples),
            "subjects_with_several": int((self.found.samples > 1).sum()),
            "mated_comparisons": len(self.found.mated),
            "non_mated_comparisons": self.found.total,
            **failures_json(self.captures.failures),
            **self.people.left_out(),
            "eer": self.eer.to_json(),
            "eer_exact": self.eer_exact,
            "fnmr_at_fmr": {rate_key(p.target_rate): p.fnmr.rate.to_json() for p in self.points},
            "unsupported": {rate_key(rate): reason for rate, reason in self.unsupported.items()},
            "operating_points": {rate_key(p.target_rate): p.to_json() for p in self.points},
            "thresholds_chosen_on": SAME_DATA,
            "at_other_threshold": None if self.elsewhere is None else self.elsewhere.to_json(),
            "roc": {
                "threshold": [None if np.isinf(t) else float(t) for t in curve.thresholds],
                "fmr": curve.fmr.tolist(),
                "fnmr": curve.fnmr.tolist(),
                "exact": exact,
            },
            "histogram": self.found.histogram.to_json(),
            "model": str(self.captures.model),
        }

    def rules(self) -> dict[str, str]:
        """All with all."""
        return {"comparisons": "all"}

    def told(self) -> Iterator[str | Table]:
        """Counts, EER, the operating points, and both rates at a threshold from elsewhere."""
        yield (
            f"{quantity(len(self.people), 'picture')} of {quantity(len(self.found.samples), 'person')}: "
            f"{len(self.found.mated):,} mated and {quantity(self.found.total, 'non-mated comparison')}; "
            f"{quantity(len(self.captures.failures), 'failure')} to acquire"
        )
        exact = "" if self.eer_exact else ", read off the histogram"
        yield f"EER {self.eer}{exact}; {self.captures.system}"
        rows = [point.row() for point in self.points]
        count = f"{self.found.total:,}"
        rows += [(f"{rate:g}", "", reason, "", count) for rate, reason in self.unsupported.items()]
        yield Table(f"All comparisons; {SAME_DATA}", COLUMNS, rows)
        if self.elsewhere is not None:
            other = self.elsewhere
            yield (
                f"at a threshold from elsewhere (flattered if that was chosen on these): {other.threshold}:"
            )
            yield f"FMR {other.fmr}, FNMR {other.fnmr}"

    def figures(self) -> Mapping[str, Figure]:
        """ROC, DET and the similarities of all comparisons."""
        from lineament.plots.det import det_figure
        from lineament.plots.roc import roc_figure
        from lineament.plots.scores import histogram_figure

        curve, _ = self.found.roc()
        marks = {f"FMR {p.target_rate:g}": p.threshold for p in self.points}
        return {
            "roc": roc_figure(curve, nonmated=self.found.total),
            "det": det_figure(curve, self.points, curve="all comparisons"),
            "scores": histogram_figure(self.found.histogram, len(self.found.mated), marks),
        }

    def clusters(self) -> dict[str, Counts]:
        """By figure, each person's false non-matches and mated comparisons, under digests of the names."""
        names = sorted(set(self.people.subjects))
        count = len(self.found.samples)
        mated = np.bincount(self.found.mated_codes, minlength=count)
        kept: dict[str, Counts] = {}
        cuts = {f"fnmr_at_fmr.{rate_key(point.target_rate)}": point.threshold for point in self.points}
        if self.elsewhere is not None:
            cuts["at_other_threshold.fnmr"] = self.elsewhere.threshold.value
        for path, threshold in cuts.items():
            missed = self.found.mated < np.float64(threshold)
            wrong = np.bincount(self.found.mated_codes[missed], minlength=count)
            kept[path] = {
                anonymous(names[i]): (float(wrong[i]), float(mated[i])) for i in range(count) if mated[i]
            }
        return kept


def evaluate(
    people: LabelledPictures,
    analyzer: Analyzer,
    *,
    rates: Sequence[float] = TARGET_RATES,
    threshold: Threshold | None = None,
    target_fmr: float = 1e-3,
    advance: Advance | None = None,
) -> AllComparisonsReport:
    """Analyse every picture once and compare all with all.

    ``threshold`` is one chosen on other data; without it the model's own for ``target_fmr`` is tried, if
    it has one. Raises `InsufficientData` without two people, or without two pictures of one.
    """
    captures = capture(analyzer, people.pictures, advance, people.boxes)
    return score(people, captures, rates=rates, threshold=threshold, target_fmr=target_fmr)


def score(
    people: LabelledPictures,
    captures: Captures,
    *,
    rates: Sequence[float] = TARGET_RATES,
    threshold: Threshold | None = None,
    target_fmr: float = 1e-3,
) -> AllComparisonsReport:
    """Every figure from the embeddings of ``people``, in that order."""
    if threshold is None:
        try:
            threshold = catalog.card(captures.model.name).threshold(target_fmr)
        except (UnknownName, InsufficientData):
            threshold = None
    else:
        threshold.model.require(captures.model)
    at = () if threshold is None else (threshold.value,)
    found = compare(captures.embeddings, np.array(people.subjects), rates, at=at)
    eer, exact = equal_error.of_comparisons(found)
    supported, unsupported = [], {}
    for rate in rates:
        try:
            thresholds.require(rate, found.total, "FMR", "non-mated comparisons")
            supported.append(rate)
        except InsufficientData as error:
            unsupported[rate] = str(error)
    elsewhere = None
    if threshold is not None:
        both = found.false_matches(threshold.value), found.false_nonmatches(threshold.value)
        fmr, fnmr = (intervals.estimate(sums).rate for sums in both)
        elsewhere = AtThreshold(threshold, fmr, fnmr)
    return AllComparisonsReport(
        people=people,
        captures=captures,
        found=found,
        points=tuple(operating_points.from_comparisons(found, supported)),
        unsupported=unsupported,
        eer=eer,
        eer_exact=exact,
        elsewhere=elsewhere,
    )
