"""One search of a gallery: hits grouped by subject, disputes respected, the threshold applied."""

from __future__ import annotations

from collections.abc import Sequence

from lineament.gallery.disputes import Disputes
from lineament.gallery.fusion import KIND, Fusion
from lineament.protocols import GalleryStore
from lineament.types import Candidate, Decision, Float32, Match, RecordKind, Threshold


def match(
    store: GalleryStore, probes: Float32, threshold: Threshold, fusion: Fusion, k: int
) -> list[Match]:
    """The k most similar subjects of each probe ``(Q, D)``, disputed ones left out, and the decision."""
    kind = KIND[fusion]
    disputed = store.count(RecordKind.DISPUTE)
    disputes = Disputes(store.scan(kind=RecordKind.DISPUTE) if disputed else (), threshold)
    # Several hits may be of one subject, and disputes leave some out: ask for more until k are left.
    depth = k + len(disputes) if fusion == "mean" else 4 * k + len(disputes)
    while True:
        hits = store.search(probes, depth, kind)
        answers = []
        for probe, row in zip(probes, hits, strict=True):
            best: dict[str, float] = {}
            for hit in row:
                best.setdefault(hit.subject, hit.similarity)
            kept = [(-s, name) for name, s in best.items() if not disputes.bars(probe, name, s)]
            answers.append(sorted(kept)[:k])
        short = any(len(a) < k and len(row) == depth for a, row in zip(answers, hits, strict=True))
        if not short:
            break
        depth *= 4
    return [_answer(answer, threshold) for answer in answers]


def _answer(found: Sequence[tuple[float, str]], threshold: Threshold) -> Match:
    candidates = tuple(Candidate(name, -s, rank) for rank, (s, name) in enumerate(found, 1))
    accepted = bool(candidates) and threshold.accepts(candidates[0].similarity)
    return Match(candidates, Decision.MATCH if accepted else Decision.NO_MATCH, threshold)
