"""Try again, cheapest change first, until a face is found: turned, bordered, resized, rotated pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lineament.detectors._levelling import SURE, boxes_upright_in_turned, level
from lineament.detectors._wrapping import create_base, rotated, warp
from lineament.errors import ConfigError
from lineament.geometry.alignment import apply, invert
from lineament.geometry.boxes import center, nms
from lineament.geometry.landmarks import roll
from lineament.io.inputs import pictures
from lineament.protocols import Detector
from lineament.registry import detectors
from lineament.types import Attempt, Faces, Float64, Image, UInt8

_LARGEST_CHANGED = 1024
"""Longer side to which a picture is shrunk before it is rotated or bordered: the tries add up."""

_ENLARGED_UP_TO = 640
"""Longer side up to which enlarging is tried: the smallest faces of larger pictures are seldom wanted."""

_UPRIGHT_DEG = 2.0
"""A sure face of the plain picture that shows less tilt is not looked at again, for speed."""

_SAME_FACE_IOU = 0.5
"""Boxes that overlap more once upright were one tilted face found twice."""


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """Settings.

    ``base`` is the spec of the detector to wrap, ``step_deg`` the step of the rotations. The search ends
    with a face of at least ``score``, as each try is one more chance for a false detection; weaker faces of
    the plain picture are kept where nothing better comes. ``level`` takes
    box and points of every face from a second look with the face made upright.
    """

    base: str = "yunet"
    step_deg: float = 15.0
    score: float = 0.75
    quarter_turns: bool = True
    padding: tuple[float, ...] = (0.25, 0.5)
    enlarge: float = 2.0
    level: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.step_deg <= 90:
            raise ConfigError("retry: step_deg lies between 1 and 90")
        if not 0 <= self.score < 1 or self.enlarge < 1 or any(not 0 < p <= 4 for p in self.padding):
            raise ConfigError("retry: score is below 1, enlarge at least 1, padding between 0 and 4")


@dataclass(frozen=True, slots=True, eq=False)
class _Changed:
    """A changed picture, how it came about, and the map from the original's coordinates to its own."""

    attempt: Attempt
    pixels: UInt8
    transform: Float64 = field(repr=False)


