"""One search of a gallery: hits grouped by subject, disputes respected, the threshold applied."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament import pipelines
from lineament.counting import quantity
from lineament.errors import InsufficientData, UnknownSubject
from lineament.gallery.disputes import Disputes
from lineament.gallery.fusion import KIND
from lineament.gallery.sightings import Sighting
from lineament.protocols import Ledger
from lineament.records import Where
from lineament.scoring.identification import predicted_fpir
from lineament.search.exact import similarities
from lineament.settings import Fusion
from lineament.stores.gallery_store import GalleryStore
from lineament.types import Candidate, Decision, Float32, Match, ModelId, Threshold, Verification

VERIFY_FMR = 1e-3
"""The false match rate of a 1:1 comparison unless another is asked for."""

SEARCH_FPIR = 0.01
"""The share of strangers that a search may match with somebody, unless a false match rate is asked for."""


def measured_threshold(model: ModelId, rate: float) -> Threshold:
    """The threshold measured for a model at one false match rate."""
    return pipelines.measured(model).threshold(rate)


def smallest_fmr(threshold: Threshold, similarity: float) -> float:
    """The smallest false match rate measured for a threshold's model at which a similarity matches.

    It is the threshold's own rate where nothing smaller was measured.
    """
    try:
        measured = pipelines.measured(threshold.model).rows
    except InsufficientData:
        measured = ()
    fitting = [row.target_rate for row in measured if row.kind == "FMR" and similarity >= row.value]
    return min([threshold.target_rate, *fitting])


def search_threshold(model: ModelId, people: int) -> Threshold:
    """The threshold measured for a model for a search among so many people.

    A search compares a stranger with everybody, so among N people about 1 - (1 - FMR)^N of all strangers
    match somebody. Taken is the highest measured FMR, at most `VERIFY_FMR`, that keeps this below
    `SEARCH_FPIR`; with very many people none does, and the lowest measured one is taken.
    """
    rows = pipelines.measured(model).rows
    rates = sorted((r.target_rate for r in rows if r.kind == "FMR"), reverse=True)
    rates = [rate for rate in rates if rate <= VERIFY_FMR * 1.001]
    fitting = [rate for rate in rates if strangers_matched(rate, people) <= SEARCH_FPIR]
    return measured_threshold(model, fitting[0] if fitting else rates[-1] if rates else VERIFY_FMR)


def strangers_matched(fmr: float, people: int) -> float:
    """The share of strangers that match somebody among so many people at a false match rate.

    See `lineament.scoring.identification.predicted_fpir` for what it assumes.
    """
    return predicted_fpir(fmr, people)


def strangers_share(threshold: Threshold, people: int) -> float:
    """The predicted share of strangers that match somebody among so many people at a threshold."""
    if threshold.kind == "FPIR":
        return predicted_fpir(threshold.target_rate, people / (threshold.enrolled or people or 1))
    return strangers_matched(threshold.target_rate, people)


def outgrown(threshold: Threshold, people: int) -> str | None:
    """What to warn of when the gallery holds more people than its threshold serves; None if it does.

    A threshold for an FPIR serves the gallery it was measured for. One for an FMR serves as many people as
    keep the predicted share of strangers that match somebody at or below `SEARCH_FPIR`.
    """
    if threshold.kind == "FPIR":
        if threshold.enrolled is None or people <= threshold.enrolled:
            return None
        rate = strangers_share(threshold, people)
        return (
            f"the gallery has outgrown its threshold: calibrated for "
            f"{quantity(threshold.enrolled, 'person')} at FPIR "
            f"{threshold.target_rate:g}, it holds {people:,}; about {rate:.1%} of strangers will match "
            "somebody; calibrate again"
        )
    rate = strangers_share(threshold, people)
    if rate <= SEARCH_FPIR * 1.001:
        return None
    return (
        f"the gallery has outgrown its threshold: among {quantity(people, 'person')} at FMR "
        f"{threshold.target_rate:g} about {rate:.1%} of strangers match somebody, more than "
        f"{SEARCH_FPIR:.0%}; use a lower FMR, or calibrate for an FPIR"
    )


def match(
    store: GalleryStore,
    probes: Float32,
    threshold: Threshold,
    fusion: Fusion,
    k: int,
    seen: Sequence[Sighting] | None = None,
) -> list[Match]:
    """The k most similar subjects of each probe ``(Q, D)``, disputed ones left out, and the decision.

    ``seen`` says where each probe was seen, so that a disputed face is known again. Hold a `snapshot`.
    """
    searched = Where(kinds=[KIND[fusion]])
    # Several hits may be of one subject, and disputes leave some out: ask for more until k are left.
    depth = 2 * k if fusion == "mean" else 4 * k
    while True:
        hits = store.search(probes, depth, searched)
        names = {hit.subject for row in hits for hit in row}
        disputes = Disputes.of(store, names, threshold)
        answers = []
        for i, (probe, row) in enumerate(zip(probes, hits, strict=True)):
            best: dict[str, float] = {}
            for hit in row:
                best.setdefault(hit.subject, hit.similarity)
            where = None if seen is None else seen[i]
            kept = [(-s, name) for name, s in best.items() if not disputes.bars(probe, name, s, where)]
            answers.append(sorted(kept)[:k])
        short = any(len(a) < k and len(row) == depth for a, row in zip(answers, hits, strict=True))
        if not short:
            break
        depth *= 4
    return [_answer(answer, threshold) for answer in answers]


def compare(
    ledger: Ledger,
    probe: Float32,
    subject: str,
    threshold: Threshold,
    fusion: Fusion,
    seen: Sighting | None,
) -> Verification:
    """How similar a probe ``(D,)`` is to one subject, and the decision; a disputed face is no match.

    Raises `UnknownSubject` for one without a sample.
    """
    records = list(ledger.read(Where(kinds=[KIND[fusion]], subjects=[subject])))
    if not records:
        raise UnknownSubject(f"{subject!r} has no sample left")
    similarity = float(similarities(np.stack([record.vector for record in records]), probe).max())
    barred = Disputes.of(ledger, [subject], threshold).bars(probe, subject, similarity, seen)
    accepted = threshold.accepts(similarity) and not barred
    return Verification(similarity, Decision.MATCH if accepted else Decision.NO_MATCH, threshold)


def _answer(found: Sequence[tuple[float, str]], threshold: Threshold) -> Match:
    candidates = tuple(Candidate(name, -s, rank) for rank, (s, name) in enumerate(found, 1))
    accepted = bool(candidates) and threshold.accepts(candidates[0].similarity)
    return Match(candidates, Decision.MATCH if accepted else Decision.NO_MATCH, threshold)
