"""Similarities on the scale that CompreFace's clients keep their thresholds on.

Upstream it is ``(tanh((c0 - d) * c1) + 1) / 2`` of the distance ``d`` between two unit vectors, where 0.5
lies at the model's own boundary. Here the boundary is the distance at the measured threshold, and the slope
is that of its FaceNet build: the order of similarities stays, and 0.5 is where our own decision changes.
"""

from __future__ import annotations

import math

import numpy as np

SLOPE = 5.291995557


def scaled(similarity: float, threshold: float) -> float:
    """A cosine in [-1, 1] as a similarity in [0, 1], 0.5 at the threshold; five decimals, as upstream."""
    boundary, distance = _distance(threshold), _distance(similarity)
    return rounded((math.tanh((boundary - distance) * SLOPE) + 1) / 2)


def rounded(value: float) -> float:
    """A number of 32 bits to five decimals, halves up."""
    return math.floor(float(np.float32(value)) * 1e5 + 0.5) / 1e5


def _distance(cosine: float) -> float:
    return math.sqrt(max(0.0, 2 - 2 * cosine))
