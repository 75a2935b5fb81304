"""The second embedder and the two as one: the contract, the network's crop, the shares of a cosine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lineament.analyzer import Analyzer, central_face
from lineament.embedders.combined import Combined, CombinedConfig
from lineament.embedders.reidentification0095 import Reidentification0095, Reidentification0095Config
from lineament.embedders.sface import SFace, SFaceConfig
from lineament.errors import ModelMismatch
from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.crops import cut
from lineament.io import assets, catalog, images
from lineament.io.openvino import core
from lineament.testing.embedder_contract import EmbedderContract, cosines, synthetic_crops
from lineament.types import Float32, UInt8
from weights import pinned_or_skip

SAMPLES = sorted(p for p in (Path(__file__).parents[2] / "samples").iterdir() if p.suffix != ".md")


@pytest.fixture(scope="module", autouse=True)
def _weights() -> None:
    pinned_or_skip("reidentification0095")


class TestSecond(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Reidentification0095:
        return Reidentification0095(Reidentification0095Config(precision="exact"))


class TestCombined(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Combined:
        return Combined(CombinedConfig(precision="exact"))


@pytest.fixture(scope="module")
def aligned() -> Iterator[tuple[UInt8, UInt8]]:
    """The samples' faces as ArcFace crops, and as the network's own crops cut out of the pictures."""
    published = [(0.31557, 0.46157), (0.68262, 0.46157), (0.50026, 0.64051), (0.34947, 0.82469)]
    template = np.array([*published, (0.65344, 0.82469)], np.float32) * 128
    ours, theirs = [], []
    with Analyzer("yunet", None, quality=False) as analyzer:
        for path in SAMPLES:
            points = central_face(analyzer.analyze_one(path)).landmarks
            assert points is not None
            pixels = images.load(path).pixels
            ours.append(cut(pixels, similarity_transform(points[None], ARCFACE_112[None]), 112))
            theirs.append(cut(pixels, similarity_transform(points[None], template[None]), 128))
    yield np.concatenate(ours), np.concatenate(theirs)


def test_the_second_answers_as_its_page_says(aligned: tuple[UInt8, UInt8]) -> None:
    """Cut out of the ArcFace crop, faces embed as cut out of the picture by the published template."""
    crops, published = aligned
    card = catalog.card("reidentification0095")
    path, graph = (assets.fetch(file) for file in card.files)
    network = core().compile_model(
        core().read_model(graph, path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    bgr = published[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    expected = np.concatenate([network(one[None])[0].reshape(1, -1) for one in bgr])
    found = Reidentification0095(Reidentification0095Config("exact")).embed(crops)
    assert cosines(found, expected).min() > 0.98


def test_a_cosine_is_the_two_by_their_shares(aligned: tuple[UInt8, UInt8]) -> None:
    """0.6 of SFace's and 0.4 of the other's, and the length is SFace's own."""
    crops, _ = aligned
    first = SFace(SFaceConfig("exact")).embed(crops)
    second = Reidentification0095(Reidentification0095Config("exact")).embed(crops)
    both = Combined(CombinedConfig("exact")).embed(crops)
    expected = 0.6 * _cosines(first) + 0.4 * _cosines(second)
    np.testing.assert_allclose(_cosines(both), expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), np.linalg.norm(first, axis=1), rtol=1e-5)


def test_balanced_keeps_the_embeddings() -> None:
    """Whatever the processor, the balanced precision embeds as float32 does: cosine >= 0.999."""
    crops = synthetic_crops(4, 112)
    exact = Combined(CombinedConfig("exact")).embed(crops)
    assert cosines(Combined(CombinedConfig("balanced")).embed(crops), exact).min() >= 0.999


def test_the_models_are_told_apart() -> None:
    """No vector of one is compared with one of another."""
    ids = {embedder.model for embedder in (SFace(), Reidentification0095(), Combined())}
    assert len(ids) == 3
    with pytest.raises(ModelMismatch):
        SFace().model.require(Combined().model)


def _cosines(vectors: Float32) -> Float32:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(units @ units.T, np.float32)
