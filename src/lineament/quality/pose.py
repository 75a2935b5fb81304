"""Head pose from five landmarks, by scaled orthography: closed form, no camera needed."""

from __future__ import annotations

import numpy as np

from lineament.types import Float32, Float64

NOSE_DEPTH = 0.6
"""How far the nose tip stands before the eyes, in distances between the eyes (MediaPipe's canonical face
model has 0.64 before the eye *corners*, which lie a little behind the lids)."""

MOUTH_DEPTH = 0.1
"""The same of the mouth corners (canonical face model: 0.13 before the eye corners)."""


def mean_face() -> Float64:
    """Five 3D points ``(5, 3)``, centred, eyes at distance one: x right, y down, z away from the viewer.

    In the plane they are the medians, made symmetric, of LFW's 706 most frontal faces as YuNet marks
    them: pose zero is how people face a camera there.
    """
    points = np.array(
        [
            [-0.5, 0, 0],
            [0.5, 0, 0],
            [0, 0.55, -NOSE_DEPTH],
            [-0.425, 0.96, -MOUTH_DEPTH],
            [0.425, 0.96, -MOUTH_DEPTH],
        ]
    )
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
