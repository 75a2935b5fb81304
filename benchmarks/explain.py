"""Do the maps of `lineament explain match` show what the similarity rests on, and what do they cost?

    python -m benchmarks.explain --data DIR [--pairs 20] [--stride 11]

DIR holds ``images/`` and ``pairs.csv`` (LFW). Of mated pairs the tenth of the first face that its map calls
most important is hidden behind the mean colour, then the least important tenth, then random squares of the
same area. If the map is right the first hurts the most.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from lineament import registry
from lineament.errors import FaceError, PictureError
from lineament.explain.crops import aligned
from lineament.explain.match import occlude
from lineament.scoring.similarity import normalise
from lineament.types import Float32, UInt8

SHARE, DRAWS = 0.1, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--stride", type=int, default=11)
    args = parser.parse_args()
    with (args.data / "pairs.csv").open(encoding="utf-8", newline="") as file:
        mated = [row for row in csv.DictReader(file) if row["same"] == "1"]
    chosen = [mated[i * len(mated) // args.pairs] for i in range(args.pairs)]
    embedder = registry.embedders.create("sface")
    detector = registry.detectors.create("yunet")
    rng = np.random.default_rng(0)
    falls: dict[str, list[float]] = {"most important": [], "least important": [], "random squares": []}
    seconds, failures = [], 0
    for pair in chosen:
        try:
            a, b = (
                aligned(str(args.data / "images" / pair[key]), 112, detector=detector)
                for key in ("image1", "image2")
            )
        except (FaceError, PictureError):
            failures += 1
            continue
        began = time.process_time()
        found = occlude(embedder, a, b, stride=args.stride)
        seconds.append(time.process_time() - began)
        other = normalise(embedder.embed(b[None]))[0]

        def fall(
            mask: np.ndarray, a: UInt8 = a, other: Float32 = other, whole: float = found.similarity
        ) -> float:
            hidden = a.copy()
            hidden[mask] = a.reshape(-1, 3).mean(axis=0).round()
            return whole - float(normalise(embedder.embed(hidden[None]))[0] @ other)

        order = np.argsort(-found.first, axis=None, kind="stable")
        count = round(SHARE * order.size)
        for name, picked in (("most important", order[:count]), ("least important", order[-count:])):
            mask = np.zeros(order.size, bool)
            mask[picked] = True
            falls[name].append(fall(mask.reshape(112, 112)))
        side = round(np.sqrt(count))
        drawn = []
        for _ in range(DRAWS):
            y, x = rng.integers(0, 112 - side, 2)
            square = np.zeros((112, 112), bool)
            square[y : y + side, x : x + side] = True
            drawn.append(fall(square))
        falls["random squares"].append(float(np.mean(drawn)))
    n = len(seconds)
    print(f"SFace, {n} mated pairs ({failures} without a face), patch 22, stride {args.stride}")
    print(f"{np.median(seconds):.1f} processor seconds a pair for both maps\n")
    print("| a tenth of the face hidden | fall of the similarity, mean | standard error | pairs |")
    print("|---|---|---|---|")
    for name, values in falls.items():
        error = np.std(values, ddof=1) / np.sqrt(n)
        print(f"| {name} | {np.mean(values):.3f} | {error:.3f} | {n} |")
    first, other = (np.array(falls[name]) for name in ("most important", "random squares"))
    print(f"\nmost important above random squares in {int((first > other).sum())} of {n} pairs")


if __name__ == "__main__":
    main()
