"""1:N evaluation on a folder a person: some photos enrolled, the others searched, some people held back.

`lineament.evaluation.gallery_split` says who is what. How FPIR grows with the gallery is measured on parts
of it and set beside what the FMR of single comparisons predicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineament.analyzer import Analyzer
from lineament.answers import Table
from lineament.counting import quantity
from lineament.errors import InsufficientData, UnknownName
from lineament.evaluation.capture import Captures, capture, failures_json, rate_key
from lineament.evaluation.evaluated import PeopleReport
from lineament.evaluation.gallery_split import GallerySplit, split_pictures
from lineament.evaluation.people import LabelledPictures, open_people
from lineament.io import catalog
from lineament.protocols import Advance
from lineament.scoring import identification as searches
from lineament.scoring import intervals, thresholds
from lineament.scoring.identification import Searches
from lineament.scoring.intervals import ErrorRate
from lineament.scoring.rate import Rate
from lineament.scoring.templates import fuse
from lineament.shown import shown
from lineament.types import Float32, Threshold

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CMC_RANKS = (1, 2, 3, 5, 10, 20, 50)
GROWTH_SIZES = (10, 20, 50)
HELD_BACK_BY = "the lowest SHA-256 of seed/name"
GROWTH_ASSUMES = (
    "1 - (1 - FMR)^N: one template a person, comparisons of a probe with different people independent, "
    "the same FMR for every probe; where probes differ the truth is lower"
)
SAME_DATA = "thresholds for an FPIR were chosen on these very non-mated searches; mated ones took no part"
TARGET_RATES = (1e-1, 1e-2, 3e-3, 1e-3)
"""FPIR: 3e-3 is NIST's for 1:N, 1e-3 that of SP 800-63."""


@dataclass(frozen=True, slots=True)
class SearchPoint:
    """FPIR and FNIR (rank 1) at one threshold."""

    threshold: Threshold
    fpir: ErrorRate
    fnir: ErrorRate

    def row(self, name: str) -> tuple[str, ...]:
        """The cells of a table: what the threshold is for, its value, and both rates."""
        return name, f"{self.threshold.value:.4f}", str(self.fpir.rate), str(self.fnir.rate)


@dataclass(frozen=True, slots=True)
class GrowthStep:
    """FPIR with so many people enrolled: measured, and predicted from the FMR of single comparisons."""

    enrolled: int
    fpir: Rate
    predicted: float


@dataclass(frozen=True, slots=True)
class Growth:
    """How FPIR grows with the gallery at one threshold.

    ``fmr`` is that of all comparisons of non-mated probes with enrolled templates. The smaller galleries
    are the first people of one shuffled order, so each holds the one before.
    """

    threshold: Threshold
    fmr: float
    comparisons: int
    steps: tuple[GrowthStep, ...]

    def table(self) -> Table:
        """A row a size."""
        return Table(
            f"FPIR by the size of the gallery at threshold {self.threshold.value:.4f} "
            f"(FMR {self.fmr:.3g} of {quantity(self.comparisons, 'comparison')})",
            ("people enrolled", "FPIR measured, 95 %", "1 - (1 - FMR)^N"),
            [(f"{s.enrolled:,}", str(s.fpir), f"{s.predicted:.3g}") for s in self.steps],
        )

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "threshold": self.threshold.to_json(),
            "fmr": self.fmr,
            "comparisons": self.comparisons,
            "assumes": GROWTH_ASSUMES,
            "steps": [
                {"enrolled": s.enrolled, "fpir": s.fpir.to_json(), "predicted": s.predicted}
                for s in self.steps
            ],
        }


