"""What a gallery answers besides matches, and what it asks an analyzer for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lineament.records import Record
from lineament.types import Match, Outcome

if TYPE_CHECKING:
    from lineament.analyzer import Source


class FaceAnalyzer(Protocol):
    """What a gallery needs of `lineament.analyzer.Analyzer`."""

    def analyze(self, sources: Iterable[Source] | Source, *, digests: bool = False) -> Iterator[Outcome]:
        """One outcome a source, in order; with the digest of its pixels where asked for."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """One picture of a search: its faces, and one match a face."""

    outcome: Outcome
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SubjectRecords:
    """All the gallery holds of one subject."""

    subject: str
    samples: tuple[Record, ...]
    disputes: tuple[Record, ...]
