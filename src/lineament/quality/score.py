"""Every quality number of a face, and the one that combines them."""

from __future__ import annotations

import numpy as np

from lineament.errors import NoLandmarks
from lineament.geometry.landmarks import interocular_distance
from lineament.quality.pixels import exposure, sharpness
from lineament.quality.pose import head_pose
from lineament.types import Faces, Float32, Quality, UInt8

USABLE_LENGTHS = {"sface": (3.0, 15.0), "combined": (3.0, 15.0)}
"""Embedding lengths worth 0 and 1, by embedder; of others the length is reported but not scored."""

LENGTH_WEIGHT = 10.0
"""How many times the embedding's length counts; each other part counts once. Measured, not guessed:
docs/reference/quality.md."""


def assess(faces: Faces, crops: UInt8, embedder: str | None = None) -> tuple[Quality, ...]:
    """One `Quality` a face, from faces with landmarks and their aligned crops ``(N, S, S, 3)`` RGB.

    ``size`` is the distance between the eyes in pixels of the picture that was searched. ``embedder`` names
    that by whose scale lengths are read; otherwise it is the faces' model. Raises `NoLandmarks`.
    """
    if faces.landmarks is None:
        raise NoLandmarks("quality needs landmarks: wrap the detector with one that gives them")
    sizes = interocular_distance(faces.landmarks)
    poses = head_pose(faces.landmarks)
    sharp = sharpness(crops)
    exposed = exposure(crops)
    parts = {
        "size": _ramp(np.log2(np.maximum(sizes, 1)), 1.5, 5),
        "pose": _ramp(np.hypot(poses[:, 0], poses[:, 1]), 90, 10),
        # No lens gives detail above about 1: what lies beyond is noise.
        "sharpness": np.minimum(_ramp(sharp, 0.02, 0.2), _ramp(sharp, 2.8, 1.0)),
        "exposure": _ramp(exposed, -0.1, 0.8),
        "detector": _ramp(faces.scores, 0.3, 0.9),
    }
    lengths = faces.embedding_lengths
    if embedder is None and faces.model is not None:
        embedder = faces.model.name
    if lengths is not None and embedder in USABLE_LENGTHS:
        parts["length"] = _ramp(lengths, *USABLE_LENGTHS[embedder])
    scores = _weighted_geometric_mean(parts)
    return tuple(
        Quality(
            size=float(sizes[i]),
            yaw_deg=float(poses[i, 0]),
            pitch_deg=float(poses[i, 1]),
            roll_deg=float(poses[i, 2]),
            sharpness=float(sharp[i]),
            exposure=float(exposed[i]),
            detector_score=float(faces.scores[i]),
            embedding_length=None if lengths is None else float(lengths[i]),
            score=float(scores[i]),
        )
        for i in range(len(faces))
    )


def _weighted_geometric_mean(parts: dict[str, Float32]) -> Float32:
    """A face is as usable as its worst part, so parts multiply; 0.001 keeps one from hiding the rest."""
    weights = {name: LENGTH_WEIGHT if name == "length" else 1.0 for name in parts}
    logs = sum(weight * np.log(np.maximum(parts[name], 1e-3)) for name, weight in weights.items())
    return np.asarray(np.exp(logs / sum(weights.values())), np.float32)


def _ramp(values: Float32, zero: float, one: float) -> Float32:
    """Linear from 0 at ``zero`` to 1 at ``one``, flat outside; ``zero`` may be the larger."""
    return np.asarray(np.clip((values - zero) / (one - zero), 0, 1), np.float32)
