"""Do error rates differ between groups of people? FMR and FNMR a group at one global threshold.

Mated comparisons belong to their subject's group. Non-mated ones count for a group when both people are of
it: there the false match rate is highest, because people of one group look more alike (NIST IR 8280, 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lineament.analyzer import Analyzer
from lineament.answers import Table
from lineament.counting import quantity
from lineament.errors import InsufficientData
from lineament.evaluation.capture import Captures, capture, failures_json
from lineament.evaluation.evaluated import PeopleReport
from lineament.evaluation.groups import Groups
from lineament.evaluation.people import LabelledPictures
from lineament.io import catalog
from lineament.protocols import Advance
from lineament.scoring import fairness, intervals
from lineament.scoring.comparisons import compare
from lineament.scoring.fairness import Spread
from lineament.scoring.intervals import ErrorRate
from lineament.types import Threshold


@dataclass(frozen=True, slots=True)
class GroupResult:
    """One group; a rate is None when the group is too small for it, and ``unsupported`` says why."""

    people: int
    pictures: int
    failures: int
    fmr: ErrorRate | None
    fnmr: ErrorRate | None
    unsupported: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "subjects": self.people,
            "pictures": self.pictures,
            "failures_to_acquire": self.failures,
            "fmr": None if self.fmr is None else self.fmr.rate.to_json(),
            "fnmr": None if self.fnmr is None else self.fnmr.rate.to_json(),
            "unsupported": dict(self.unsupported),
        }


@dataclass(frozen=True, slots=True, eq=False)
class FairnessReport(PeopleReport):
    """Every group and the spread between them; ``unlabelled`` people have no group and are left out."""

    attribute: str
    threshold: Threshold
    fmr: ErrorRate
    fnmr: ErrorRate
    groups: Mapping[str, GroupResult]
    fmr_spread: Spread | None
    fnmr_spread: Spread | None
    unlabelled: int
    captures: Captures

    def to_json(self) -> dict[str, Any]:
        """Plain values; the keys are explained in docs/howto/evaluate-fairness.md."""
        return {
            "attribute": self.attribute,
            "threshold": self.threshold.to_json(),
            "overall": {"fmr": self.fmr.rate.to_json(), "fnmr": self.fnmr.rate.to_json()},
            "groups": {name: group.to_json() for name, group in self.groups.items()},
            "fmr_worst_over_best": None if self.fmr_spread is None else self.fmr_spread.to_json(),
            "fnmr_worst_over_best": None if self.fnmr_spread is None else self.fnmr_spread.to_json(),
            "people_without_a_group": self.unlabelled,
            **failures_json(self.captures.failures),
        }

    def rules(self) -> dict[str, Any]:
        """Which groups were compared."""
        return {"by": self.attribute, "groups": sorted(self.groups)}

    def system(self) -> dict[str, str]:
        """The threshold that decided."""
        return {"threshold": str(self.threshold)}

    def told(self) -> Iterator[str | Table]:
        """The threshold, both rates of every group, and how far the worst is from the best."""
        yield f"one threshold for all: {self.threshold}"
        rows = [("everybody", "", "", str(self.fmr.rate), str(self.fnmr.rate))]
        for name, group in self.groups.items():
            fmr, fnmr = (
                group.unsupported[kind] if rate is None else str(rate.rate)
                for kind, rate in (("fmr", group.fmr), ("fnmr", group.fnmr))
            )
            rows.append((name, f"{group.people:,}", f"{group.pictures:,}", fmr, fnmr))
        yield Table(
            f"By {self.attribute}", ("group", "people", "pictures", "FMR, 95 %", "FNMR, 95 %"), rows
        )
        for kind, spread in (("FMR", self.fmr_spread), ("FNMR", self.fnmr_spread)):
            if spread is None:
                yield f"{kind}: no ratio, fewer than two groups are large enough"
                continue
            low, high = spread.interval.low, spread.interval.high
            yield (
                f"{kind}: worst {spread.worst}, best {spread.best}, "
                f"{spread.value:.2f} times ({low:.2f} to {high:.2f})"
            )
        if self.unlabelled:
            yield f"{quantity(self.unlabelled, 'person has')} no label: left out"


def measure(
    people: LabelledPictures,
    analyzer: Analyzer,
    *,
    groups: Groups,
    attribute: str,
    threshold: Threshold | None = None,
    target_fmr: float = 1e-3,
    advance: Advance | None = None,
) -> FairnessReport:
    """Analyse every picture once and `evaluate`, at the card's threshold where none is given.

    Raises `InsufficientData`, and `ConfigError` for an analyzer without an embedder.
    """
    captures = capture(analyzer, people.pictures, advance, people.boxes)
    threshold = threshold or catalog.card(captures.model.name).threshold(target_fmr)
    return evaluate(people, captures, groups, attribute, threshold)


def evaluate(
    people: LabelledPictures, captures: Captures, groups: Groups, attribute: str, threshold: Threshold
) -> FairnessReport:
    """FMR and FNMR of each group at ``threshold``, which is one for all and comes from other data.

    Raises `InsufficientData` when fewer than two groups hold anybody.
    """
    threshold.model.require(captures.model)
    subjects = np.array(people.subjects)
    of_row = np.array([groups.get(subject, "") for subject in people.subjects])
    names = sorted(set(of_row) - {""})
    if len(names) < 2:
        raise InsufficientData(
            f"{attribute}: fairness needs two groups of people, the labels give {len(names)}"
        )
    labelled = of_row != ""
    overall_fmr, overall_fnmr = _rates(captures, subjects, labelled, threshold.value)
    if overall_fmr is None or overall_fnmr is None:
        raise InsufficientData("fairness needs mated and non-mated comparisons among the labelled people")
    results = {}
    for name in names:
        chosen = of_row == name
        fmr, fnmr = _rates(captures, subjects, chosen, threshold.value)
        unsupported = {}
        for kind, rate, overall in (("fmr", fmr, overall_fmr), ("fnmr", fnmr, overall_fnmr)):
            reason = fairness.shortage(overall.value, 0 if rate is None else rate.comparisons)
            if reason is not None:
                unsupported[kind] = reason
        results[name] = GroupResult(
            people=len(np.unique(subjects[chosen])),
            pictures=int(chosen.sum()),
            failures=int(captures.failed[chosen].sum()),
            fmr=None if "fmr" in unsupported else fmr,
            fnmr=None if "fnmr" in unsupported else fnmr,
            unsupported=unsupported,
        )
    return FairnessReport(
        attribute=attribute,
        threshold=threshold,
        fmr=overall_fmr,
        fnmr=overall_fnmr,
        groups=results,
        fmr_spread=fairness.spread({n: g.fmr for n, g in results.items() if g.fmr is not None}),
        fnmr_spread=fairness.spread({n: g.fnmr for n, g in results.items() if g.fnmr is not None}),
        unlabelled=len(set(people.subjects) - set(groups)),
        captures=captures,
    )


def _rates(
    captures: Captures, subjects: Any, chosen: Any, threshold: float
) -> tuple[ErrorRate | None, ErrorRate | None]:
    """FMR and FNMR among the chosen rows; None where there is nothing to compare."""
    if len(np.unique(subjects[chosen])) < 2:
        return None, None
    found = compare(captures.embeddings[chosen], subjects[chosen], (), at=(threshold,))
    fmr = intervals.estimate(found.false_matches(threshold))
    fnmr = intervals.estimate(found.false_nonmatches(threshold)) if len(found.mated) else None
    return fmr, fnmr