@dataclass(frozen=True, slots=True, eq=False)
class IdentificationReport(PeopleReport):
    """What `evaluate` found.

    ``points`` are the target FPIRs that the non-mated searches support, ``unsupported`` says of the others
    what they would need. ``elsewhere`` is the model's own threshold, as a gallery would use it, or the one
    given.
    """

    split: GallerySplit
    captures: Captures
    mated: Searches
    nonmated_top: Float32
    rank1: ErrorRate
    points: tuple[SearchPoint, ...]
    unsupported: dict[float, str]
    elsewhere: SearchPoint | None
    closed_set: dict[int, Rate]
    growth: Growth | None

    __repr__ = shown

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
        found = {point.threshold.target_rate: point.fnir.rate for point in self.points}
        missed = {rate: one.to_json() for rate, one in found.items()}
        hits = {rate: one.complement().to_json() for rate, one in found.items()}
        return {
            "enrolled": len(self.split.enrolled) - self.failures_to_enrol,
            "mated_probes": len(self.split.mated),
            "non_mated_probes": len(self.split.nonmated),
            "non_mated_subjects": len(np.unique(self.split.strangers)),
            "pictures": len(self.split.pictures),
            "failures_to_enrol": self.failures_to_enrol,
            **failures_json(self.captures.failures),
            "people_without_pictures": self.split.empty,
            "pictures_without_person": self.split.loose,
            "files_left_out": self.split.skipped,
            "rank1": self.rank1.rate.to_json(),
            "rank1_is": "closed-set: mated searches only, no threshold",
            "fnir_at_fpir": {rate_key(rate): missed.get(rate) for rate in TARGET_RATES},
            "dir_at_fpir": {rate_key(rate): hits.get(rate) for rate in TARGET_RATES},
            "cmc": {str(rank): rate.to_json() for rank, rate in self.closed_set.items()},
            "cmc_is": "closed-set: mated searches only, no threshold",
            "investigation": {
                str(rank): rate.complement().to_json() for rank, rate in self.closed_set.items()
            },
            "investigation_is": "FNIR at rank R without a threshold: a person reads R candidates",
            "fpir_growth": None if self.growth is None else self.growth.to_json(),
            "held_back_by": HELD_BACK_BY,
            "thresholds_chosen_on": SAME_DATA,
            "unsupported": {rate_key(rate): reason for rate, reason in self.unsupported.items()},
            "threshold": None if self.threshold is None else self.threshold.to_json(),
            "operating_points": {rate_key(p.threshold.target_rate): _point_json(p) for p in self.points},
            "at_other_threshold": None if self.elsewhere is None else _point_json(self.elsewhere),
            "model": str(self.captures.model),
        }

    def told(self) -> Iterator[str | Table]:
        """Counts, ranks, the operating points, and how FPIR grows with the gallery."""
        parts = self.split
        strangers = len(np.unique(parts.strangers))
        yield (
            f"{quantity(len(parts.pictures), 'picture')}: "
            f"{quantity(len(parts.enrolled) - self.failures_to_enrol, 'person')} enrolled, "
            f"{len(parts.mated):,} mated and {quantity(len(parts.nonmated), 'non-mated probe')} "
            f"({quantity(strangers, 'person')} held back, {HELD_BACK_BY}); "
            f"{quantity(len(self.captures.failures), 'failure')} to acquire, "
            f"{quantity(self.failures_to_enrol, 'person')} not enrolled for it; {self.captures.system}"
        )
        ranks = ", ".join(f"{rank}: {rate}" for rank, rate in self.closed_set.items())
        yield f"closed set, no threshold: share of mates within rank {ranks}"
        rows = [point.row(f"FPIR {point.threshold.target_rate:g}") for point in self.points]
        rows += [(f"FPIR {rate:g}", "", reason, "") for rate, reason in self.unsupported.items()]
        if self.elsewhere is not None:
            given = self.elsewhere.threshold
            rows.append(self.elsewhere.row(f"given: {given.kind} {given.target_rate:g}"))
        yield Table("Open set", ("threshold for", "value", "FPIR, 95 %", "FNIR at rank 1, 95 %"), rows)
        yield SAME_DATA
        if self.growth is not None:
            yield self.growth.table()

    def figures(self) -> Mapping[str, Figure]:
        """FNIR against FPIR, and the CMC."""
        from lineament.plots.searches import cmc_figure, open_set_figure

        return {
            "open_set": open_set_figure(self.mated, self.nonmated_top),
            "cmc": cmc_figure(self.mated, enrolled=len(self.split.enrolled)),
        }


