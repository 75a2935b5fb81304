"""Five landmarks: right eye, left eye, nose, right and left mouth corner (the subject's right and left)."""

from __future__ import annotations

import numpy as np

from lineament.types import Float32

FLIP_ORDER = np.array([1, 0, 2, 4, 3])
"""Mirroring a face swaps its right and left points."""


def flip_horizontally(landmarks: Float32, width: float) -> Float32:
    """Landmarks ``(..., 5, 2)`` of the mirrored picture; twice is the identity."""
    flipped = landmarks[..., FLIP_ORDER, :].copy()
    flipped[..., 0] = width - flipped[..., 0]
    return flipped


def roll(landmarks: Float32) -> Float32:
    """In-plane angle of the eye line in radians, ``(...,)``: positive when turned clockwise on screen."""
    d = landmarks[..., 1, :] - landmarks[..., 0, :]
    return np.asarray(np.arctan2(d[..., 1], d[..., 0]), np.float32)


def interocular_distance(landmarks: Float32) -> Float32:
    """Pixels between the eyes, ``(...,)``."""
    return np.asarray(np.linalg.norm(landmarks[..., 1, :] - landmarks[..., 0, :], axis=-1), np.float32)
