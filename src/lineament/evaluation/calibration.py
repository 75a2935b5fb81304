"""A threshold for a target FMR or FPIR from the user's own people, and how sure a similarity makes one.

People are divided by a hash of their names: the threshold is chosen on one part, and what it does is
measured on the other, which it has never seen. Without a part held out the two are the same, and the record
says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lineament.analyzer import Analyzer
from lineament.answers import Table
from lineament.counting import quantity
from lineament.errors import ConfigError, InsufficientData
from lineament.evaluation.capture import Captures, capture
from lineament.evaluation.enough_people import FEWEST, explained, explained_for_both
from lineament.evaluation.evaluated import PeopleReport
from lineament.evaluation.gallery_split import split_pictures
from lineament.evaluation.people import LabelledPictures
from lineament.io.calibration_file import Calibration
from lineament.protocols import Advance
from lineament.scoring import identification as searches
from lineament.scoring import intervals, operating_points, probability, similarity, thresholds
from lineament.scoring.comparisons import compare
from lineament.scoring.intervals import ErrorRate
from lineament.scoring.operating_points import OperatingPoint
from lineament.scoring.probability import Method, Probability
from lineament.scoring.rate import Rate
from lineament.scoring.similarity import Index
from lineament.scoring.templates import fuse
from lineament.types import Float32, ModelId, Threshold

SAME_DATA = "CHOSEN AND MEASURED ON THE SAME PEOPLE: the error rates flatter the threshold"
APART = "chosen on some people, measured on others"
_DRAWN = 500_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to calibrate for.

    ``hold_out`` is the share of people on whom the threshold is measured, not chosen; 0 for none.
    ``hold_back`` and ``gallery_photos`` are for FPIR: who stays out of the gallery, and photos enrolled.
    ``method`` None leaves the probability out.
    """

    target: float
    kind: Literal["FMR", "FPIR"] = "FMR"
    hold_out: float = 0.3
    hold_back: float = 0.5
    gallery_photos: int = 1
    seed: int = 0
    method: Method | None = "logistic"

    def __post_init__(self) -> None:
        if not 0 < self.target < 1:
            raise ConfigError(f"a target rate lies between 0 and 1, got {self.target}")
        if not 0 <= self.hold_out < 1:
            raise ConfigError(f"the share held out is 0 or more and below 1, got {self.hold_out}")


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationReport(PeopleReport):
    """What `calibrate` chose, to be told."""

    found: Calibration
    captures: Captures

    def to_json(self) -> dict[str, Any]:
        """The threshold with its provenance, and how it was chosen and measured."""
        return {"threshold": self.found.threshold.to_json(), **self.found.record}

    def told(self) -> Iterator[str | Table]:
        """The threshold, both error rates on the people held out, and what the probability is worth."""
        threshold, record = self.found.threshold, self.found.record
        chosen, measured, check = record["chosen_on"], record["measured"], record["probability_check"]
        unit = "comparison" if threshold.kind == "FMR" else "search"
        yield (
            f"threshold {threshold.value:.4f} for {threshold.kind} <= {threshold.target_rate:g}, chosen on "
            f"{quantity(chosen['comparisons'], unit)} of {quantity(chosen['subjects'], 'person')}"
        )
        yield record["chosen_and_measured"]
        rows = []
        for name in ("fmr", "fpir", "fnmr", "fnir"):
            if name in measured and measured[name] is None:
                rows.append((name.upper(), measured["unsupported"].get(name, "")))
            elif name in measured:
                rate = Rate.from_json(measured[name])
                rows.append((name.upper(), f"{rate}, n = {rate.n:,}"))
        title = f"Measured on {quantity(measured['subjects'], 'person')}"
        yield Table(title, ("rate", "value, 95 %"), rows)
        if self.found.probability is None:
            yield f"no probability: {check['refused']}"
        else:
            yield (
                f"probability ({check['method']}, for pairs as likely mated as not): expected calibration "
                f"error {check['expected_calibration_error']:.4f}, Brier score {check['brier']:.4f}"
            )


def choose(
    embeddings: Float32, subjects: Any, rates: Sequence[float], model: ModelId, measured_on: str
) -> list[tuple[Threshold, OperatingPoint]]:
    """The threshold for each target FMR from all comparisons of ``(N, D)`` embeddings.

    With each comes the operating point on the same comparisons. Raises `InsufficientData` for fewer than
    `FEWEST` people, or a rate that the comparisons cannot support.
    """
    _require_people(len(np.unique(np.asarray(subjects))), "choosing a threshold")
    found = compare(embeddings, subjects, rates)
    for rate in rates:
        thresholds.require(rate, found.total, "FMR", "non-mated comparisons")
    points = operating_points.from_comparisons(found, rates)
    return [(_threshold(p.threshold, p.target_rate, p.fmr, model, measured_on), p) for p in points]


