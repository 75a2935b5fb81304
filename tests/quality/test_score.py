"""Degrading a face lowers the numbers that claim to see it, and the combined score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.embedders.sface import SFace
from lineament.errors import NoLandmarks
from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.crops import cut
from lineament.io import images
from lineament.quality.pixels import exposure, sharpness
from lineament.quality.score import assess
from lineament.types import Faces, Image, ModelId, Quality, UInt8

SAMPLES = sorted(p for p in (Path(__file__).parents[2] / "samples").iterdir() if p.suffix != ".md")

Degrade = Callable[[UInt8], UInt8]


@pytest.fixture(scope="module")
def embedder() -> SFace:
    return SFace()


@pytest.fixture(scope="module")
def clean() -> list[tuple[UInt8, Faces]]:
    """The samples, short side shrunk to 320 pixels, so noise and JPEG blocks are out of the way."""
    found = []
    with Analyzer(embedder=None, quality=False) as analyzer:
        for path in SAMPLES:
            pixels = images.load(path).pixels
            factor = min(pixels.shape[:2]) / 320
            small = shrink(factor)(pixels)
            outcome = analyzer.analyze_one(Image(small))
            found.append((small, outcome.faces[:1]))
    assert all(len(faces) == 1 for _, faces in found)
    return found


def quality_of(pixels: UInt8, faces: Faces, scale: float = 1.0, embedder: SFace | None = None) -> Quality:
    """Quality of the face at landmarks found in the clean picture, so only the pixels differ."""
    assert faces.landmarks is not None
    landmarks = faces.landmarks / np.float32(scale)
    crops = cut(pixels, similarity_transform(landmarks, ARCFACE_112[None]), 112)
    moved = Faces(faces.boxes / np.float32(scale), faces.scores, landmarks)
    if embedder is not None:
        vectors = embedder.embed(crops)
        lengths = np.linalg.norm(vectors, axis=1)
        moved = moved.with_columns(
            embeddings=vectors / lengths[:, None], embedding_lengths=lengths, model=embedder.model
        )
    return assess(moved, crops)[0]


def blur(sigma: float) -> Degrade:
    return lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), sigma), np.uint8)


def darken(gain: float) -> Degrade:
    return lambda p: np.round(p * np.float32(gain)).astype(np.uint8)


def overexpose(gain: float) -> Degrade:
    return lambda p: np.clip(p * np.float32(gain), 0, 255).astype(np.uint8)


def shrink(factor: float) -> Degrade:
    return lambda p: np.asarray(
        cv2.resize(p, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA), np.uint8
    )


STEPS: dict[str, tuple[str, list[tuple[Degrade, float]]]] = {
    "blur": ("sharpness", [(blur(1), 1), (blur(2), 1), (blur(3), 1)]),
    "dark": ("exposure", [(darken(0.3), 1), (darken(0.1), 1), (darken(0.04), 1)]),
    "overexposed": ("exposure", [(overexpose(2), 1), (overexpose(4), 1), (overexpose(6), 1)]),
    "small": ("size", [(shrink(2), 2), (shrink(4), 4), (shrink(6), 6)]),
}


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "not embedded"])
@pytest.mark.parametrize("name", STEPS)
def test_degrading_lowers(
    clean: list[tuple[UInt8, Faces]], embedder: SFace, name: str, embedded: bool
) -> None:
    """Each step lowers the number meant for it, and the last the score, on every sample."""
    field, steps = STEPS[name]
    for pixels, faces in clean:
        first = quality_of(pixels, faces, embedder=embedder if embedded else None)
        ladder = [first] + [
            quality_of(step(pixels), faces, scale, embedder if embedded else None) for step, scale in steps
        ]
        values = [getattr(q, field) for q in ladder]
        assert values == sorted(values, reverse=True)
        assert values[-1] < values[0]
        assert ladder[-1].score < 0.95 * first.score


def test_good_photos_score_well(clean: list[tuple[UInt8, Faces]], embedder: SFace) -> None:
    """Official portraits have scores in (0.7, 1], exposure in [0, 1] and a pose that faces the camera."""
    for pixels, faces in clean:
        quality = quality_of(pixels, faces, embedder=embedder)
        assert 0.7 < quality.score <= 1
        assert 0 <= quality.exposure <= 1
        assert abs(quality.yaw_deg) < 45
        assert abs(quality.pitch_deg) < 30


def test_length_of_an_unknown_model_is_reported_but_not_scored(
    clean: list[tuple[UInt8, Faces]], embedder: SFace
) -> None:
    """What length is good is a property of the model, so that of another does not move the score."""
    pixels, faces = clean[0]
    assert faces.landmarks is not None
    crops = cut(pixels, similarity_transform(faces.landmarks, ARCFACE_112[None]), 112)
    unit = np.eye(1, 128, dtype=np.float32)
    other = faces.with_columns(
        embeddings=unit, embedding_lengths=np.float32([0.5]), model=ModelId("other", "0" * 64)
    )
    quality = assess(other, crops)[0]
    assert quality.embedding_length == 0.5
    assert quality.score == quality_of(pixels, faces).score


def test_flat_crops_are_worthless() -> None:
    """Black, white and grey squares have neither detail nor exposure, and no warning is raised."""
    flat = np.stack([np.full((112, 112, 3), v, np.uint8) for v in (0, 128, 255)])
    assert (sharpness(flat) == 0).all()
    assert (exposure(flat) == 0).all()


def test_contrast_does_not_pass_for_sharpness() -> None:
    """Halving the contrast leaves sharpness where it was, up to rounding."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (112, 112)), (0, 0), 2)
    pattern = np.clip(128 + 60 * noise / noise.std(), 0, 255)
    crops = np.stack([np.repeat(np.round(c)[..., None], 3, 2) for c in (pattern, 64 + pattern / 2)])
    full, half = sharpness(crops.astype(np.uint8))
    assert half == pytest.approx(full, rel=0.05)


def test_sharpness_matches_its_definition() -> None:
    """The Laplacian computed pixel by pixel gives the same ratio."""
    grey = np.random.default_rng(2).integers(0, 256, (112, 112)).astype(np.uint8)
    wide = grey.astype(np.float64)
    laplacian = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * wide[1:-1, 1:-1]
    region = laplacian[23:103, 23:87]
    expected = region.std() / wide[24:104, 24:88].std()
    assert sharpness(np.repeat(grey[None, :, :, None], 3, 3))[0] == pytest.approx(expected, rel=1e-4)


def test_no_landmarks_no_quality() -> None:
    """Faces without landmarks are refused by name."""
    faces = Faces(np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32))
    with pytest.raises(NoLandmarks):
        assess(faces, np.zeros((1, 112, 112, 3), np.uint8))