@detectors.register("retry", RetryConfig)
class Retry:
    """Wraps any detector and tries, in this order, until one attempt finds a sure face.

    1. the picture as it is;
    2. quarter turns (a missing or wrong EXIF orientation);
    3. borders of black (a face that fills the frame), shares of the longer side;
    4. the picture enlarged, if small (a face of few pixels);
    5. rotations by ``step_deg``, alternately counter-clockwise and clockwise, up to 180 degrees.

    Every face tells its `Attempt`. Boxes and landmarks are those of the original picture.
    """

    def __init__(self, config: RetryConfig | None = None, *, detector: Detector | None = None) -> None:
        self.config = config or RetryConfig()
        if detector is None:
            detector = create_base("retry", self.config.base)
        self.base = detector
        self.score: float | None = getattr(detector, "score", None)
        self.gives_landmarks = self.base.gives_landmarks

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture, best first, all of one attempt."""
        images = pictures(images)
        found = []
        for image, plain in zip(images, self.base.detect(images), strict=True):
            faces = plain.with_columns(attempts=(Attempt(),) * len(plain))
            if not len(faces) or faces.scores[0] < self.config.score:
                better = self._search(image)
                faces = better if len(better) else faces
            found.append(self._levelled(image, faces))
        return found

    def _search(self, image: Image) -> Faces:
        """The faces of the first changed picture that shows any."""
        for changed in self._changes(image):
            faces = self._look(changed, image.size_wh)
            if len(faces):
                return faces
        return Faces.none(landmarks=self.gives_landmarks).with_columns(attempts=())

    def _changes(self, image: Image) -> Iterator[_Changed]:
        """Changed pictures, made only when the search gets to them."""
        c = self.config
        index = 0
        for degrees in (90.0, 270.0, 180.0) if c.quarter_turns else ():
            index += 1
            yield _rotated(image, degrees, index, "quarter turn")
        for share in c.padding:
            index += 1
            yield _padded(image, share, index)
        if c.enlarge > 1 and max(image.hw) <= _ENLARGED_UP_TO:
            index += 1
            yield _enlarged(image, c.enlarge, index)
        steps = int(180 / c.step_deg + 1e-9)
        for step in range(1, steps + 1):
            for sign in (1, -1):
                degrees = sign * step * c.step_deg
                if degrees == -180 or (c.quarter_turns and degrees % 90 == 0):
                    continue
                index += 1
                yield _rotated(image, degrees, index, "rotation")

    def _look(self, changed: _Changed, size_wh: tuple[int, int]) -> Faces:
        """Faces of a changed picture in the original's coordinates."""
        found = self.base.detect([Image(changed.pixels)])[0]
        found = found[np.flatnonzero(found.scores >= self.config.score)]
        if not len(found):
            return found
        back = invert(changed.transform)
        boxes = boxes_upright_in_turned(found.boxes, back, changed.attempt.rotation_deg)
        points = found.landmarks
        faces = found.with_columns(
            boxes=boxes,
            landmarks=None if points is None else apply(back, points),
            attempts=(changed.attempt,) * len(found),
        )
        middle = center(boxes)
        inside = np.all((middle >= 0) & (middle < np.array(size_wh, np.float32)), axis=1)
        return faces[np.flatnonzero(inside)]

    def _levelled(self, image: Image, faces: Faces) -> Faces:
        """The same faces with box and points from a look at each made upright."""
        if not self.config.level or faces.landmarks is None or faces.attempts is None or not len(faces):
            return faces
        boxes, scores, landmarks = faces.boxes.copy(), faces.scores.copy(), faces.landmarks.copy()
        attempts = list(faces.attempts)
        for i, attempt in enumerate(attempts):
            tilt = math.degrees(float(roll(landmarks[i])))
            if attempt.index == 0 and scores[i] >= SURE and abs(tilt) < _UPRIGHT_DEG:
                continue
            seen = level(self.base, image, boxes[i], attempt.rotation_deg)
            if seen is None or (seen.angle_deg == attempt.rotation_deg and attempt.index == 0):
                continue
            boxes[i], landmarks[i] = seen.box, seen.landmarks
            scores[i] = max(scores[i], seen.score)
            angle = (seen.angle_deg + 180) % 360 - 180
            attempts[i] = replace(attempt, name=f"{attempt.name}, levelled", rotation_deg=angle)
        kept = nms(boxes, scores, _SAME_FACE_IOU)
        return faces.with_columns(
            boxes=boxes, scores=scores, landmarks=landmarks, attempts=tuple(attempts)
        )[kept]


def _rotated(image: Image, degrees: float, index: int, name: str) -> _Changed:
    pixels, transform, scale = rotated(image.pixels, degrees, _LARGEST_CHANGED)
    return _Changed(Attempt(index, name, float(degrees), scale=scale), pixels, transform)


def _padded(image: Image, share: float, index: int) -> _Changed:
    w, h = image.size_wh
    scale = min(1.0, _LARGEST_CHANGED / max(w, h))
    border = round(share * max(w, h) * scale)
    inner_wh = max(1, round(w * scale)), max(1, round(h * scale))
    sx, sy = inner_wh[0] / w, inner_wh[1] / h
    transform: Float64 = np.array([[sx, 0, border], [0, sy, border]], np.float64)
    pixels = warp(image.pixels, transform, (inner_wh[0] + 2 * border, inner_wh[1] + 2 * border))
    return _Changed(Attempt(index, "padding", padding=share, scale=scale), pixels, transform)


def _enlarged(image: Image, factor: float, index: int) -> _Changed:
    import cv2

    w, h = image.size_wh
    size_wh = (round(w * factor), round(h * factor))
    pixels = np.asarray(cv2.resize(image.pixels, size_wh, interpolation=cv2.INTER_CUBIC), np.uint8)
    transform: Float64 = np.array([[size_wh[0] / w, 0, 0], [0, size_wh[1] / h, 0]], np.float64)
    return _Changed(Attempt(index, "enlarged", scale=factor), pixels, transform)
