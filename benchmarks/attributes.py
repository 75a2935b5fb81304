"""How wrong age and gender are, on faces with labels.

    python benchmarks/attributes.py --data DIR

DIR holds ``images/`` and ``labels.csv`` with the columns image, age, gender and race (UTKFace). The face
nearest the centre is the labelled one. Pictures without a face are counted, never left out silently.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer, central_face
from lineament.types import Status

BANDS = ((0, 4), (5, 12), (13, 17), (18, 29), (30, 44), (45, 59), (60, 80), (81, 120))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()

    with (args.data / "labels.csv").open(encoding="utf-8", newline="") as file:
        labels = list(csv.DictReader(file))
    paths = [args.data / "images" / row["image"] for row in labels]
    rows: list[tuple[float, float, bool, str]] = []
    missed = 0
    with Analyzer(embedder=None, quality=False, attributes=("age", "gender")) as analyzer:
        for label, outcome in zip(labels, analyzer.analyze(paths), strict=True):
            if outcome.status is not Status.OK:
                missed += 1
                continue
            guess = central_face(outcome).attributes
            right = guess["gender"] == label["gender"]
            rows.append(
                (float(label["age"]), float(guess["age"]), right, f"{label['race']} {label['gender']}")
            )
    ages, guesses, right = (np.array([row[i] for row in rows]) for i in range(3))
    groups = np.array([row[3] for row in rows])
    print(f"{len(rows)} faces; {missed} pictures without a face are not in the table\n")
    print("| faces | n | age: mean error in years | age: bias | gender right |\n|---|---|---|---|---|")
    cuts = {"all": np.ones(len(rows), bool)}
    cuts |= {f"{low} to {high} years": (ages >= low) & (ages <= high) for low, high in BANDS}
    cuts |= {f"{group}, 18 and older": (groups == group) & (ages >= 18) for group in sorted(set(groups))}
    for name, chosen in cuts.items():
        if chosen.any():
            off = guesses[chosen] - ages[chosen]
            print(
                f"| {name} | {chosen.sum()} | {np.abs(off).mean():.1f} | {off.mean():+.1f} "
                f"| {100 * right[chosen].mean():.1f} % |"
            )


if __name__ == "__main__":
    main()
