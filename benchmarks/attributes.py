"""How wrong age and gender are, on faces with labels, by age and by group.

    python -m benchmarks.attributes --data DIR

DIR holds ``images/`` and ``labels.csv`` with the columns image, age, gender and race (UTKFace). The face
nearest the centre is the labelled one. Pictures without a face are counted, never left out silently.
Intervals are 95 %; where labels name no subjects each picture is taken for another person.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer, central_face
from lineament.datasets.opening import open_dataset
from lineament.scoring import numbers, proportions
from lineament.types import Status

BANDS = ((0, 4), (5, 12), (13, 17), (18, 29), (30, 44), (45, 59), (60, 80), (81, 120))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()

    manifest = open_dataset(args.data / "labels.csv")
    labelled = [row for row in manifest if row.outcome == "ok"]
    rows: list[tuple[float, float, bool, str, str]] = []
    missed = 0
    with Analyzer(embedder=None, quality=False, attributes=("age", "gender")) as analyzer:
        outcomes = analyzer.analyze([str(manifest.file(row)) for row in labelled])
        for row, outcome in zip(labelled, outcomes, strict=True):
            if outcome.status is not Status.OK:
                missed += 1
                continue
            guess = central_face(outcome).attributes
            right = guess["gender"] == row.labels["gender"]
            group = f"{row.labels['race']} {row.labels['gender']}"
            age, said = float(row.labels["age"]), float(guess["age"])
            rows.append((age, said, right, group, row.subject or row.path))
    ages, guesses, right, groups, whose = (np.array([row[i] for row in rows]) for i in range(5))
    print(f"{len(rows)} faces; {missed} pictures without a face are not in the table\n")
    print("| faces | n | age: mean error in years | age: bias | gender right |\n|---|---|---|---|---|")
    cuts = {"all": np.ones(len(rows), bool)}
    cuts |= {f"{low} to {high} years": (ages >= low) & (ages <= high) for low, high in BANDS}
    cuts |= {f"{group}, 18 and older": (groups == group) & (ages >= 18) for group in sorted(set(groups))}
    for name, chosen in cuts.items():
        if chosen.any():
            off = numbers.errors(ages[chosen], guesses[chosen], whose[chosen])
            error, bias = off.mean_absolute_error, off.bias
            gender = proportions.of_flags(right[chosen], whose[chosen])
            print(
                f"| {name} | {chosen.sum()} | {error.value:.1f} ({error.low:.1f} to {error.high:.1f}) "
                f"| {bias.value:+.1f} ({bias.low:+.1f} to {bias.high:+.1f}) "
                f"| {100 * gender.value:.1f} % ({100 * gender.low:.1f} to {100 * gender.high:.1f}) |"
            )


if __name__ == "__main__":
    main()
