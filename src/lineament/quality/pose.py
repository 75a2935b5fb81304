"""Head pose from five landmarks, by scaled orthography: closed form, no camera needed."""

from __future__ import annotations

import numpy as np

from lineament.geometry.alignment import ARCFACE_112
from lineament.geometry.landmarks import FLIP_ORDER
from lineament.types import Float32, Float64

NOSE_DEPTH = 0.45
"""How far the nose tip stands before the eyes, in interocular distances; see docs/reference/quality.md."""

MOUTH_DEPTH = 0.10
"""The same of the mouth corners."""


def mean_face() -> Float64:
    """Five 3D points ``(5, 3)``, centred, eyes at distance one: x right, y down, z away from the viewer.

    Seen from the front they are the ArcFace template, so a face that looks like it has pose zero.
    """
    flat = ARCFACE_112.astype(np.float64)
    flat[:, 0] -= flat[:2, 0].mean()
    # The template's halves differ by a fraction of a pixel; a mean face is symmetric.
    flat = (flat + flat[FLIP_ORDER] * [-1, 1]) / 2
    depths = [0, 0, -NOSE_DEPTH, -MOUTH_DEPTH, -MOUTH_DEPTH]
    points = np.column_stack([flat / (flat[1, 0] - flat[0, 0]), depths])
    return np.asarray(points - points.mean(axis=0), np.float64)


_SOLVE = np.linalg.pinv(mean_face())


def head_pose(landmarks: Float32) -> Float32:
    """Yaw, pitch, roll in degrees ``(N, 3)`` of landmarks ``(N, 5, 2)``.

    Yaw is positive when the nose points to the picture's right (the subject's left), pitch when it points
    up, roll when the head is tilted clockwise on screen. The mean face is fitted by least squares under
    scaled orthography (the first step of DeMenthon and Davis 1995, IJCV 15:123) and the fit replaced by
    the nearest rotation ``Rz(roll) Ry(yaw) Rx(pitch)``, so turning the picture changes only roll.
    """
    points = np.asarray(landmarks, np.float64)
    affine = np.einsum("kp,npc->nck", _SOLVE, points - points.mean(axis=1, keepdims=True))
    u, _, vt = np.linalg.svd(affine, full_matrices=False)
    rows = u @ vt
    away = np.cross(rows[:, 0], rows[:, 1])
    yaw = np.arcsin(np.clip(away[:, 0], -1, 1))
    pitch = -np.arctan2(away[:, 1], away[:, 2])
    roll = np.arctan2(rows[:, 1, 0], rows[:, 0, 0])
    return np.asarray(np.degrees(np.column_stack([yaw, pitch, roll])), np.float32)
