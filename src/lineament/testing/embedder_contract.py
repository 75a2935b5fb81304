"""What every embedder must do, as tests: subclass `EmbedderContract` and provide the fixture ``embedder``.

class TestMine(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Embedder:
        return Mine()
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lineament.errors import InvalidArray
from lineament.protocols import Embedder
from lineament.types import Float32, ModelId, UInt8


def synthetic_crops(count: int, size: int, seed: int = 0) -> UInt8:
    """Different smooth RGB pictures ``(N, size, size, 3)``, so that no two embeddings are equal."""
    rng = np.random.default_rng(seed)
    grid = np.mgrid[0:size, 0:size] / size
    waves = rng.uniform(1, 6, (count, 3, 2)) @ grid.reshape(2, -1)
    values = 127.5 + 100 * np.sin(2 * np.pi * (waves + rng.uniform(0, 1, (count, 3, 1))))
    return np.ascontiguousarray(values.reshape(count, 3, size, size).transpose(0, 2, 3, 1)).astype(np.uint8)


class EmbedderContract:
    """The contract of `lineament.protocols.Embedder`."""

    tolerance = 1e-4
    """Least cosine distance allowed between answers to the same crop in different batches."""

    @pytest.fixture(scope="class")
    @classmethod
    def crops(cls, embedder: Embedder) -> UInt8:
        """Five crops of the size the embedder takes."""
        return synthetic_crops(5, embedder.crop_size)

    def test_satisfies_protocol(self, embedder: Embedder) -> None:
        """It has the methods and names of the seam, and an id that tells its weights apart."""
        assert isinstance(embedder, Embedder)
        assert isinstance(embedder.model, ModelId)
        assert len(embedder.model.sha256) == 64

    def test_shape_and_dtype(self, embedder: Embedder, crops: UInt8) -> None:
        """N crops give finite float32 ``(N, D)``."""
        vectors = embedder.embed(crops)
        assert vectors.shape == (len(crops), embedder.dimension)
        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()

    def test_empty_batch(self, embedder: Embedder, crops: UInt8) -> None:
        """No crops give no vectors, of the right width."""
        vectors = embedder.embed(crops[:0])
        assert vectors.shape == (0, embedder.dimension)
        assert vectors.dtype == np.float32

    def test_batch_equals_singles(self, embedder: Embedder, crops: UInt8) -> None:
        """What else is in the batch does not matter, in direction or length."""
        many = np.tile(crops, (8, 1, 1, 1))
        batch = embedder.embed(many)
        singles = np.tile(np.concatenate([embedder.embed(crop[None]) for crop in crops]), (8, 1))
        assert (cosines(batch, singles) > 1 - self.tolerance).all()
        np.testing.assert_allclose(
            np.linalg.norm(batch, axis=1), np.linalg.norm(singles, axis=1), rtol=10 * self.tolerance
        )

    def test_deterministic(self, embedder: Embedder, crops: UInt8) -> None:
        """The same call gives the same bits."""
        np.testing.assert_array_equal(embedder.embed(crops), embedder.embed(crops))

    def test_answers_are_kept(self, embedder: Embedder, crops: UInt8) -> None:
        """A later call does not write into an earlier answer."""
        first = embedder.embed(crops)
        copy = first.copy()
        embedder.embed(crops[::-1].copy())
        np.testing.assert_array_equal(first, copy)

    def test_input_is_left_alone(self, embedder: Embedder, crops: UInt8) -> None:
        """The crops are only read; read-only and strided arrays will do."""
        backwards = crops[::-1]
        expected = embedder.embed(np.ascontiguousarray(backwards))
        copy = crops.copy()
        copy.setflags(write=False)
        np.testing.assert_array_equal(embedder.embed(copy[::-1]), expected)
        np.testing.assert_array_equal(copy, crops)

    def test_tells_crops_apart(self, embedder: Embedder, crops: UInt8) -> None:
        """Different crops give different vectors, in the order of the crops."""
        vectors = embedder.embed(crops)
        assert (cosines(vectors[1:], vectors[:-1]) < 0.999).all()
        np.testing.assert_allclose(embedder.embed(crops[::-1].copy())[::-1], vectors, rtol=1e-3, atol=1e-3)

    def test_threads(self, embedder: Embedder, crops: UInt8) -> None:
        """Calls from several threads at once give what one thread gets."""
        alone = [embedder.embed(crop[None]) for crop in crops]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda i: embedder.embed(crops[i % 5][None]), range(40)))
        for i, vectors in enumerate(together):
            np.testing.assert_array_equal(vectors, alone[i % 5])

    @pytest.mark.parametrize("fault", ["floats", "one crop", "grey", "too small", "bgra", "transposed"])
    def test_wrong_input_is_named(self, embedder: Embedder, crops: UInt8, fault: str) -> None:
        """Another type or shape is refused by name, before the network sees it."""
        wrong = {
            "floats": crops.astype(np.float32),
            "one crop": crops[0],
            "grey": crops[..., 0],
            "too small": crops[:, :-1, :-1],
            "bgra": np.concatenate([crops, crops[..., :1]], axis=3),
            "transposed": crops.transpose(0, 3, 1, 2),
        }[fault]
        with pytest.raises(InvalidArray):
            embedder.embed(wrong)


def cosines(a: Float32, b: Float32) -> Float32:
    """Row by row cosine of ``(N, D)`` with ``(N, D)``."""
    return np.asarray(
        (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)), np.float32
    )
