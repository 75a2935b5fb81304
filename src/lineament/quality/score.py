"""Every quality number of a face, and the one that combines them."""

from __future__ import annotations

import numpy as np

from lineament.geometry.landmarks import interocular_distance
from lineament.quality.pixels import exposure, sharpness
from lineament.quality.pose import head_pose
from lineament.types import Faces, Float32, Quality, UInt8


def assess(faces: Faces, crops: UInt8) -> tuple[Quality, ...]:
    """One `Quality` a face, from faces with landmarks and their aligned crops ``(N, S, S, 3)``.

    ``size`` is the distance between the eyes in pixels of the picture that was searched.
    """
    assert faces.landmarks is not None
    sizes = interocular_distance(faces.landmarks)
    poses = head_pose(faces.landmarks)
    sharp = sharpness(crops)
    exposed = exposure(crops)
    scores = combine(
        sizes=sizes,
        poses=poses,
        sharp=sharp,
        exposed=exposed,
        detector=faces.scores,
        lengths=faces.embedding_lengths,
    )
    return tuple(
        Quality(
            size=float(sizes[i]),
            yaw_deg=float(poses[i, 0]),
            pitch_deg=float(poses[i, 1]),
            roll_deg=float(poses[i, 2]),
            sharpness=float(sharp[i]),
            exposure=float(exposed[i]),
            detector_score=float(faces.scores[i]),
            embedding_length=None if faces.embedding_lengths is None else float(faces.embedding_lengths[i]),
            score=float(scores[i]),
        )
        for i in range(len(faces))
    )


def combine(
    *,
    sizes: Float32,
    poses: Float32,
    sharp: Float32,
    exposed: Float32,
    detector: Float32,
    lengths: Float32 | None,
) -> Float32:
    """The combined score ``(N,)`` in [0, 1]: the geometric mean of the parts, each ramped to [0, 1]."""
    parts = [
        ramp(sizes, 0, 35),
        ramp(np.abs(poses[:, 0]), 90, 20),
        ramp(np.abs(poses[:, 1]), 90, 20),
        ramp(sharp, 0, 0.5),
        ramp(exposed, 0, 1),
        ramp(detector, 0.3, 0.9),
    ]
    if lengths is not None:
        parts.append(ramp(lengths, 0, 12))
    return np.asarray(np.exp(np.mean(np.log(np.maximum(parts, 1e-6)), axis=0)), np.float32)


def ramp(values: Float32, zero: float, one: float) -> Float32:
    """Linear from 0 at ``zero`` to 1 at ``one``, flat outside; ``zero`` may be the larger."""
    return np.asarray(np.clip((values - zero) / (one - zero), 0, 1), np.float32)
