"""How much a leaky order flatters the accuracy, measured on the user's own pictures.

The same pictures, copies and classifier (the nearest neighbour among tiny grey pictures) twice: augmented
first and then split, so that copies of one photo fall on both sides; and split first, with only the
training side augmented. With labels drawn at random there is nothing to learn, so every accuracy above
chance is flattery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.datasets.augment.pipeline import Pipeline
from lineament.errors import InsufficientData, PictureError
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.scoring.intervals import by_subject, estimate
from lineament.types import Float32, UInt8

MOST_PICTURES = 150
LEAST_PICTURES = 20
COPIES = 10
ROUNDS = 10
CLASSES = 10
TRAIN_SHARE = 0.7
_SIDE, _FEATURE_SIDE = 64, 24

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of right answers with its interval, clustered by picture."""

    value: float
    low: float
    high: float
    decisions: int

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"accuracy": self.value, "low": self.low, "high": self.high, "decisions": self.decisions}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of label in both orders; ``chance`` is what guessing gets, or None where it is not known."""

    leaky: Accuracy
    honest: Accuracy
    chance: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers under the names of the two orders."""
        return {
            "augment_then_split": self.leaky.to_json(),
            "split_then_augment": self.honest.to_json(),
            "chance": self.chance,
        }


@dataclass(frozen=True, slots=True)
class Flattery:
    """Both experiments on ``pictures`` pictures; ``subjects`` is None with fewer than two subjects."""

    pictures: int
    unreadable: int
    noise: Comparison
    subjects: Comparison | None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "pictures": self.pictures,
            "unreadable": self.unreadable,
            "copies": COPIES,
            "rounds": ROUNDS,
            "noise": self.noise.to_json(),
            "subjects": self.subjects and self.subjects.to_json(),
        }


def measure(manifest: Manifest, *, seed: int = 0) -> Flattery:
    """Run the experiment on up to 150 pictures of different bytes, chosen by hash.

    Raises `InsufficientData` with fewer than 20.
    """
    unique: dict[str, ManifestRow] = {}
    for row in manifest:
        if row.outcome == "ok" and row.step != "augment":
            unique.setdefault(row.sha256, row)
    order = sorted(unique.values(), key=lambda row: hashlib.sha256(f"{seed}{row.sha256}".encode()).digest())
    chosen: list[ManifestRow] = []
    features: list[Float32] = []
    pipeline = Pipeline(seed=seed)
    unreadable = 0
    for row in order:
        if len(chosen) == MOST_PICTURES:
            break
        try:
            pixels = _small(images.load(manifest.file(row), min_side=_SIDE).pixels)
        except PictureError:
            unreadable += 1
            continue
        versions = [pixels]
        versions += [pipeline(pixels, key=row.id, epoch=epoch).pixels for epoch in range(1, COPIES)]
        features.append(np.stack([_feature(version) for version in versions]))
        chosen.append(row)
    if len(chosen) < LEAST_PICTURES:
        raise InsufficientData(
            f"the experiment needs {LEAST_PICTURES} different pictures, you have {len(chosen)}"
        )
    return compare(np.stack(features), [row.subject for row in chosen], unreadable=unreadable, seed=seed)


def compare(
    features: Float32, subjects: Sequence[str | None], *, unreadable: int = 0, seed: int = 0
) -> Flattery:
    """Both orders on features ``(N, copies, D)`` of unit length, the plain picture first."""
    n = len(features)
    rng = np.random.default_rng(seed)
    noise = [rng.integers(0, CLASSES, n) for _ in range(ROUNDS)]
    known = np.array([i for i, subject in enumerate(subjects) if subject is not None], np.int64)
    names, codes = np.unique([subjects[i] or "" for i in known], return_inverse=True)
    by_person = None
    if len(names) > 1:
        by_person = _both(features[known], [codes.astype(np.int64)] * ROUNDS, rng, None)
    return Flattery(n, unreadable, _both(features, noise, rng, 1 / CLASSES), by_person)


def _both(
    features: Float32, labels: Sequence[Labels], rng: np.random.Generator, chance: float | None
) -> Comparison:
    n, copies, _ = features.shape
    wrong: Mapping[str, list[NDArray[np.bool_]]] = {"leaky": [], "honest": []}
    of: Mapping[str, list[Labels]] = {"leaky": [], "honest": []}
    flat, picture = features.reshape(n * copies, -1), np.repeat(np.arange(n), copies)
    for truth in labels:
        mixed = rng.permutation(n * copies)
        cut = round(TRAIN_SHARE * n * copies)
        train, test = mixed[:cut], mixed[cut:]
        wrong["leaky"].append(_errors(flat[train], truth[picture[train]], flat[test], truth[picture[test]]))
        of["leaky"].append(picture[test])
        order = rng.permutation(n)
        learn, held = order[: round(TRAIN_SHARE * n)], order[round(TRAIN_SHARE * n) :]
        train = np.flatnonzero(np.isin(picture, learn))
        wrong["honest"].append(_errors(flat[train], truth[picture[train]], features[held, 0], truth[held]))
        of["honest"].append(held)
    answers = {}
    for name in wrong:
        rate = estimate(by_subject(np.concatenate(wrong[name]), np.concatenate(of[name])))
        answers[name] = Accuracy(
            1 - rate.value, 1 - rate.interval.high, 1 - rate.interval.low, rate.comparisons
        )
    return Comparison(answers["leaky"], answers["honest"], chance)


def _errors(train: Float32, labels: Labels, test: Float32, truth: Labels) -> NDArray[np.bool_]:
    """Whether the nearest training picture has another label, ``(test,)``."""
    return np.asarray(labels[(test @ train.T).argmax(axis=1)] != truth, bool)


def _small(pixels: UInt8) -> UInt8:
    import cv2

    return np.asarray(cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _feature(pixels: UInt8) -> Float32:
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    tiny = cv2.resize(grey, (_FEATURE_SIDE, _FEATURE_SIDE), interpolation=cv2.INTER_AREA)
    vector = tiny.astype(np.float32).ravel() - tiny.mean()
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)
