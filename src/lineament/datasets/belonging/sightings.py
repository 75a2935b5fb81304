"""What was seen in one picture, small enough to keep for every picture of a large set.

A sighting goes into a step's journal and comes back the same to the bit, so that a run that was killed
ends like one that was not.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lineament.io.manifest import Box, Points
from lineament.shown import shown
from lineament.types import Faces, Float32, Outcome, Status

_FIXED = 17
"""Numbers a face besides its embedding: box 4, score, landmarks 10, quality, rotation."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The faces of one picture, in pixels of the upright file.

    ``table`` is float32 ``(N, 17 + D)``; the properties name its columns. ``error`` is the refusal's name
    and message. ``scale`` is how many pixels of the file one of those searched stands for. Faces that
    labels give, and no detector found, have NaN as quality.
    """

    status: Status
    table: Float32
    size_wh: tuple[int, int] | None = None
    error: str | None = None
    scale: float = 1.0

    __repr__ = shown

    def __len__(self) -> int:
        return len(self.table)

    @property
    def boxes(self) -> Float32:
        """xyxy, ``(N, 4)``."""
        return self.table[:, :4]

    @property
    def scores(self) -> Float32:
        """The detector's, ``(N,)``."""
        return self.table[:, 4]

    @property
    def landmarks(self) -> Float32:
        """Five points, ``(N, 5, 2)``."""
        return self.table[:, 5:15].reshape(-1, 5, 2)

    @property
    def quality(self) -> Float32:
        """The combined score, ``(N,)`` in [0, 1]."""
        return self.table[:, 15]

    @property
    def rotation_deg(self) -> Float32:
        """How far the picture was turned counter-clockwise before the face showed, ``(N,)``."""
        return self.table[:, 16]

    @property
    def embeddings(self) -> Float32:
        """Of unit length, ``(N, D)``."""
        return self.table[:, _FIXED:]

    @property
    def detected(self) -> NDArray[np.intp]:
        """Numbers of the faces that the detector found; the others were given by labels."""
        return np.flatnonzero(~np.isnan(self.quality))

    def only(self, face: int) -> Self:
        """The same with one of its faces, by its number."""
        return replace(self, table=self.table[face : face + 1])

    def with_given(self, boxes: Sequence[Box], landmarks: Sequence[Points | None]) -> Self:
        """The same and faces that labels give, which have neither quality nor embedding."""
        if not boxes:
            return self
        rows = np.zeros((len(boxes), self.table.shape[1]), np.float32)
        rows[:, :4] = np.array(boxes, np.float32)
        rows[:, 5:16] = np.nan
        for row, points in zip(rows, landmarks, strict=True):
            if points is not None:
                row[5:15] = np.array(points, np.float32).reshape(-1)
        table = np.concatenate([self.table, rows]).astype(np.float32)
        return replace(self, status=Status.OK, table=table)

    @classmethod
    def of(cls, outcome: Outcome, scale: float = 1.0) -> Self:
        """From an analyzer's outcome with landmarks, embeddings and quality."""
        if outcome.error is not None:
            text = f"{type(outcome.error).__name__}: {outcome.error}"
            return cls(Status.REFUSED, np.zeros((0, _FIXED), np.float32), outcome.size_wh, text, scale)
        return cls(outcome.status, _table(outcome.faces), outcome.size_wh, scale=scale)

    def to_json(self) -> dict[str, Any]:
        """For a journal."""
        values: dict[str, Any] = {"status": str(self.status)}
        if len(self):
            values["faces"] = base64.b64encode(self.table.astype("<f4").tobytes()).decode()
            values["count"] = len(self)
        if self.size_wh is not None:
            values["size_wh"] = list(self.size_wh)
        if self.error is not None:
            values["error"] = self.error
        if self.scale != 1:
            values["scale"] = self.scale
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        table = np.zeros((0, _FIXED), np.float32)
        if "faces" in values:
            flat = np.frombuffer(base64.b64decode(values["faces"]), "<f4").astype(np.float32)
            table = flat.reshape(values["count"], -1)
        size = values.get("size_wh")
        return cls(
            Status(values["status"]),
            table,
            None if size is None else (size[0], size[1]),
            values.get("error"),
            values.get("scale", 1.0),
        )


def _table(faces: Faces) -> Float32:
    if not len(faces):
        return np.zeros((0, _FIXED), np.float32)
    assert faces.landmarks is not None and faces.embeddings is not None and faces.quality is not None
    attempts = faces.attempts
    turned = [0.0] * len(faces) if attempts is None else [a.rotation_deg for a in attempts]
    columns = [
        faces.boxes,
        faces.scores[:, None],
        faces.landmarks.reshape(len(faces), 10),
        np.array([[q.score] for q in faces.quality]),
        np.array(turned)[:, None],
        faces.embeddings,
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)
