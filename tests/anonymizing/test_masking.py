"""Masks hide: who was masked is no longer recognised, nor found, and a blur would not do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.anonymizing.masking import COLOUR, MaskSettings, Method, mask_boxes, masked
from lineament.errors import ConfigError
from lineament.gallery.searching import measured_threshold
from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.boxes import clip, expand
from lineament.geometry.crops import cut
from lineament.io import images
from lineament.types import Faces, Float32, Image, UInt8

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*_*.*g"))
BOX = np.array([[20, 30, 60, 80]], np.float32)


@cache
def analyzer() -> Analyzer:
    return Analyzer("yunet", workers=1, keep_images=True)


@cache
def sample(path: Path) -> tuple[Image, Faces]:
    """A sample and its faces, the surest first."""
    outcome = analyzer().analyze_one(path)
    assert outcome.image is not None
    return outcome.image, outcome.faces


def similarity(pixels: UInt8, faces: Faces) -> float:
    """Of the first face to itself in changed pixels, by the landmarks it had: an attacker knows them."""
    embedder = analyzer().embedder
    assert embedder is not None and faces.landmarks is not None and faces.embeddings is not None
    template = ARCFACE_112[None] * (embedder.crop_size / 112)
    transforms = similarity_transform(faces.landmarks[:1], template)
    [vector] = embedder.embed(cut(pixels, transforms, embedder.crop_size))
    return float(vector @ faces.embeddings[0] / np.linalg.norm(vector))


def blurred(pixels: UInt8, boxes: Float32, sigma_share: float) -> UInt8:
    """What others call anonymised: a blur of the same places."""
    out, (height, width) = pixels.copy(), pixels.shape[:2]
    for x1, y1, x2, y2 in clip(expand(boxes, 1.3), (width, height)).astype(int):
        part = out[y1:y2, x1:x2]
        out[y1:y2, x1:x2] = cv2.GaussianBlur(part, (0, 0), sigma_share * (x2 - x1))
    return out


def threshold() -> float:
    return measured_threshold(analyzer().embedder.model, 1e-3).value  # type: ignore[union-attr]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_nobody_masked_is_recognised(path: Path) -> None:
    """Behind a solid mask nothing is left to match, even aligned by the landmarks that the face had."""
    image, faces = sample(path)
    assert similarity(image.pixels, faces) > 0.95, "the measure sees the face where it is not masked"
    assert similarity(masked(image.pixels, faces.boxes), faces) < threshold() - 0.2


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_squares_tell_no_more_than_a_blank_patch(path: Path) -> None:
    """Pixelated, a face is no more like itself than a grey patch is, or well below the threshold."""
    image, faces = sample(path)
    grey = similarity(np.full_like(image.pixels, 128), faces)
    hidden = masked(image.pixels, faces.boxes, MaskSettings(Method.PIXELATE))
    assert similarity(hidden, faces) < max(threshold(), grey + 0.05)
    outcome = analyzer().analyze_one(Image(hidden, path.name))
    for face in outcome.faces:
        assert face.embedding is not None and faces.embeddings is not None
        assert float(face.embedding.vector @ faces.embeddings[0]) < threshold()


def test_a_blur_that_still_matches_is_seen() -> None:
    """The measure tells: a blur nobody would recognise a face in by eye leaves most samples above the
    threshold."""
    matched = 0
    for path in SAMPLES:
        image, faces = sample(path)
        matched += similarity(blurred(image.pixels, faces.boxes, 0.04), faces) >= threshold()
    assert matched >= len(SAMPLES) / 2


def test_another_detector_finds_no_masked_face() -> None:
    """Solid masks leave CenterFace nothing to find at the place of a face."""
    other = Analyzer("centerface", None, quality=False, workers=1)
    for path in SAMPLES[:3]:
        image, faces = sample(path)
        hidden = Image(masked(image.pixels, faces.boxes), path.name)
        [found] = other.detector.detect([hidden])
        for box in found.boxes:
            middle = (box[:2] + box[2:]) / 2
            inside = (faces.boxes[:, :2] <= middle).all(1) & (middle <= faces.boxes[:, 2:]).all(1)
            assert not inside.any(), path.name


def test_a_mask_is_longer_than_the_face_and_stays_in_the_picture() -> None:
    """Both sides by the share asked for, on whole pixels outwards; what is beside it is not touched."""
    assert mask_boxes(BOX, (100, 100), MaskSettings(dilate=0.5)).tolist() == [[10, 17, 70, 93]]
    assert mask_boxes(BOX, (65, 100), MaskSettings(dilate=0.5)).tolist() == [[10, 17, 65, 93]]
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    before = pixels.copy()
    for method in Method:
        out = masked(pixels, BOX, MaskSettings(method, dilate=0.5))
        assert (pixels == before).all()
        changed = np.argwhere((out != pixels).any(axis=2))
        assert changed.min(0).tolist() == [17, 10] and changed.max(0).tolist() == [92, 69]
    assert (masked(pixels, BOX)[40, 40] == COLOUR).all()


@pytest.mark.parametrize("side", [2, 3, 5, 8, 200])
def test_squares_are_few_and_never_single_pixels(side: int) -> None:
    """A face of a few pixels does not show through its own pixelation."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    whole = np.array([[0, 0, side, side]], np.float32)
    out = masked(pixels, whole, MaskSettings(Method.PIXELATE, dilate=0))
    assert len(np.unique(out.reshape(-1, 3), axis=0)) <= min(16, max(1, (side // 2) ** 2))


@pytest.mark.parametrize("wrong", [{"dilate": -0.1}, {"cells": 0}, {"hold_s": float("nan")}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    """By name, before any work."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        MaskSettings(**wrong)  # type: ignore[arg-type]


def test_samples_are_there() -> None:
    """The measures above are of six photos."""
    assert len(SAMPLES) == 6 and all(images.load(path) for path in SAMPLES[:1])
