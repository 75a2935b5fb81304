"""Groups of people where nobody labelled any: by the shipped gender model, kept only where it is sure.

    python -m benchmarks.machine_groups --data PEOPLE --out groups.csv [--sure 0.9] [--labelled DIR]

PEOPLE has a folder a person. A person gets a group when the model says the same of every photo, each time
with a probability of ``--sure`` or more; all others are left out and counted. The table is what
``lineament evaluate fairness PEOPLE --by gender --groups groups.csv`` reads. ``--labelled`` (UTKFace's
``labels.csv`` and ``images/``) prints how often such a sure answer is right on single photos whose labels
are known. The labels are a machine's: they say how a face looks to this model, not who somebody is.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from lineament.analyzer import Analyzer, central_face
from lineament.datasets.opening import open_dataset
from lineament.evaluation.people import open_people
from lineament.scoring import proportions
from lineament.types import Status

Answer = tuple[str, float]


def answers(paths: Sequence[Path]) -> list[Answer | None]:
    """The likelier word of each picture's central face with its probability; None without a face."""
    found: list[Answer | None] = []
    with Analyzer("yunet", None, ["gender"], quality=False) as analyzer:
        for outcome in analyzer.analyze([str(path) for path in paths]):
            if outcome.status is not Status.OK:
                found.append(None)
                continue
            face = central_face(outcome)
            found.append((str(face.attributes["gender"]), face.probabilities["gender"]))
    return found


def group_of(said: Sequence[Answer | None], sure: float) -> tuple[str | None, str]:
    """The group of one person's photos, or why there is none."""
    words = {one[0] for one in said if one is not None}
    if any(one is None for one in said):
        return None, "a photo without a face"
    if len(words) > 1:
        return None, "photos disagree"
    if min(one[1] for one in said if one is not None) < sure:
        return None, "a photo is not sure"
    return words.pop(), "kept"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sure", type=float, default=0.9)
    parser.add_argument("--labelled", type=Path)
    args = parser.parse_args()
    people = open_people(args.data)
    by_person: dict[str, list[Answer | None]] = defaultdict(list)
    for subject, answer in zip(people.subjects, answers(people.pictures), strict=True):
        by_person[subject].append(answer)
    decided = {subject: group_of(said, args.sure) for subject, said in by_person.items()}
    with args.out.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("subject", "gender"))
        table.writerows((name, group) for name, (group, _) in sorted(decided.items()) if group)
    print(f"{len(people):,} photos of {len(by_person):,} people, sure from {args.sure:g}")
    print(dict(Counter(group or f"left out: {why}" for group, why in decided.values())))
    several = {name: said for name, said in by_person.items() if len(said) > 1}
    torn = {n: len({one[0] for one in said if one is not None}) > 1 for n, said in several.items()}
    print(f"of {len(several):,} people with several photos {sum(torn.values())} are called both")
    if args.labelled:
        _check(args.labelled, args.sure)


def _check(folder: Path, sure: float) -> None:
    manifest = open_dataset(folder / "labels.csv")
    rows = [row for row in manifest if row.outcome == "ok" and float(row.labels["age"]) >= 18]
    said = answers([manifest.file(row) for row in rows])
    for name, chosen in (("all answers", 0.0), (f"{sure:g} and more", sure)):
        kept = [
            (row, one) for row, one in zip(rows, said, strict=True) if one is not None and one[1] >= chosen
        ]
        right = proportions.of_flags(
            [one[0] == row.labels["gender"] for row, one in kept], [row.path for row, _ in kept]
        )
        print(
            f"adults with known labels, {name}: {len(kept):,} of {len(rows):,} photos, right "
            f"{right.value:.3f} ({right.low:.3f} to {right.high:.3f})"
        )


if __name__ == "__main__":
    main()
