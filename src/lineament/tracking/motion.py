"""Where a followed face is next: constant velocity, in seconds and in sizes of the face.

A Kalman filter whose clock is the frames' own: rates that vary and frames left out change nothing. Both
coordinates share one covariance, because everything is counted in sizes of the face.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lineament.types import Float32, Float64

FOUND = 0.06
"""Standard deviation of where a detector puts a box, in sizes of the face."""

HIDDEN, HIDDEN_SHARE = 0.3, 0.1
"""Of a face that is partly hidden, turned or blurred, and how often that is."""

FIRST_SPEED = 2.0
"""Standard deviation of the speed of a face found once, in sizes a second."""

UNREST = 8.0
"""How much a speed changes: variance, in square sizes a second, that each second adds."""

RESIZED, RESIZED_HIDDEN, RESIZED_A_SECOND = 0.14, 0.4, 0.7
"""Standard deviations of the logarithm of the size: as found twice, with the face hidden, and what each
second adds."""

_FAR = 9.0
"""Square standard deviations from which a box counts as that of a face partly hidden, and less."""

_ELSEWHERE = np.log(100.0)
"""Another face may lie anywhere: on 50 square sizes, at sizes that differ by up to e."""


@dataclass(slots=True, eq=False)
class Motion:
    """One face: centre and speed in pixels, size, and how unsure both are; ``seconds`` is its clock."""

    center: Float64
    size_wh: Float64
    seconds: float
    speed: Float64 = field(default_factory=lambda: np.zeros(2))
    unsure: Float64 = field(default_factory=lambda: np.diag([FOUND**2, FIRST_SPEED**2]))

    @classmethod
    def of(cls, box: Float32, seconds: float) -> Motion:
        """A face found for the first time."""
        center, size_wh = _center_size(box)
        return cls(center, size_wh, seconds)

    @property
    def side(self) -> float:
        """The geometric mean of width and height, in pixels."""
        return float(np.sqrt(self.size_wh[0] * self.size_wh[1]))

    def box_at(self, seconds: float) -> Float32:
        """Where the face is thought to be, ``(4,)``."""
        center = self.center + self.speed * max(0.0, seconds - self.seconds)
        return np.concatenate([center - self.size_wh / 2, center + self.size_wh / 2]).astype(np.float32)

    def likelihoods(self, boxes: Float32, seconds: float) -> Float64:
        """For each of ``boxes`` ``(N, 4)``: the log likelihood ratio of this face there to another one."""
        if not len(boxes):
            return np.zeros(0)
        dt = max(0.0, seconds - self.seconds)
        sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
        sides = np.sqrt(sizes.prod(axis=1))
        # A face that comes nearer is measured by its mean size, or small ones would be far from large ones.
        unit = np.sqrt(sides * self.side)
        center = self.center + self.speed * dt
        away = ((((boxes[:, :2] + boxes[:, 2:]) / 2 - center) / unit[:, None]) ** 2).sum(axis=1)
        scaled = np.log(sides / self.side) ** 2
        spread = self._ahead(dt)[0, 0]
        kinds = []
        for share, noise, resized in (
            (1 - HIDDEN_SHARE, FOUND, RESIZED),
            (HIDDEN_SHARE, HIDDEN, RESIZED_HIDDEN),
        ):
            place, size = spread + noise**2, resized**2 + (RESIZED_A_SECOND * dt) ** 2
            density = np.log(share) - 1.5 * np.log(2 * np.pi) - np.log(place) - 0.5 * np.log(size)
            kinds.append(density - 0.5 * (away / place + scaled / size))
        return np.asarray(np.logaddexp(*kinds) + _ELSEWHERE, np.float64)

    def found(self, box: Float32, seconds: float) -> None:
        """Correct everything by where the face was found."""
        center, size_wh = _center_size(box)
        dt = max(0.0, seconds - self.seconds)
        ahead = self._ahead(dt)
        off = center - (self.center + self.speed * dt)
        hidden = (off**2).sum() / self.side**2 > _FAR * (ahead[0, 0] + FOUND**2)
        gain = ahead[:, 0] / (ahead[0, 0] + (HIDDEN if hidden else FOUND) ** 2)
        self.center = self.center + self.speed * dt + gain[0] * off
        self.speed = self.speed + gain[1] * off
        self.unsure = ahead - np.outer(gain, ahead[0])
        self.size_wh = np.exp((np.log(self.size_wh) + np.log(size_wh)) / 2)
        self.seconds = seconds

    def _ahead(self, dt: float) -> Float64:
        step = np.array([[1.0, dt], [0.0, 1.0]])
        noise = UNREST * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        return np.asarray(step @ self.unsure @ step.T + noise, np.float64)


def _center_size(box: Float32) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    edges = box.astype(np.float64)
    return (edges[:2] + edges[2:]) / 2, np.maximum(edges[2:] - edges[:2], 1.0)
