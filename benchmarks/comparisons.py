"""All comparisons of many templates: time over that of the bare blocked matrix product, and peak memory.

    python -m benchmarks.comparisons [--templates 20000] [--dimension 512] [--rounds 3]

Random templates, four a subject, mated similarity about 0.6. Both sides run over the same upper-triangle
blocks with the same block size in the same process; rounds alternate, and the fastest of each side counts,
because other work on the machine only ever adds time. Thresholds for FMR 1e-1 to 1e-6, the histogram
and, in the second figure, the equal error rate and the intervals clustered by subject are part of the time.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from lineament.scoring import comparisons, equal_error, operating_points, similarity, thresholds

RATES = operating_points.TARGET_RATES


def templates(count: int, dimension: int, each: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    owner = np.arange(count) // each
    vectors = rng.standard_normal((count, dimension), np.float32)
    for start in range(0, count, each):
        vectors[start : start + each] *= np.float32(0.8)
        vectors[start : start + each] += rng.standard_normal(dimension, np.float32)
    return similarity.normalise(vectors), owner


def bare(vectors: np.ndarray, block: int) -> float:
    began = time.perf_counter()
    room = np.empty(block * block, np.float32)
    for top in range(0, len(vectors), block):
        rows = vectors[top : top + block]
        for left in range(top, len(vectors), block):
            columns = vectors[left : left + block]
            np.matmul(rows, columns.T, out=room[: len(rows) * len(columns)].reshape(len(rows), -1))
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--templates", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    vectors, owner = templates(args.templates, args.dimension)
    block = comparisons.BLOCK
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    for _ in range(args.rounds):
        times[0].append(bare(vectors, block))
        began = time.perf_counter()
        found = comparisons.compare(vectors, owner, RATES)
        times[1].append(time.perf_counter() - began)
        rates = [rate for rate in RATES if thresholds.supports(rate, found.total)]
        points = operating_points.from_comparisons(found, rates)
        rate, _ = equal_error.of_comparisons(found)
        times[2].append(time.perf_counter() - began)
    product, scored, reported = (min(side) for side in times)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{args.templates:,} templates x {args.dimension}, {found.total:,} non-mated comparisons")
    print(f"bare product {product:.2f} s, thresholds {scored:.2f} s, with rates {reported:.2f} s")
    print(f"ratio {scored / product:.2f}; with rates and intervals {reported / product:.2f}")
    print("rounds: " + ", ".join(f"{b:.2f}/{c:.2f}/{d:.2f}" for b, c, d in zip(*times, strict=True)))
    print(f"peak memory {peak:,.0f} MB, of which templates {vectors.nbytes / 2**20:,.0f} MB")
    for point in points:
        print(f"  FMR {point.target_rate:g}: threshold {point.threshold:.4f}, {point.fmr.errors:,} errors")
    print(f"  EER {rate}")


if __name__ == "__main__":
    main()
