"""Two systems at the same FMR, where each draw of people chooses both thresholds again.

    python -m benchmarks.chosen_again --data LFW_IMAGES [--keep DIR] [--systems yunet,centerface]

``lineament evaluate compare`` pairs the errors at thresholds that stay as they were chosen. Here whole
people are drawn with replacement, the same for both systems; each draw chooses the thresholds on its own
non-mated comparisons (people never with themselves) and counts its own misses. The interval of the
difference in FNMR then holds the uncertainty of the thresholds too. Systems and ``--keep`` as in
``benchmarks.recognition``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from benchmarks.recognition import captured

from lineament.evaluation.people import LabelledPictures, open_people
from lineament.scoring import similarity
from lineament.scoring.comparisons import compare

RATES = (1e-2, 1e-3, 1e-4, 1e-5)
DEEPER = 3.0
"""How much of the tail is kept beyond the highest rate, for draws that need a lower threshold."""


class Tail:
    """One system's mated scores and highest non-mated ones, with the people of each."""

    def __init__(self, system: str, people: LabelledPictures, keep: Path | None) -> None:
        found = captured(system, people, keep)
        assert found is not None
        codes = similarity.codes(list(people.subjects))
        self.pictures = np.bincount(codes)
        tail = compare(found.embeddings, np.array(people.subjects), (RATES[0] * DEEPER,))
        order = np.argsort(tail.scores)[::-1]
        self.scores = np.asarray(tail.scores)[order].astype(np.float64)
        self.first, self.second = (
            codes[np.asarray(tail.first)[order]],
            codes[np.asarray(tail.second)[order]],
        )
        self.mated, self.owners = similarity.mated(found.embeddings, codes)

    def fnmr(self, weights: np.ndarray, rate: float) -> float:
        """FNMR at the smallest threshold that keeps the FMR, each person counted ``weights`` times."""
        many = weights * self.pictures
        total = (many.sum() ** 2 - (many**2).sum()) / 2
        reached = np.cumsum(weights[self.first] * weights[self.second])
        place = int(np.searchsorted(reached, rate * total, side="right"))
        assert place < len(self.scores), "the tail is too short: raise DEEPER"
        whole = weights[self.owners]
        return float(whole[self.mated.astype(np.float64) <= self.scores[place]].sum() / whole.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--systems", default="yunet,centerface")
    parser.add_argument("--draws", type=int, default=1000)
    args = parser.parse_args()
    people = open_people(args.data)
    first, second = (Tail(name, people, args.keep) for name in args.systems.split(","))
    count = len(first.pictures)
    random = np.random.default_rng(0)
    drawn = [np.bincount(random.integers(0, count, count), minlength=count) for _ in range(args.draws)]
    print(f"{args.systems}: FNMR, percent; {args.draws} draws of {count:,} people\n")
    print("| FMR | first | second | difference, 95 % | second better in |\n" + "| --- " * 5 + "|")
    for rate in RATES:
        one, other = (tail.fnmr(np.ones(count), rate) for tail in (first, second))
        apart = np.array([second.fnmr(w, rate) - first.fnmr(w, rate) for w in drawn]) * 100
        low, high = np.percentile(apart, (2.5, 97.5))
        print(
            f"| {rate:g} | {one * 100:.2f} | {other * 100:.2f} | {(other - one) * 100:+.2f} "
            f"({low:+.2f} to {high:+.2f}) | {(apart < 0).mean():.1%} |"
        )


if __name__ == "__main__":
    main()
