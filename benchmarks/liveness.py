"""A score table for ``lineament evaluate liveness`` from a score so simple that nobody should use it.

    python -m benchmarks.liveness --data DIR --out scores.csv

DIR has the folders ``real`` and ``fake``: crops of one person, genuine and replayed from a screen. The
score is how much fine detail the face's box holds, under the box as found and eight around it. It is there
to run the command on real pictures; one person and one kind of replay say nothing of any other.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer
from lineament.evaluation.liveness import score_folders
from lineament.types import Float64, Image

KINDS = {"real": "bona_fide/person", "fake": "replay/person"}


def detail(image: Image, boxes: Float64) -> Float64:
    """Mean difference of neighbouring pixels within each box, ``(J,)``: screens blur."""
    grey = image.pixels.mean(axis=2)
    found = []
    for x1, y1, x2, y2 in boxes.round().astype(int):
        patch = grey[max(y1, 0) : max(y2, 1), max(x1, 0) : max(x2, 2)]
        found.append(np.abs(np.diff(patch, axis=1)).mean())
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder, kind in KINDS.items():
            (root / kind).parent.mkdir()
            (root / kind).symlink_to((args.data / folder).resolve(), target_is_directory=True)
        with Analyzer("yunet", None, quality=False, keep_images=True) as analyzer:
            scored = score_folders(root, detail, analyzer)
    assert scored.jittered is not None
    with args.out.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", "subject", "kind", "score", "jitter"))
        for row, kind in enumerate(scored.presentations.kinds):
            for box, score in enumerate(scored.jittered[row]):
                told = "" if np.isneginf(score) else f"{score:.4f}"
                table.writerow((f"{row}", "person", kind, told, f"{box}" if box else ""))
    print(f"{len(scored.images)} pictures, {len(scored.failures)} without a face; wrote {args.out.name}")


if __name__ == "__main__":
    main()
