"""Disputes: "this face is not this person", and what a search makes of it.

A dispute keeps the face's embedding under the subject it is not, and where in which photo it was seen. A
probe is left out for that subject when it is that very face, whichever detector found it, or when it
matches the disputed face at the threshold *and* is nearer to it than to the subject: more photos of the
look-alike are kept away, while photos of the subject, nearer to the subject's own, still match.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

import numpy as np

from lineament.gallery.sightings import Sighting
from lineament.protocols import Ledger
from lineament.records import Record, RecordKind, Where
from lineament.search.exact import similarities
from lineament.types import Float32, Threshold


class Disputes:
    """The disputes of some subjects, ready to be asked."""

    def __init__(self, records: Iterable[Record], threshold: Threshold) -> None:
        self._records: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            self._records[record.subject].append(record)
        self._vectors = {name: np.stack([r.vector for r in rs]) for name, rs in self._records.items()}
        self._threshold = threshold

    @classmethod
    def of(cls, ledger: Ledger, subjects: Collection[str], threshold: Threshold) -> Disputes:
        """Those that a ledger keeps of some subjects."""
        return cls(ledger.read(Where(kinds=[RecordKind.DISPUTE], subjects=subjects)), threshold)

    def bars(self, probe: Float32, subject: str, similarity: float, seen: Sighting | None = None) -> bool:
        """Whether the probe ``(D,)`` is kept from a subject it is this similar to; ``seen`` says where."""
        if subject not in self._vectors:
            return False
        if seen is not None and any(seen.is_in(r, self._threshold) for r in self._records[subject]):
            return True
        nearest = float(similarities(self._vectors[subject], probe).max())
        return self._threshold.accepts(nearest) and nearest > similarity
