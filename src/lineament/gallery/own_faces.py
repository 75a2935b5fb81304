"""Faces that are known already, from labels or an earlier step, taken through the steps after detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lineament.errors import ConfigError
from lineament.geometry.boxes import expand
from lineament.types import Faces, Float32, Image

if TYPE_CHECKING:
    from lineament.io.manifest import ManifestRow

UNKNOWN_SCORE = 0.9
"""For a face of which no detector said how sure it is: it does not count against its quality."""

_ROOM = 1.5
"""Landmarks lie in the box, enlarged by so much, or they are of something else."""


class GivenFaces:
    """A detector that answers with the faces that are known of a picture, by the picture's source."""

    gives_landmarks = True

    def __init__(self, known: Mapping[str, Faces] | None = None) -> None:
        self.known = dict(known or {})

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """The faces known. Raises `ConfigError` for a picture of which nothing is."""
        for image in images:
            if image.source not in self.known:
                raise ConfigError(f"{image.source}: no face of this picture was given")
        return [self.known[image.source] for image in images]


def has_own_face(row: ManifestRow) -> bool:
    """Whether a row tells its face so well that none need be looked for: box and landmarks in it."""
    if row.box is None or row.landmarks is None:
        return False
    points = np.array(row.landmarks, np.float32)
    x0, y0, x1, y1 = expand(np.array([row.box], np.float32), _ROOM)[0]
    inside = (points >= (x0, y0)).all() and (points <= (x1, y1)).all()
    # Points that fall together align nothing.
    return bool(points.shape == (5, 2) and inside and np.ptp(points, axis=0).max() >= 1)


def own_faces(rows: Sequence[ManifestRow], scores: Float32 | None = None) -> Faces:
    """The faces that rows tell, in their order (`has_own_face`); ``scores`` ``(N,)`` are a detector's."""
    return Faces(
        boxes=np.array([row.box for row in rows], np.float32).reshape(-1, 4),
        scores=np.full(len(rows), UNKNOWN_SCORE, np.float32) if scores is None else scores,
        landmarks=np.array([row.landmarks for row in rows], np.float32).reshape(-1, 5, 2),
    )
