"""Disputes: "this face is not this person", and what a search makes of it.

A dispute keeps the face's embedding under the subject it is not. A probe is left out for that subject when
it matches the disputed face at the threshold *and* is nearer to it than to the subject: more photos of the
look-alike are kept away, while photos of the subject, nearer to the subject's own, still match.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from lineament.search.exact import similarities
from lineament.types import Float32, Record, Threshold


class Disputes:
    """The disputes of some subjects, ready to be asked."""

    def __init__(self, records: Iterable[Record], threshold: Threshold) -> None:
        vectors: dict[str, list[Float32]] = defaultdict(list)
        for record in records:
            vectors[record.subject].append(record.vector)
        self._vectors = {subject: np.stack(rows) for subject, rows in vectors.items()}
        self._threshold = threshold

    def __len__(self) -> int:
        """How many subjects have a dispute."""
        return len(self._vectors)

    def bars(self, probe: Float32, subject: str, similarity: float) -> bool:
        """Whether the probe ``(D,)`` is kept from a subject it is this similar to."""
        if subject not in self._vectors:
            return False
        nearest = float(similarities(self._vectors[subject], probe).max())
        return self._threshold.accepts(nearest) and nearest > similarity
