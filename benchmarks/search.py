"""What a search of a gallery costs beside the matrix product it is made of, now and before.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python benchmarks/search.py

Product, search and the way before are timed in turn in one run, so that the ratios hold on a busy machine
too; shown is the shortest time of each, and the median of the ratios of one turn. Vectors are random unit
rows of 128 numbers in a SQLite gallery, five hits a query.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lineament.records import Bound, Changes, Record
from lineament.search.exact import require_queries, similarities
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import MODEL, unit_vectors
from lineament.types import Float32

DIMENSION = 128
K = 5


def main(sizes: list[int], batches: list[int], turns: int) -> None:
    """Print a line for each number of records and of queries."""
    print("  records  queries    product     search     before   search/product   before/product")
    for size in sizes:
        vectors, queries = unit_vectors(size, 0, DIMENSION), unit_vectors(max(batches), 1, DIMENSION)
        with tempfile.TemporaryDirectory() as folder:
            store = GalleryStore(SqliteLedger(Path(folder) / "people.db"))
            store.commit(Changes(bind=Bound(MODEL, DIMENSION)))
            for part in parts(vectors):
                store.commit(Changes(put=part))
            for batch in batches:
                compare(store, vectors, queries[:batch], turns)
            store.close()


def compare(store: GalleryStore, vectors: Float32, queries: Float32, turns: int) -> None:
    """Print the line of one store and so many queries, after seeing that both ways agree."""
    found = [[(int(hit.id, 16), hit.similarity) for hit in hits] for hits in store.search(queries, K)]
    assert found == before(vectors, queries, K)
    calls: list[Callable[[], object]] = [
        lambda: vectors @ queries.T,
        lambda: store.search(queries, K),
        lambda: before(vectors, queries, K),
    ]
    taken = [[clock(call) for call in calls] for _ in range(turns)]
    product, search, old = (min(times) for times in zip(*taken, strict=True))
    now, then = (statistics.median(times[i] / times[0] for times in taken) for i in (1, 2))
    print(
        f"{len(vectors):>9,}{len(queries):>9}{product:>8.1f} ms{search:>8.1f} ms{old:>8.1f} ms"
        f"{now:>17.2f}{then:>17.2f}",
        flush=True,
    )


def parts(vectors: Float32) -> Iterator[list[Record]]:
    """Records of all vectors, so many as one commit takes at a time."""
    for start in range(0, len(vectors), 10_000):
        rows = vectors[start : start + 10_000]
        yield [
            Record(f"{start + i:012x}", f"subject {(start + i) // 2}", row) for i, row in enumerate(rows)
        ]


def clock(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def before(rows: Float32, queries: Float32, k: int) -> list[list[tuple[int, float]]]:
    """Rows in small blocks, each compared with a bar number by number; ids are the rows' numbers."""
    found = []
    for start in range(0, len(queries), 256):
        block = require_queries(queries[start : start + 256], DIMENSION, k)
        for query, kept in zip(block, leaders(rows, block, k), strict=True):
            exact = similarities(rows[kept], query)
            found.append(
                sorted(zip(kept.tolist(), exact.tolist(), strict=True), key=lambda h: (-h[1], h[0]))[:k]
            )
    return found


def leaders(rows: Float32, queries: Float32, k: int) -> list[np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Every row that may be among the k nearest."""
    kept = [np.empty(0, np.intp) for _ in queries]
    scores = [np.empty(0, np.float32) for _ in queries]
    for start in range(0, len(rows), 16384):
        block = queries @ rows[start : start + 16384].T
        for i, row in enumerate(block):
            near = np.flatnonzero(row >= bar(row if len(scores[i]) < k else scores[i], k))
            kept[i] = np.concatenate([kept[i], near + start])
            scores[i] = np.concatenate([scores[i], row[near]])
            if len(scores[i]) > k:
                keep = scores[i] >= bar(scores[i], k)
                kept[i], scores[i] = kept[i][keep], scores[i][keep]
    return kept


def bar(scores: Float32, k: int) -> np.float32:
    """The k-th best score, less a margin."""
    if len(scores) < k:
        return np.float32(-np.inf)
    return np.float32(np.partition(scores, len(scores) - k)[len(scores) - k] - np.float32(1e-5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    main(options.records, options.queries, options.turns)
