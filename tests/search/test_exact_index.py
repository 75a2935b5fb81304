"""The exact index gives what a plain sort gives, over any size of blocks."""

from __future__ import annotations

import random

import numpy as np
import pytest

from lineament.search import exact
from lineament.search.exact import ExactIndex, Rows
from lineament.testing.index_contract import IndexContract
from lineament.testing.made_up_records import unit_vectors
from lineament.types import Float32


class TestExact(IndexContract):
    @pytest.fixture
    def index(self) -> ExactIndex:
        return ExactIndex()


def plain_sort(ids: list[str], rows: Float32, query: Float32, k: int) -> list[tuple[str, float]]:
    scores = [sum(float(a) * float(b) for a, b in zip(row, query, strict=True)) for row in rows]
    return sorted(zip(ids, scores, strict=True), key=lambda hit: (-hit[1], hit[0]))[:k]


@pytest.mark.parametrize("stride", [1, 3, 16, 256])
@pytest.mark.parametrize("blocks", [(1, 1), (2, 7), (4, 64), (32, 32768)])
@pytest.mark.parametrize("k", [1, 5, 99, 200])
def test_equals_plain_sort(
    monkeypatch: pytest.MonkeyPatch, blocks: tuple[int, int], k: int, stride: int
) -> None:
    """Blocks and strides of any size, and k above the number of rows, change nothing."""
    monkeypatch.setattr(exact, "_QUERY_BLOCK", blocks[0])
    monkeypatch.setattr(exact, "_ROW_BLOCK", blocks[1])
    monkeypatch.setattr(exact, "_STRIDE", stride)
    ids = [f"{i:03d}" for i in range(100)]
    rows = unit_vectors(100, 1)
    queries = unit_vectors(5, 2)
    index = Rows(rows.shape[1])
    index.put(ids, ids, rows)
    for query, hits in zip(queries, index.search(queries, k), strict=True):
        want = plain_sort(ids, rows, query, k)
        assert [hit.id for hit in hits] == [id_ for id_, _ in want]
        assert [hit.similarity for hit in hits] == pytest.approx([score for _, score in want], abs=1e-7)


@pytest.mark.parametrize("stride", [1, 5, 256])
@pytest.mark.parametrize("row_block", [1, 3, 64])
def test_ties_across_blocks(monkeypatch: pytest.MonkeyPatch, row_block: int, stride: int) -> None:
    """Equal vectors tie exactly and go by id, wherever the blocks part them."""
    monkeypatch.setattr(exact, "_ROW_BLOCK", row_block)
    monkeypatch.setattr(exact, "_STRIDE", stride)
    ids = [f"{i:03d}" for i in range(40)]
    random.Random(3).shuffle(ids)
    index = Rows(8)
    index.put(ids, ids, np.repeat(unit_vectors(1, 5), 40, axis=0))
    hits = index.search(unit_vectors(2, 6), 7)
    for found in hits:
        assert [hit.id for hit in found] == sorted(ids)[:7]
        assert len({hit.similarity for hit in found}) == 1


def test_rows_that_differ_below_float32_keep_their_order() -> None:
    """Leaders are ranked in float64, so nearly equal rows come in their true order."""
    base = unit_vectors(1, 9, 128)[0]
    step = np.zeros(128, np.float32)
    step[0] = np.spacing(base[0])
    rows = np.stack([base + i * step for i in range(20)]).astype(np.float32)
    query = unit_vectors(1, 10, 128)[0]
    index = Rows(128)
    ids = [f"{i:02d}" for i in range(20)]
    index.put(ids, ids, rows)
    got = [hit.id for hit in index.search(query[None], 20)[0]]
    rising = float(query[0]) * float(step[0]) > 0
    assert got == sorted(got, reverse=rising)


def test_put_and_discard_like_a_dictionary() -> None:
    """Any mixture of writes, replacements and removals leaves what a dictionary would hold."""
    rng = random.Random(4)
    index = Rows(8)
    model: dict[str, Float32] = {}
    for _ in range(500):
        id_ = f"{rng.randrange(30):02d}"
        if rng.random() < 0.6:
            vector = unit_vectors(1, rng.randrange(1000))
            index.put([id_], [id_], vector)
            model[id_] = vector[0]
        else:
            index.discard([id_])
            model.pop(id_, None)
        assert len(index) == len(model)
    query = unit_vectors(1, 5)[0]
    ids = sorted(model)
    want = plain_sort(ids, np.stack([model[i] for i in ids]), query, 99)
    assert [hit.id for hit in index.search(query[None], 99)[0]] == [i for i, _ in want]


def test_discarded_rows_leave_memory() -> None:
    """A removed vector is not kept in the index's memory."""
    index = Rows(8)
    rows = unit_vectors(3, 11)
    index.put(["a", "b", "c"], ["s", "t", "u"], rows)
    index.discard(["a"])
    held = index._matrix.tobytes()
    assert rows[0].tobytes() not in held
    assert rows[1].tobytes() in held


@pytest.mark.parametrize("queries", [1, 7, 64])
@pytest.mark.parametrize("count", [1, 255, 256, 257, 5000])
def test_many_rows_as_they_are_searched(queries: int, count: int) -> None:
    """With nothing set for a test, one query and several find what a plain sort finds."""
    rows, ids = unit_vectors(count, 21, 16), [f"{i:05d}" for i in range(count)]
    rows[count // 2 :] = rows[: count - count // 2]  # every row twice
    index = Rows(16)
    index.put(ids, ids, rows)
    asked = unit_vectors(queries, 22, 16)
    scores = asked.astype(np.float64) @ rows.astype(np.float64).T
    for hits, row in zip(index.search(asked, 6), scores, strict=True):
        best = sorted(zip((-row).round(12).tolist(), ids, strict=True))[:6]
        assert [hit.id for hit in hits] == [id_ for _, id_ in best]
