"""Made-up scenes of moving faces whose identities are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lineament.geometry.boxes import iou
from lineament.scoring.tracks import IdentityScores
from lineament.tracking import FaceTracker, TrackerSettings
from lineament.types import Embedding, Faces, Float32, ModelId

MODEL = ModelId("made up", "0" * 64)


def unit(vector: Float32) -> Float32:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def person(seed: int) -> Float32:
    return unit(np.random.default_rng(seed).standard_normal(128).astype(np.float32))


def look(of: Float32, cosine: float, draw: np.random.Generator) -> Float32:
    """A picture's embedding, of about that similarity to the person's."""
    other = draw.standard_normal(len(of))
    other -= other @ of * of
    return unit((cosine * of + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)).astype(np.float32))


def boxed(center_xy: tuple[float, float], side: float) -> Float32:
    x, y = center_xy
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)


@dataclass(frozen=True)
class Frame:
    seconds: float
    names: list[int]
    truth: Float32
    faces: Faces


def crowd(seed: int, seconds: float = 20.0, rate: float = 25.0, people: int = 5) -> Iterator[Frame]:
    """People who wander through 1280 x 720 and pass each other; who is behind another is not found.

    One face in twenty is missed, boxes shake by 4 % of the face.
    """
    draw = np.random.default_rng(seed)
    vectors = [person(1000 * seed + i) for i in range(people)]
    start, end = draw.uniform([100, 150], [1180, 570], (2, people, 2))
    side, sway, phase = (
        draw.uniform(60, 140, people),
        draw.uniform(0, 120, people),
        draw.uniform(0, 6.3, people),
    )
    period = draw.uniform(3, 8, people)
    for number in range(int(seconds * rate)):
        now = number / rate
        share = (0.5 - 0.5 * np.cos(2 * np.pi * now / period + phase))[:, None]
        centers = (
            start + (end - start) * share + np.stack([np.zeros(people), sway * np.sin(now + phase)], 1)
        )
        truth = np.stack([boxed(tuple(c), s) for c, s in zip(centers, side, strict=True)])
        shown = []
        for i in range(people):
            nearer = [j for j in range(people) if side[j] > side[i]]
            cover = max((float(np.prod(np.clip(
                np.minimum(truth[i, 2:], truth[j, 2:]) - np.maximum(truth[i, :2], truth[j, :2]), 0, None
            )) / side[i] ** 2) for j in nearer), default=0.0)  # fmt: skip
            if cover < 0.5 and draw.random() > 0.05:
                shown.append(i)
        found = truth[shown] + draw.normal(0, 0.04, (len(shown), 4)) * side[shown, None]
        vectors_seen = [look(vectors[i], float(draw.uniform(0.4, 0.8)), draw) for i in shown]
        yield Frame(
            now,
            shown,
            truth[shown],
            Faces(
                boxes=found.reshape(-1, 4),
                scores=np.ones(len(shown), np.float32),
                embeddings=np.array(vectors_seen, np.float32).reshape(-1, 128),
                model=MODEL,
            ),
        )


@dataclass(frozen=True)
class Followed:
    scores: IdentityScores
    looked_at: int
    found: int


def followed(
    frames: Iterator[Frame], stride: int, *, by_looks: bool = True, looks_a_second: float = 2.0
) -> Followed:
    """A tracker's scores when every ``stride``-th frame is searched, and how many faces were looked at."""
    tracker, scores, last_look = FaceTracker(TrackerSettings()), IdentityScores(), {}
    looked_at = found = 0
    for number, frame in enumerate(frames):
        if number % stride:
            continue
        faces, vectors = frame.faces, frame.faces.embeddings
        assert vectors is not None
        rows = tracker.unsure(faces, frame.seconds) if by_looks else []
        seen = np.zeros_like(vectors)
        seen[rows] = vectors[rows]
        tracks = tracker.update(faces.with_columns(embeddings=seen), frame.seconds)
        for row, track in enumerate(tracks.numbers):
            due = frame.seconds - last_look.get(track, -9.0) >= 1 / looks_a_second
            if by_looks and (due or row in rows):
                last_look[track] = frame.seconds
                tracker.remember(track, Embedding(vectors[row], MODEL), 1.0, frame.seconds)
                looked_at += 1
        found += len(faces)
        scores.add(frame.names, tracks.numbers, iou(frame.truth, faces.boxes))
    return Followed(scores, looked_at, found)