def measure(
    people: LabelledPictures, analyzer: Analyzer, *, plan: Plan, advance: Advance | None = None
) -> CalibrationReport:
    """Analyse every picture once and `calibrate`."""
    captures = capture(analyzer, people.pictures, advance, people.boxes)
    found = calibrate(people, captures, plan, dict(analyzer.settings.measured()))
    return CalibrationReport(found, captures)


def calibrate(
    people: LabelledPictures, captures: Captures, plan: Plan, settings: dict[str, Any] | None = None
) -> Calibration:
    """Choose and measure. ``captures`` hold one row a picture of ``people``; ``settings`` join the record.

    Raises `InsufficientData` when the people or the comparisons are too few for the target, and says how
    they became so few and how many it takes.
    """
    held_out = held_out_rows(people.subjects, plan.hold_out, plan.seed)
    settings = settings or {}
    try:
        if plan.kind == "FMR":
            threshold, record = _for_fmr(people, captures, plan, held_out)
        else:
            threshold, record = _for_fpir(people, captures, plan)
    except InsufficientData as error:
        raise InsufficientData(f"{error}: {explained(people.subjects, plan)}") from None
    if {"detector", "embedder", "precision"} <= set(settings):
        system = f"{settings['detector']} + {settings['embedder']}, {settings['precision']}"
        threshold = replace(threshold, measured_on=f"{threshold.measured_on}, {system}")
    curve, check = _probability(people, captures, plan, held_out)
    record = {
        "protocol": "all comparisons" if plan.kind == "FMR" else "searches for people not enrolled",
        "chosen_and_measured": APART if plan.hold_out else SAME_DATA,
        "same_data": not plan.hold_out,
        "divided_by": f"the lowest SHA-256 of seed/name, seed {plan.seed}, {plan.hold_out:g} held out",
        "data": {
            "title": people.title,
            "sha256": people.digest(),
            "pictures": len(people),
            "subjects": len(set(people.subjects)),
            "failures_to_acquire": len(captures.failures),
            **people.left_out(),
        },
        **record,
        "probability_check": check,
        **settings,
    }
    return Calibration(threshold, curve, record)


