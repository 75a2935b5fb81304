"""Scene cuts."""

from __future__ import annotations

import numpy as np

from lineament.tracking import Cuts
from lineament.types import UInt8


def scene(seed: int) -> UInt8:
    """A grey picture of soft shapes, larger than a thumbnail."""
    draw = np.random.default_rng(seed).uniform(20, 230, (12, 24))
    rows, columns = np.arange(50) / 5, np.arange(110) / 5
    r, c = rows.astype(int), columns.astype(int)
    fr, fc = (rows - r)[:, None], (columns - c)[None]
    top = draw[r][:, c] * (1 - fc) + draw[r][:, c + 1] * fc
    low = draw[r + 1][:, c] * (1 - fc) + draw[r + 1][:, c + 1] * fc
    return np.asarray(top * (1 - fr) + low * fr, np.uint8)


def told(frames: list[UInt8]) -> list[int]:
    cuts = Cuts()
    return [i for i, frame in enumerate(frames) if cuts.begins(frame)]


def test_a_cut_is_where_another_scene_begins() -> None:
    """Each change of scene is told at its first frame, and nothing else."""
    frames = [scene(i // 5)[20:38, 40:72] for i in range(20)]
    assert told(frames) == [5, 10, 15]


def test_moving_the_camera_noise_and_light_are_no_cuts() -> None:
    """A pan, noise, a flash, a lamp switched off, and frames of one colour."""
    draw = np.random.default_rng(0)
    assert told([scene(1)[20:38, i : i + 32] for i in range(78)]) == []
    still = scene(1)[20:38, 40:72]
    assert told([np.clip(still + draw.normal(0, 8, still.shape), 0, 255).astype(np.uint8)] * 9) == []
    assert told([still, np.clip(still * 1.0 + 80, 0, 255).astype(np.uint8), still, still // 3, still]) == []
    assert told([np.full((18, 32), v, np.uint8) for v in (0, 255, 0, 128)]) == []
