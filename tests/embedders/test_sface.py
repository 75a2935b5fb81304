"""SFace keeps the embedder's contract, and its folded weights answer as the pinned file does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.embedders.sface import SFace, SFaceConfig
from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.crops import cut
from lineament.io import assets, catalog, images
from lineament.testing.embedder_contract import EmbedderContract, cosines, synthetic_crops
from lineament.types import Faces, Float32, Image, UInt8

SAMPLES = sorted(p for p in (Path(__file__).parents[2] / "samples").iterdir() if p.suffix != ".md")


class TestExact(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> SFace:
        return SFace()


class TestFast(EmbedderContract):
    # bfloat16 keeps 8 bits of mantissa.
    tolerance = 2e-2

    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> SFace:
        return SFace(SFaceConfig(precision="fast"))


@pytest.fixture(scope="module")
def faces() -> list[tuple[Image, Faces]]:
    found = []
    with Analyzer(embedder=None, quality=False) as analyzer:
        for path in SAMPLES:
            image = images.load(path)
            found.append((image, analyzer.analyze_one(image).faces))
    assert all(len(f) for _, f in found)
    return found


@pytest.fixture(scope="module")
def crops(faces: list[tuple[Image, Faces]]) -> UInt8:
    cuts = []
    for image, found in faces:
        assert found.landmarks is not None
        template = np.broadcast_to(ARCFACE_112, found.landmarks.shape)
        cuts.append(cut(image.pixels, similarity_transform(found.landmarks, template), 112))
    return np.concatenate([*cuts, synthetic_crops(4, 112)])


@pytest.fixture(scope="module")
def original() -> Iterator[object]:
    """The pinned file in onnxruntime, its weights still quantised, only its stale inputs removed."""
    import onnx
    import onnxruntime

    model = onnx.load(assets.fetch(catalog.card("sface")))
    kept = [i for i in model.graph.input if i.name == "data"]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    yield onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def test_folding_keeps_the_outputs(crops: UInt8, original: object) -> None:
    """Folded, batched and run by OpenVINO, every face embeds as in the pinned file: cosine >= 0.9999."""
    reference = reference_vectors(original, crops)
    ours = SFace(SFaceConfig(precision="exact")).embed(crops)
    assert cosines(ours, reference).min() >= 0.999999
    np.testing.assert_allclose(ours, reference, atol=2e-3 * np.abs(reference).max())


def test_balanced_keeps_the_embedding(crops: UInt8, original: object) -> None:
    """Whatever the processor, the balanced precision embeds as the pinned file does: cosine >= 0.9999."""
    ours = SFace(SFaceConfig(precision="balanced")).embed(crops)
    assert cosines(ours, reference_vectors(original, crops)).min() >= 0.9999


def test_fast_stays_near(crops: UInt8, original: object) -> None:
    """The fast precision is an approximation of the same embedding."""
    ours = SFace(SFaceConfig(precision="fast")).embed(crops)
    assert cosines(ours, reference_vectors(original, crops)).min() > 0.99


def test_agrees_with_opencv(faces: list[tuple[Image, Faces]]) -> None:
    """Alignment and embedding together equal OpenCV's FaceRecognizerSF on the same landmarks."""
    import cv2

    path = assets.fetch(catalog.card("sface"))
    recogniser = cv2.FaceRecognizerSF.create(str(path), "")
    embedder = SFace()
    for image, found in faces:
        assert found.landmarks is not None
        bgr = np.ascontiguousarray(image.pixels[..., ::-1])
        for face in found:
            assert face.landmarks is not None
            size = face.box[2:] - face.box[:2]
            row = np.concatenate([face.box[:2], size, face.landmarks.ravel(), [face.score]])
            theirs = recogniser.feature(recogniser.alignCrop(bgr, row[None].astype(np.float32)))
            transform = similarity_transform(face.landmarks[None], ARCFACE_112[None])
            ours = embedder.embed(cut(image.pixels, transform, 112))
            assert cosines(ours, theirs).min() >= 0.9999


def test_model_id_is_the_pinned_file() -> None:
    """Embeddings name the bytes everyone can check, not the folded copy."""
    card = catalog.card("sface")
    assert SFace().model == card.model_id


def reference_vectors(session: object, crops: UInt8) -> Float32:
    tensors = crops.transpose(0, 3, 1, 2).astype(np.float32)
    return np.concatenate([session.run(None, {"data": t[None]})[0] for t in tensors])  # type: ignore[attr-defined]