def held_out_rows(subjects: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows belong to the people held out, ``(N,)``: those whose names have the lowest hashes."""
    names = sorted(set(subjects), key=lambda name: _digest(seed, name))
    chosen = set(names[: round(share * len(names))])
    return np.array([name in chosen for name in subjects], bool)


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"calibrate/{seed}/{name}".encode("utf-8", "surrogateescape")).digest()


def _for_fmr(
    people: LabelledPictures, captures: Captures, plan: Plan, held_out: NDArray[np.bool_]
) -> tuple[Threshold, dict[str, Any]]:
    names = np.array(people.subjects)
    measured_on = f"{people.title}, all cross-subject comparisons"
    [(threshold, point)] = choose(
        captures.embeddings[~held_out], names[~held_out], (plan.target,), captures.model, measured_on
    )
    chosen_on = {
        "pictures": int((~held_out).sum()),
        "subjects": len(np.unique(names[~held_out])),
        "comparisons": point.fmr.comparisons,
        "fmr": point.fmr.rate.to_json(),
    }
    if not plan.hold_out:
        return threshold, {"chosen_on": chosen_on, "measured": _measured(plan, point.fmr, point.fnmr)}
    found = compare(captures.embeddings[held_out], names[held_out], (plan.target,), at=(threshold.value,))
    fmr, fnmr = (
        intervals.estimate(sums(threshold.value)) for sums in (found.false_matches, found.false_nonmatches)
    )
    return threshold, {"chosen_on": chosen_on, "measured": _measured(plan, fmr, fnmr)}


def _for_fpir(people: LabelledPictures, captures: Captures, plan: Plan) -> tuple[Threshold, dict[str, Any]]:
    parts = split_pictures(
        people, hold_back=plan.hold_back, gallery_photos=plan.gallery_photos, seed=plan.seed
    )
    gallery = fuse(captures.embeddings, parts.enrolled)
    enrolled = int((~np.isnan(gallery).any(axis=1)).sum())
    names = [people.subjects[row] for row in parts.nonmated]
    apart = held_out_rows(names, plan.hold_out, plan.seed)
    _require_people(len({*np.array(names)[~apart]}), "choosing a threshold")
    top = searches.best_scores(captures.embeddings[parts.nonmated], gallery)
    thresholds.require(plan.target, int((~apart).sum()), "FPIR", "non-mated searches")
    value = thresholds.at_rate(top[~apart], plan.target)
    seen = _fpir(top[~apart], parts.strangers[~apart], value)
    measured_on = (
        f"{people.title}, {enrolled} enrolled, {quantity(plan.gallery_photos, 'photo')} enrolled each"
    )
    threshold = _threshold(value, plan.target, seen, captures.model, measured_on, "FPIR", enrolled)
    test = apart if plan.hold_out else ~apart
    mated = searches.search(captures.embeddings[parts.mated], gallery, parts.mates)
    fnir = intervals.estimate(intervals.by_subject(searches.misses(mated, value), parts.mates))
    return threshold, {
        "chosen_on": {
            "pictures": int((~apart).sum()),
            "subjects": seen.subjects,
            "comparisons": seen.comparisons,
            "fpir": seen.rate.to_json(),
            "enrolled": enrolled,
        },
        "measured": _measured(plan, _fpir(top[test], parts.strangers[test], value), fnir),
    }


def _fpir(top: Float32, strangers: Index, threshold: float) -> ErrorRate:
    if not len(top):
        raise InsufficientData("measuring needs people held out, you have 0; hold out more")
    return intervals.estimate(intervals.by_subject(top >= np.float64(threshold), strangers))


def _measured(plan: Plan, false_matches: ErrorRate, misses: ErrorRate) -> dict[str, Any]:
    """Both error rates; the one aimed at only where the comparisons can carry its target."""
    names = ("fmr", "fnmr") if plan.kind == "FMR" else ("fpir", "fnir")
    units = "non-mated comparisons" if plan.kind == "FMR" else "non-mated searches"
    record: dict[str, Any] = {
        names[0]: None,
        names[1]: misses.rate.to_json(),
        "at_most": {names[0]: false_matches.interval.high},
        "subjects": false_matches.subjects,
        "unsupported": {},
    }
    if thresholds.supports(plan.target, false_matches.comparisons):
        record[names[0]] = false_matches.rate.to_json()
    else:
        reason = thresholds.shortfall(plan.target, false_matches.comparisons, plan.kind, units)
        record["unsupported"] = {names[0]: reason}
    return record


def _probability(
    people: LabelledPictures, captures: Captures, plan: Plan, held_out: NDArray[np.bool_]
) -> tuple[Probability | None, dict[str, Any]]:
    if plan.method is None:
        return None, {"refused": "not asked for"}
    names = np.array(people.subjects)
    test = held_out if plan.hold_out else ~held_out
    try:
        fitted_on = _labelled(captures.embeddings[~held_out], names[~held_out], plan.seed)
        checked_on = _labelled(captures.embeddings[test], names[test], plan.seed + 1)
    except InsufficientData as error:
        return None, {"refused": f"{error}: {explained_for_both(people.subjects, plan.hold_out)}"}
    curve = probability.fit(fitted_on, plan.method)
    found = probability.reliability(curve, checked_on)
    return curve, {
        "method": plan.method,
        "prior": 0.5,
        "expected_calibration_error": found.ece,
        "brier": found.brier,
        "bins": [list(one) for one in found.bins],
        "checked_on": APART if plan.hold_out else SAME_DATA,
    }


def _labelled(embeddings: Float32, names: NDArray[Any], seed: int) -> probability.Labelled:
    mated, owners = similarity.mated(embeddings, names)
    _require_people(len(np.unique(owners)), "a probability", "people with several pictures in each part")
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, len(names), (2, _DRAWN))
    apart = names[first] != names[second]
    others = similarity.paired(embeddings[first[apart]], embeddings[second[apart]])
    return probability.labelled(mated, owners, others)


def _require_people(count: int, what: str, unit: str = "people to choose it on") -> None:
    if count < FEWEST:
        raise InsufficientData(f"{what} needs {FEWEST} {unit}, you have {count}")


def _threshold(
    value: float,
    target: float,
    seen: ErrorRate,
    model: ModelId,
    measured_on: str,
    kind: Literal["FMR", "FPIR"] = "FMR",
    enrolled: int | None = None,
) -> Threshold:
    return Threshold(
        value=value,
        model=model,
        target_rate=target,
        measured_on=measured_on,
        rate=seen.value,
        interval=seen.interval,
        comparisons=seen.comparisons,
        subjects=seen.subjects,
        kind=kind,
        enrolled=enrolled,
    )
