"""Follows faces through a video, by where they are and what they look like."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from lineament.errors import ConfigError
from lineament.shown import shown
from lineament.tracking.association import Similarities, assigned, contested
from lineament.tracking.motion import Motion
from lineament.types import Embedding, Faces, Float64, ModelId, Track, Tracks


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How faces are followed.

    A face that is not found for ``patience_s`` seconds is gone. Two looks in a row less similar to their
    track than ``contradiction``, but like each other, are of somebody else, who took the place unseen.
    """

    patience_s: float = 2.0
    contradiction: float = 0.1
    similarities: Similarities = field(default_factory=Similarities)

    def __post_init__(self) -> None:
        if not self.patience_s > 0:
            raise ConfigError(f"patience_s: expected a number above 0, got {self.patience_s!r:.80}")


class FaceTracker:
    """A `lineament.protocols.Tracker` for one video."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self.settings = settings or TrackerSettings()
        self._live: list[_Followed] = []
        self._over: list[Track] = []
        self._last = -np.inf
        self._count = 0

    def unsure(self, faces: Faces, timestamp: float) -> list[int]:
        """Rows of the faces whose embeddings would help to tell whose track they are."""
        fresh = [one for one in self._live if timestamp - one.motion.seconds <= self.settings.patience_s]
        lost = any(one.motion.seconds < self._last and one.sum is not None for one in fresh)
        return contested(self._place(fresh, faces, timestamp), lost)

    def update(self, faces: Faces, timestamp: float) -> Tracks:
        """The track of each face of a frame, and the tracks that are over.

        A row of zeros among the embeddings is a face that nobody looked at. Frames come in the order of
        their timestamps, in seconds: one that is not later than the last begins anew, as after `end`.
        """
        if timestamp <= self._last:
            self._over += self.end()
        gone = [one for one in self._live if timestamp - one.motion.seconds > self.settings.patience_s]
        self._over += [one.track() for one in gone]
        self._live = [one for one in self._live if one not in gone]
        worth = self._place(self._live, faces, timestamp) + self._looks(faces)
        of_face = {face: self._live[track] for track, face in assigned(worth)}
        numbers = []
        for row, box in enumerate(faces.boxes):
            one = of_face.get(row)
            if one is None:
                one = _Followed(self._next(), Motion.of(box, timestamp))
                self._live.append(one)
            else:
                one.motion.found(box, timestamp)
            one.times.append(timestamp)
            one.boxes.extend(box.tolist())
            numbers.append(one.number)
        self._last = timestamp
        over, self._over = self._over, []
        return Tracks(tuple(numbers), tuple(over))

    def remember(
        self, number: int, embedding: Embedding, weight: float, timestamp: float
    ) -> Embedding | None:
        """What a track looks like after one more look, of this weight, at a moment.

        None for a track that is over, a look that weighs nothing, and one that contradicts the others.

        Raises `ModelMismatch` for an embedding of another model than the track's.
        """
        one = next((one for one in self._live if one.number == number), None)
        if one is None or weight <= 0:
            return None
        fused = one.fused()
        if fused is None or fused.similarity(embedding) >= self.settings.contradiction:
            one.doubt = None
            one.add(embedding, weight)
            return one.fused()
        before, one.doubt = one.doubt, _Look(embedding, weight, timestamp)
        if (
            before is not None
            and before.embedding.similarity(embedding) > self.settings.similarities.mated[0] / 2
        ):
            self._split(one, before)
        return None

    def end(self) -> tuple[Track, ...]:
        """End all tracks, at a cut or at the end of the video, and return those not told of yet."""
        over = (*self._over, *(one.track() for one in self._live))
        self._live, self._over, self._last = [], [], -np.inf
        return over

    def _split(self, one: _Followed, since: _Look) -> None:
        """Somebody else is there since a look: the track ends before it, and a new one begins with it."""
        at = int(np.searchsorted(np.frombuffer(one.times), since.timestamp))
        if at:
            times, boxes = one.times[:at], one.boxes[: 4 * at]
            before = _Followed(one.number, one.motion, times, boxes, one.sum, one.model, one.looks)
            self._over.append(before.track())
        one.number, one.times, one.boxes = self._next(), one.times[at:], one.boxes[4 * at :]
        assert one.doubt is not None
        looks, one.sum, one.looks, one.doubt = (since, one.doubt), None, 0, None
        for look in looks:
            one.add(look.embedding, look.weight)

    def _place(self, live: list[_Followed], faces: Faces, timestamp: float) -> Float64:
        rows = [one.motion.likelihoods(faces.boxes, timestamp) for one in live]
        return np.stack(rows) if rows else np.zeros((0, len(faces)))

    def _looks(self, faces: Faces) -> Float64:
        seen = np.full((len(self._live), len(faces)), np.nan)
        if faces.embeddings is not None and faces.model is not None:
            looked = np.flatnonzero(faces.embeddings.any(axis=1))
            for row, one in enumerate(self._live):
                fused = one.fused()
                if fused is not None:
                    fused.model.require(faces.model)
                    seen[row, looked] = faces.embeddings[looked] @ fused.vector
        told = self.settings.similarities.likelihoods(seen)
        if faces.quality is not None:
            # A blurred or half hidden face resembles its own person less: it contradicts little.
            told *= np.where(told < 0, [quality.score for quality in faces.quality], 1.0)
        return told

    def _next(self) -> int:
        self._count += 1
        return self._count


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    embedding: Embedding
    weight: float
    timestamp: float

    __repr__ = shown


@dataclass(slots=True, eq=False)
class _Followed:
    """A track under way; what it holds grows by 24 bytes with each time it is found."""

    number: int
    motion: Motion
    times: array[float] = field(default_factory=lambda: array("d"))
    boxes: array[float] = field(default_factory=lambda: array("f"))
    sum: Float64 | None = None
    model: ModelId | None = None
    looks: int = 0
    doubt: _Look | None = None

    __repr__ = shown

    def add(self, embedding: Embedding, weight: float) -> None:
        """Take one more look into the mean."""
        vector = embedding.vector.astype(np.float64) * weight
        self.sum = vector if self.sum is None else self.sum + vector
        self.model, self.looks = embedding.model, self.looks + 1

    def fused(self) -> Embedding | None:
        """The mean direction of all looks; None before the first, or where they cancel out."""
        if self.sum is None or self.model is None or (length := float(np.linalg.norm(self.sum))) < 1e-6:
            return None
        return Embedding((self.sum / length).astype(np.float32), self.model)

    def track(self) -> Track:
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        return Track(self.number, np.array(self.times, np.float64), boxes, self.fused(), self.looks)