def evaluate(
    images: Path | LabelledPictures,
    analyzer: Analyzer,
    *,
    hold_back: float = 0.2,
    gallery_photos: int = 1,
    seed: int = 0,
    target_fmr: float = 1e-3,
    threshold: Threshold | None = None,
    advance: Advance | None = None,
) -> IdentificationReport:
    """Split, analyse every picture once, search.

    ``images`` is a folder a person, a manifest, or what `open_people` made of either. ``threshold`` is one
    to try, ``target_fmr`` picks the card's when none is given. Raises as `open_people` and `split` do.
    """
    people = images if isinstance(images, LabelledPictures) else open_people(images)
    parts = split_pictures(people, hold_back=hold_back, gallery_photos=gallery_photos, seed=seed)
    return score(
        parts,
        capture(analyzer, people.pictures, advance, people.boxes),
        target_fmr=target_fmr,
        threshold=threshold,
        measured_on=f"{people.title}, {len(parts.enrolled)} enrolled",
    )


def score(
    parts: GallerySplit,
    captures: Captures,
    *,
    target_fmr: float = 1e-3,
    threshold: Threshold | None = None,
    measured_on: str = "",
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
        chosen = Threshold(
            value=value,
            model=captures.model,
            target_rate=rate,
            measured_on=measured_on,
            rate=fpir.value,
            interval=fpir.interval,
            comparisons=fpir.comparisons,
            subjects=fpir.subjects,
            kind="FPIR",
            enrolled=int((~np.isnan(gallery).any(axis=1)).sum()),
        )
        points.append(SearchPoint(chosen, fpir, fnir))
    given = _card_threshold(captures, target_fmr) if threshold is None else threshold
    if threshold is not None:
        threshold.model.require(captures.model)
    tried = given or (points[-1].threshold if points else None)
    return IdentificationReport(
        split=parts,
        captures=captures,
        mated=mated,
        nonmated_top=top,
        rank1=_complement(not_first),
        points=tuple(points),
        unsupported=unsupported,
        elsewhere=None if given is None else SearchPoint(given, *_rates(parts, mated, top, given.value)),
        closed_set={
            rank: intervals.estimate(intervals.by_subject(mated.rank > rank, parts.mates)).rate.complement()
            for rank in CMC_RANKS
            if rank <= len(parts.enrolled)
        },
        growth=None if tried is None else growth(parts, captures, gallery, tried),
    )


def _rates(
    parts: GallerySplit, mated: Searches, top: Float32, threshold: float
) -> tuple[ErrorRate, ErrorRate]:
    """FPIR and FNIR with intervals clustered by the subject of the probe: they hold for this gallery."""
    returned: NDArray[np.bool_] = top >= np.float64(threshold)
    fpir = intervals.estimate(intervals.by_subject(returned, parts.strangers))
    missed = searches.misses(mated, threshold)
    return fpir, intervals.estimate(intervals.by_subject(missed, parts.mates))


def growth(parts: GallerySplit, captures: Captures, gallery: Float32, threshold: Threshold) -> Growth:
    """FPIR of ever larger parts of the gallery ``(G, D)`` at one threshold, against the prediction."""
    known = gallery[~np.isnan(gallery).any(axis=1)]
    known = known[np.random.default_rng(0).permutation(len(known))]
    hits = searches.first_matches(captures.embeddings[parts.nonmated], known, threshold.value)
    comparisons = len(parts.nonmated) * len(known)
    fmr = int(hits.matches.sum()) / comparisons if comparisons else 0.0
    sizes = [s * 10**k for k in range(6) for s in GROWTH_SIZES if s * 10**k < len(known)]
    steps = []
    for size in [*sizes, len(known)]:
        sums = intervals.by_subject(hits.first < size, parts.strangers)
        fpir = intervals.estimate(sums).rate
        steps.append(GrowthStep(size, fpir, searches.predicted_fpir(fmr, size)))
    return Growth(threshold, fmr, comparisons, tuple(steps))


def _card_threshold(captures: Captures, target_fmr: float) -> Threshold | None:
    try:
        return catalog.card(captures.model.name).threshold(target_fmr)
    except (UnknownName, InsufficientData):
        return None


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
