"""What a gallery answers besides matches, and what it asks an analyzer for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineament.records import Record
from lineament.types import Match, Outcome

if TYPE_CHECKING:
    pass


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
