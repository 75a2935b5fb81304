"""Who stays unmasked: named people of a gallery, where they are surely recognised. Unsure means masked."""

from __future__ import annotations

from collections.abc import Sequence

from lineament.errors import ConfigError
from lineament.gallery.gallery import Gallery
from lineament.gallery.tracks import NamingSettings
from lineament.types import Match
from lineament.watching.appearances import Appearance

MARGIN = 0.1
"""Similarity that a face to be kept has over the threshold, and over the next candidate."""

NAMING = NamingSettings(least_looks=3)
"""Of tracks that may be kept: one more look than it takes to be told of."""


class Keeping:
    """The people of a gallery whose faces are kept.

    Raises `UnknownSubject` for a name that the gallery does not hold.
    """

    def __init__(self, gallery: Gallery, names: Sequence[str], margin: float = MARGIN) -> None:
        if not 0 <= margin <= 1:
            raise ConfigError(f"margin: expected a number from 0 to 1, got {margin!r:.80}")
        self.gallery = gallery
        self.names = frozenset(gallery.resolve(name) for name in names)
        self._margin = margin

    def sure(self, match: Match | None) -> bool:
        """Whether a face is surely one of them: a match, clear of threshold and next candidate."""
        if match is None or match.subject not in self.names:
            return False
        best, *others = (candidate.similarity for candidate in match.candidates)
        clear_of = max([match.threshold.value, *others])
        return best >= clear_of + self._margin

    def faces(self, matches: Sequence[Match]) -> list[int]:
        """The rows of a picture's faces to keep; of two of one person, the more similar one."""
        best: dict[str, int] = {}
        for row, match in enumerate(matches):
            if self.sure(match):
                name = str(match.subject)
                if name not in best or _similarity(match) > _similarity(matches[best[name]]):
                    best[name] = row
        return sorted(best.values())

    def tracks(self, told: Sequence[Appearance]) -> list[Appearance]:
        """The tracks of a video to keep; of two of one person at the same time, the more similar one."""
        sure = [one for one in told if one.subject is not None and self.sure(one.naming.match)]
        sure.sort(key=lambda one: -(one.naming.similarity or 0.0))
        kept: list[Appearance] = []
        for one in sure:
            if not any(one.subject == other.subject and _overlap(one, other) for other in kept):
                kept.append(one)
        return kept


def _similarity(match: Match) -> float:
    return match.candidates[0].similarity


def _overlap(one: Appearance, other: Appearance) -> bool:
    return one.track.from_s <= other.track.to_s and other.track.from_s <= one.track.to_s
