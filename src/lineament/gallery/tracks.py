"""Who a track is of: one decision a track, and a name that does not flicker while it is under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lineament.config import require_whole
from lineament.errors import ConfigError
from lineament.gallery.gallery import Gallery
from lineament.scoring.probability import Probability
from lineament.shown import shown
from lineament.types import Candidate, Embedding, Faces, Match, Track


@dataclass(frozen=True, slots=True)
class NamingSettings:
    """When a track is given a name.

    It takes ``least_looks`` at the face, and the gallery's threshold, which the fused embedding of all
    looks must reach. A name once shown stays while its similarity is no more than ``slack`` below the
    threshold, and until another subject leads by ``slack``: that is for the eye, the decision at the end
    is without.
    """

    least_looks: int = 2
    slack: float = 0.05

    def __post_init__(self) -> None:
        require_whole("least_looks", self.least_looks)
        if not 0 <= self.slack < 1:
            raise ConfigError(f"slack: expected a number from 0 to below 1, got {self.slack!r:.80}")


@dataclass(frozen=True, slots=True, eq=False)
class Naming:
    """The decision on one track.

    ``match`` is the search of the fused embedding, None where nobody looked. ``subject`` is None for
    somebody unknown, and after too few looks. ``probability`` is that the nearest candidate is the person
    seen, None without a calibrated curve: everybody enrolled, and one stranger, are held equally likely
    beforehand.
    """

    subject: str | None = None
    match: Match | None = None
    probability: float | None = None

    __repr__ = shown

    @property
    def nearest(self) -> Candidate | None:
        """The best candidate, whether it is a match or not."""
        return None if self.match is None else next(iter(self.match.candidates), None)

    @property
    def similarity(self) -> float | None:
        """That of the nearest candidate."""
        return None if self.nearest is None else self.nearest.similarity


class TrackNames:
    """Names the tracks of one video by a gallery; ``probability`` is the curve of a calibration."""

    def __init__(
        self,
        gallery: Gallery,
        settings: NamingSettings | None = None,
        probability: Probability | None = None,
    ) -> None:
        self.settings = settings or NamingSettings()
        self._gallery, self._probability = gallery, probability
        self._looks: dict[int, int] = {}
        self._shown: dict[int, tuple[str, float]] = {}

    def consider(self, fused: Mapping[int, Embedding]) -> None:
        """What tracks look like after one more look at each: search once for all, and see what to show."""
        for number in fused:
            self._looks[number] = self._looks.get(number, 0) + 1
        ready = [number for number in fused if self._looks[number] >= self.settings.least_looks]
        found = self._searched([fused[number] for number in ready])
        for number, match in zip(ready, found, strict=True):
            self._show(number, match)

    def shown(self, number: int) -> tuple[str, float] | None:
        """The name to show at a track that is under way, with its similarity; None for nobody known."""
        return self._shown.get(number)

    def decided(self, track: Track) -> Naming:
        """The decision on a track that is over, by all its looks; what was shown does not count."""
        self._looks.pop(track.number, None)
        self._shown.pop(track.number, None)
        if track.embedding is None:
            return Naming()
        [match] = self._searched([track.embedding])
        enough = track.looks >= self.settings.least_looks
        return Naming(match.subject if enough else None, match, self._likely(match))

    def _show(self, number: int, match: Match) -> None:
        threshold, slack = match.threshold, self.settings.slack
        of = {candidate.subject: candidate.similarity for candidate in match.candidates}
        before = self._shown.pop(number, None)
        best = match.candidates[0] if match.candidates else None
        if before is not None and (now := of.get(before[0], -1.0)) >= threshold.value - slack:
            overtaken = match.accepted and best is not None and best.similarity >= now + slack
            if not overtaken:
                self._shown[number] = (before[0], now)
                return
        if match.accepted and best is not None:
            self._shown[number] = (best.subject, best.similarity)

    def _searched(self, embeddings: list[Embedding]) -> tuple[Match, ...]:
        if not embeddings:
            return ()
        return self._gallery.identify_faces(
            Faces(
                boxes=np.zeros((len(embeddings), 4), np.float32),
                scores=np.ones(len(embeddings), np.float32),
                embeddings=np.stack([one.vector for one in embeddings]),
                model=embeddings[0].model,
            )
        )

    def _likely(self, match: Match) -> float | None:
        if self._probability is None or not match.candidates:
            return None
        return self._probability.given(match.candidates[0].similarity, 1 / (self._gallery.people + 1))
