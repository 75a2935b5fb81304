"""YuNet answers as OpenCV's own implementation does with the same weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.detectors.yunet import YuNet, YuNetConfig
from lineament.errors import ConfigError
from lineament.io import assets, catalog, images
from lineament.registry import detectors
from lineament.types import Float32, Image, UInt8

SAMPLES = sorted(p for p in (Path(__file__).parents[2] / "samples").iterdir() if p.suffix != ".md")


def opencv(pixels: UInt8, score: float, weights: str = "") -> Float32:
    """OpenCV's rows ``(N, 15)``: x, y, w, h, ten point coordinates, score."""
    h, w = pixels.shape[:2]
    weights = weights or str(assets.fetch(catalog.card("yunet")))
    _, rows = cv2.FaceDetectorYN.create(weights, "", (w, h), score, 0.3, 5000).detect(
        np.ascontiguousarray(pixels[..., ::-1])
    )
    found = np.zeros((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)
    return found[np.argsort(-found[:, 14], kind="stable")]


def crowd() -> UInt8:
    """Every sample at several sizes in one picture, so that there are many faces and near misses."""
    canvas = np.full((1100, 1500, 3), 90, np.uint8)
    x = 0
    for i, path in enumerate(SAMPLES):
        pixels = images.load(path).pixels
        y = 0
        for height in (480, 260, 150, 90, 50):
            factor = height / pixels.shape[0]
            small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            part = canvas[y : y + small.shape[0], x : x + small.shape[1]]
            part[:] = small[: part.shape[0], : part.shape[1]]
            y += small.shape[0] + 7
        x += 251 - i
    return canvas


PICTURES = {path.stem: path for path in SAMPLES}


@pytest.mark.parametrize("name", [*PICTURES, "crowd"])
@pytest.mark.parametrize("score", [0.6, 0.1])
def test_equals_opencv(name: str, score: float) -> None:
    """In one native view the faces, boxes, points and scores are OpenCV's, near misses included."""
    pixels = crowd() if name == "crowd" else images.load(PICTURES[name]).pixels
    wanted = opencv(pixels, score)
    assert len(wanted) > (8 if name == "crowd" else 0)
    # No face of the samples is so large that the shrunk view could answer: it is asked for sure faces only.
    detector = YuNet(YuNetConfig(score=score, long_side=4096, large_score=0.99))
    got = detector.detect([Image(pixels)])[0]
    assert len(got) == len(wanted)
    np.testing.assert_allclose(got.boxes[:, :2], wanted[:, :2], atol=1e-2)
    np.testing.assert_allclose(got.boxes[:, 2:] - got.boxes[:, :2], wanted[:, 2:4], atol=1e-2)
    assert got.landmarks is not None
    np.testing.assert_allclose(got.landmarks.reshape(-1, 10), wanted[:, 4:14], atol=1e-2)
    np.testing.assert_allclose(got.scores, wanted[:, 14], atol=1e-3)


def test_default_settings_equal_opencv_on_samples() -> None:
    """With tiles and the shrunk view on, the best face of every sample is still OpenCV's."""
    detector = detectors.create("yunet")
    for path in SAMPLES:
        image = images.load(path)
        found = detector.detect([image])[0]
        wanted = opencv(image.pixels, 0.6)
        assert found.landmarks is not None
        np.testing.assert_allclose(found.landmarks[0].ravel(), wanted[0, 4:14], atol=0.1)


def test_bfloat16_leaves_the_points_in_place() -> None:
    """The fast precision finds the same faces, its points within a hundredth of their size."""
    exact, fast = detectors.create("yunet"), detectors.create("yunet:precision=fast")
    for path in SAMPLES:
        image = images.load(path)
        wanted, got = exact.detect([image])[0], fast.detect([image])[0]
        assert len(got) == len(wanted) and got.landmarks is not None and wanted.landmarks is not None
        size = (wanted.boxes[:, 2:] - wanted.boxes[:, :2]).max(axis=1)
        shift = np.abs(got.landmarks - wanted.landmarks).max(axis=(1, 2)) / size
        assert shift.max() < 0.01, (path.name, shift)
        np.testing.assert_allclose(got.scores, wanted.scores, atol=0.02)


def test_onnxruntime_agrees() -> None:
    """The edited graph means the same to both runtimes."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from lineament.io.onnx import open_session

    detector = YuNet()
    image = images.load(SAMPLES[1])
    first = detector.detect([image])[0]
    folder = assets.cached_path(catalog.card("yunet")).parent
    (edited,) = folder.glob(f"{assets.cached_path(catalog.card('yunet')).stem}.rgb8-joined-1.*.onnx")
    detector._session = open_session(edited, runtime="onnxruntime")
    second = detector.detect([image])[0]
    np.testing.assert_allclose(first.boxes, second.boxes, atol=1e-2)
    np.testing.assert_allclose(first.scores, second.scores, atol=1e-4)


@pytest.mark.parametrize(
    "spec", ["yunet:score=0", "yunet:nms=2", "yunet:overlap=2000", "yunet:batch=0", "yunet:scor=0.5"]
)
def test_impossible_settings_are_refused(spec: str) -> None:
    """A setting out of range or misspelt is a named error, not a detector that finds nothing."""
    with pytest.raises(ConfigError):
        detectors.create(spec)
