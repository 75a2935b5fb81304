"""1:N evaluation on a folder a person: some photos enrolled, the others searched, some people held back.

Who is held back and which photos are enrolled follows from a hash of the seed and the names, so the same
folder and seed give the same split on every machine:

- the people with the lowest hashes are held back, the given share of all, at least one; every photo of
  theirs is a non-mated probe;
- of everybody else the photos with the lowest hashes are enrolled, the given number; the rest are mated
  probes. Somebody with no more photos than that is enrolled and gives no probe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.analyzer import Analyzer
from lineament.errors import ConfigError, InsufficientData, UnknownName
from lineament.evaluation.capture import Advance, Captures, capture, rate_key
from lineament.io import catalog, sources
from lineament.scoring import identification as searches
from lineament.scoring import intervals, thresholds
from lineament.scoring.identification import Searches
from lineament.scoring.intervals import ErrorRate
from lineament.scoring.similarity import Index
from lineament.scoring.templates import fuse
from lineament.types import Float32, Threshold

TARGET_RATES = (1e-1, 1e-2, 3e-3, 1e-3)
"""FPIR: 3e-3 is NIST's for 1:N, 1e-3 that of SP 800-63."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """What becomes of each picture.

    ``enrolled`` are tuples of picture indexes, one tuple an enrolled subject; ``mated`` ``(M,)`` and
    ``nonmated`` ``(N,)`` index the probes; ``mates`` ``(M,)`` the row of ``enrolled`` each belongs to;
    ``strangers`` ``(N,)`` numbers the held-back people. ``empty`` people have no picture, ``loose``
    pictures no person, ``skipped`` files are no pictures by their names.
    """

    pictures: tuple[str, ...]
    enrolled: tuple[tuple[int, ...], ...]
    mated: Index
    mates: Index
    nonmated: Index
    strangers: Index
    empty: int = 0
    loose: int = 0
    skipped: int = 0


def split(
    people: Sequence[tuple[str, Sequence[str]]],
    root: Path,
    *,
    hold_back: float = 0.2,
    gallery_photos: int = 1,
    seed: int = 0,
) -> Split:
    """Divide people (name, paths of photos) as the module describes; ``root`` is the folder of all.

    Raises `ConfigError` for settings out of range, `InsufficientData` when nobody would be left in one
    of the three parts.
    """
    if not 0 < hold_back < 1 or gallery_photos < 1:
        raise ConfigError("the share held back lies between 0 and 1, photos to enrol are 1 or more")
    known = [(name, photos) for name, photos in people if photos]
    if len(known) < 2:
        raise InsufficientData(f"identification needs photos of 2 people, you have {len(known)}")
    by_hash = sorted(range(len(known)), key=lambda i: _digest(seed, known[i][0]))
    held = set(by_hash[: min(max(1, round(hold_back * len(known))), len(known) - 1)])
    pictures: list[str] = []
    enrolled: list[tuple[int, ...]] = []
    mated: list[int] = []
    mates: list[int] = []
    nonmated: list[int] = []
    strangers: list[int] = []
    for person, (_name, photos) in enumerate(known):
        start = len(pictures)
        pictures += sorted(photos, key=lambda p: _digest(seed, Path(p).relative_to(root).as_posix()))
        rows = range(start, len(pictures))
        if person in held:
            nonmated += rows
            strangers += [person] * len(rows)
        else:
            mated += rows[gallery_photos:]
            mates += [len(enrolled)] * len(rows[gallery_photos:])
            enrolled.append(tuple(rows[:gallery_photos]))
    if not mated:
        raise InsufficientData(
            f"nobody has more than {gallery_photos} photos, so no mated probe is left; enrol fewer"
        )
    return Split(
        tuple(pictures),
        tuple(enrolled),
        np.array(mated, np.intp),
        np.array(mates, np.intp),
        np.array(nonmated, np.intp),
        np.array(strangers, np.intp),
        empty=len(people) - len(known),
    )


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, slots=True)
class SearchPoint:
    """FPIR and FNIR (rank 1) at one threshold."""

    threshold: Threshold
    fpir: ErrorRate
    fnir: ErrorRate


@dataclass(frozen=True, slots=True, eq=False)
class IdentificationReport:
    """What `evaluate` found.

    ``points`` are the target FPIRs that the non-mated searches support, ``unsupported`` says of the others
    what they would need. ``at_card`` is the model's own threshold, as a gallery would use it.
    """

    split: Split
    captures: Captures
    mated: Searches
    nonmated_top: Float32
    rank1: ErrorRate
    points: tuple[SearchPoint, ...]
    unsupported: dict[float, str]
    at_card: SearchPoint | None

    @property
    def failures_to_enrol(self) -> int:
        """Subjects none of whose photos for the gallery gave a face."""
        failed = self.captures.failed
        return sum(bool(failed[list(rows)].all()) for rows in self.split.enrolled)

    @property
    def threshold(self) -> Threshold | None:
        """That of the lowest FPIR the data support."""
        return self.points[-1].threshold if self.points else None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the keys are explained in docs/reference/metrics.md."""
        found = {point.threshold.target_rate: point.fnir.rate.to_json() for point in self.points}
        return {
            "enrolled": len(self.split.enrolled) - self.failures_to_enrol,
            "mated_probes": len(self.split.mated),
            "non_mated_probes": len(self.split.nonmated),
            "non_mated_subjects": len(np.unique(self.split.strangers)),
            "pictures": len(self.split.pictures),
            "failures_to_acquire": len(self.captures.failures),
            "failures_to_enrol": self.failures_to_enrol,
            "failures": [failure.to_json() for failure in self.captures.failures],
            "people_without_pictures": self.split.empty,
            "pictures_without_person": self.split.loose,
            "files_left_out": self.split.skipped,
            "rank1": self.rank1.rate.to_json(),
            "rank1_is": "closed-set: mated searches only, no threshold",
            "fnir_at_fpir": {rate_key(rate): found.get(rate) for rate in TARGET_RATES},
            "unsupported": {rate_key(rate): reason for rate, reason in self.unsupported.items()},
            "threshold": None if self.threshold is None else self.threshold.to_json(),
            "operating_points": {rate_key(p.threshold.target_rate): _point_json(p) for p in self.points},
            "at_card_threshold": None if self.at_card is None else _point_json(self.at_card),
            "model": str(self.captures.model),
        }


