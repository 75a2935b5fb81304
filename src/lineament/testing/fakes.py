"""Test doubles that stand for slow parts: faces one chooses instead of a detector and an embedder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lineament.errors import PictureNotFound
from lineament.io import inputs
from lineament.types import Faces, Float32, Image, Interval, ModelId, Outcome, Quality, Status, Threshold

MODEL = ModelId("fake", "f" * 64)


def picture(name: str) -> Image:
    """A small picture whose pixels, and so whose digest, follow from its name."""
    digest = np.frombuffer(hashlib.sha256(os.fsencode(name)).digest()[:27], np.uint8)
    return Image(digest.reshape(3, 3, 3), source=name)


def quality(score: float) -> Quality:
    """Quality with a chosen combined score."""
    return Quality(60.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.9, 10.0, score)


def threshold(value: float, model: ModelId = MODEL) -> Threshold:
    """A threshold that nobody measured, for tests."""
    return Threshold(value, model, 0.001, "nothing: a fake", 0.001, Interval(0.0, 1.0), 0, 0)


class FakeAnalyzer:
    """Gives each picture, by its name, the faces one chose for it.

    ``faces`` maps a name to unit rows ``(N, D)``, or to an error that refuses the picture; ``scores`` may
    give a picture's faces a quality. Boxes grow to the right, so the last face is the largest.
    """

    def __init__(
        self,
        faces: Mapping[str, Float32 | Exception],
        *,
        scores: Mapping[str, float] | None = None,
        model: ModelId = MODEL,
    ) -> None:
        self.faces = dict(faces)
        self.scores = dict(scores or {})
        self.model = model

    def analyze(self, sources: Iterable[Any], *, digests: bool = False) -> Iterator[Outcome]:
        """One outcome a source, in order; a source is an `Image` or a path."""
        for source in inputs.each(sources):
            image = source if isinstance(source, Image) else picture(str(source))
            outcome = self._outcome(image.source)
            yield replace(outcome, digest=image.digest()) if digests and outcome.error is None else outcome

    def _outcome(self, name: str) -> Outcome:
        found = self.faces.get(name, PictureNotFound(f"{name}: nothing there"))
        if isinstance(found, Exception):
            return Outcome(name, Status.REFUSED, error=found)  # type: ignore[arg-type]
        count = len(found)
        if not count:
            return Outcome(name, Status.NO_FACE, (640, 480))
        left = np.arange(count, dtype=np.float32) * 100
        boxes = np.stack([left, left * 0, left + 20 + left / 10, left * 0 + 20 + left / 10], axis=1)
        faces = Faces(
            boxes=boxes,
            scores=np.full(count, 0.9, np.float32),
            embeddings=found,
            model=self.model,
            quality=tuple(quality(self.scores.get(name, 0.9)) for _ in range(count)),
        )
        return Outcome(name, Status.OK, (640, 480), faces)
