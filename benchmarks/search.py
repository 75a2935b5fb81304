"""What a search of a gallery costs beside the matrix product it replaces.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python -m benchmarks.search --rows 1000000 --dimension 512

A SQLite gallery of random unit rows, ten hits a query. NumPy's float32 product, the index of bytes and the
exact index in float32 are timed in turn in one run, so that the ratios hold on a busy machine too: medians
of the ratios of one turn. How long it takes to open the gallery for its first answer, and the memory that
costs, are of a process of its own. ``--json -`` prints one object.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lineament.records import Bound, Changes, Record
from lineament.search.exact import ExactIndex
from lineament.search.kernels import kernel
from lineament.stores.gallery_store import SAMPLES, GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import MODEL, unit_vectors
from lineament.types import Float32

K = 10
BATCH = 64


def main(rows: int, dimension: int, turns: int, folder: Path, float32: bool) -> dict[str, Any]:
    """Every figure of one size."""
    vectors, queries = unit_vectors(rows, 0, dimension), unit_vectors(BATCH, 1, dimension)
    path = folder / "people.db"
    began = time.perf_counter()
    store = GalleryStore(SqliteLedger(path))
    store.commit(Changes(bind=Bound(MODEL, dimension)))
    for part in parts(vectors):
        store.commit(Changes(put=part))
    told: dict[str, Any] = {
        "rows": rows,
        "dimension": dimension,
        "kernel": kernel()[0],
        "enrolled_per_second": rows / (time.perf_counter() - began),
    }
    told |= opened(path)
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :K]
    found = [[int(hit.id, 16) for hit in hits] for hits in store.search(queries, K)]
    told["recall_at_10"] = float(np.mean([np.isin(a, b).mean() for a, b in zip(truth, found, strict=True)]))
    ways: dict[str, Callable[[Float32], object]] = {
        "product": lambda batch: vectors @ (batch[0] if len(batch) == 1 else batch.T),
        "bytes": lambda batch: store.search(batch, K),
    }
    if float32:
        exact = ExactIndex()
        with store.ledger.snapshot():
            exact.apply(store.ledger.changes_since(""))
        ways["float32"] = lambda batch: exact.search(batch, K, SAMPLES)
    for name, batch in (("one_query", queries[:1]), ("batch64", queries)):
        taken = [{way: clock(call, batch) for way, call in ways.items()} for _ in range(turns)]
        told[f"{name}_ms"] = statistics.median(turn["bytes"] for turn in taken)
        for way in list(ways)[1:]:
            end = "over_product" if way == "bytes" else f"{way}_over_product"
            told[f"{name}_{end}"] = statistics.median(turn[way] / turn["product"] for turn in taken)
    store.close()
    return told


def opened(path: Path) -> dict[str, float]:
    """Seconds to the first answer of a process that opens the gallery, and the memory that took."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.search", "--open", str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, float] = json.loads(run.stdout)
    return answer


def first_answer(path: Path) -> None:
    """Open, search once, and tell what it took."""
    before = resident()
    began = time.perf_counter()
    store = GalleryStore(SqliteLedger(path, create=False))
    bound = store.bound()
    assert bound is not None
    store.search(unit_vectors(1, 1, bound.dimension), K)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {"open_seconds": seconds, "megabytes": resident() - before, "peak_megabytes": peak - before}
        )
    )


def resident() -> float:
    """Megabytes of this process that lie in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def parts(vectors: Float32) -> Iterator[list[Record]]:
    """Records of all vectors, so many as one commit takes at a time."""
    for start in range(0, len(vectors), 10_000):
        rows = vectors[start : start + 10_000]
        yield [
            Record(f"{start + i:012x}", f"subject {(start + i) // 2}", row) for i, row in enumerate(rows)
        ]


def clock(call: Callable[[Float32], object], batch: Float32) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call(batch)
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--float32", action="store_true", help="Time the exact index in float32, too.")
    parser.add_argument("--json", metavar="PATH|-", help="One object, there or on stdout.")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open is not None:
        first_answer(options.open)
        sys.exit()
    with tempfile.TemporaryDirectory() as name:
        answer = main(options.rows, options.dimension, options.turns, Path(name), options.float32)
    if options.json and options.json != "-":
        Path(options.json).write_text(json.dumps(answer) + "\n", encoding="utf-8")
    elif options.json:
        print(json.dumps(answer))
    else:
        for key, value in answer.items():
            print(f"{key:>32}  {value if isinstance(value, str | int) else format(value, '.3f')}")