def evaluate(
    images: Path,
    analyzer: Analyzer,
    *,
    hold_back: float = 0.2,
    gallery_photos: int = 1,
    seed: int = 0,
    target_fmr: float = 1e-3,
    advance: Advance | None = None,
) -> IdentificationReport:
    """Split, analyse every picture once, search. ``target_fmr`` picks the card's threshold to try.

    Raises as `split` does, and `UsageError` when ``images`` is no folder.
    """
    people = sources.people(images)
    parts = split(people, images, hold_back=hold_back, gallery_photos=gallery_photos, seed=seed)
    return score(
        replace(parts, loose=len(people.loose), skipped=people.skipped),
        capture(analyzer, [Path(p) for p in parts.pictures], advance),
        target_fmr=target_fmr,
        measured_on=f"{images.name}, {len(parts.enrolled)} enrolled",
    )


def score(
    parts: Split, captures: Captures, *, target_fmr: float = 1e-3, measured_on: str = ""
) -> IdentificationReport:
    """Every figure from the embeddings of ``parts.pictures``, in that order.

    A subject enrolled with several photos is searched by the mean of their unit embeddings.
    """
    gallery = fuse(captures.embeddings, parts.enrolled)
    mated = searches.search(captures.embeddings[parts.mated], gallery, parts.mates)
    top = searches.best_scores(captures.embeddings[parts.nonmated], gallery)
    not_first = intervals.estimate(intervals.by_subject(mated.rank > 1, parts.mates))
    points, unsupported = [], {}
    for rate in TARGET_RATES:
        try:
            thresholds.require(rate, len(top), "FPIR", "non-mated searches")
        except InsufficientData as error:
            unsupported[rate] = str(error)
            continue
        value = thresholds.at_rate(top, rate)
        fpir, fnir = _rates(parts, mated, top, value)
        threshold = Threshold(
            value=value,
            model=captures.model,
            target_rate=rate,
            measured_on=measured_on,
            rate=fpir.value,
            interval=fpir.interval,
            comparisons=fpir.comparisons,
            subjects=fpir.subjects,
            kind="FPIR",
        )
        points.append(SearchPoint(threshold, fpir, fnir))
    return IdentificationReport(
        split=parts,
        captures=captures,
        mated=mated,
        nonmated_top=top,
        rank1=_complement(not_first),
        points=tuple(points),
        unsupported=unsupported,
        at_card=_at_card(parts, captures, mated, top, target_fmr),
    )


def _rates(parts: Split, mated: Searches, top: Float32, threshold: float) -> tuple[ErrorRate, ErrorRate]:
    """FPIR and FNIR with intervals clustered by the subject of the probe: they hold for this gallery."""
    returned: NDArray[np.bool_] = top >= np.float64(threshold)
    fpir = intervals.estimate(intervals.by_subject(returned, parts.strangers))
    missed = searches.misses(mated, threshold)
    return fpir, intervals.estimate(intervals.by_subject(missed, parts.mates))


def _at_card(
    parts: Split, captures: Captures, mated: Searches, top: Float32, target_fmr: float
) -> SearchPoint | None:
    try:
        threshold = catalog.card(captures.model.name).threshold(target_fmr)
    except (UnknownName, InsufficientData):
        return None
    return SearchPoint(threshold, *_rates(parts, mated, top, threshold.value))


def _complement(rate: ErrorRate) -> ErrorRate:
    """The share of successes from a share of errors."""
    interval = replace(rate.interval, low=1 - rate.interval.high, high=1 - rate.interval.low)
    return replace(rate, errors=rate.comparisons - rate.errors, interval=interval)


def _point_json(point: SearchPoint) -> dict[str, Any]:
    return {
        "threshold": point.threshold.to_json(),
        "fpir": point.fpir.to_json(),
        "fnir": point.fnir.to_json(),
    }
