"""Batches in which every subject weighs the same: P subjects, K photos of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from lineament.errors import NotEnoughSamples
from lineament.training.data import Plan


def balanced(groups: Sequence[Sequence[int]], subjects: int, photos: int, seed: int) -> Plan:
    """Batches of ``photos`` samples of each of ``subjects`` different subjects, by seed and epoch.

    ``groups`` holds the positions of each subject's samples. The last batch may hold fewer subjects. In an
    epoch all are seen equally often, but for one that would be alone in the last batch, and about as many
    samples as there are. A subject's samples come in turn, each again only after all others. Raises
    `NotEnoughSamples` with fewer than two subjects or an empty one.
    """
    if len(groups) < 2 or not all(len(group) for group in groups):
        raise NotEnoughSamples(f"balanced batches need 2 subjects with photos, the data have {len(groups)}")
    width = min(subjects, len(groups))
    total = sum(len(group) for group in groups)
    rounds = max(1, round(total / (len(groups) * photos)))

    @lru_cache(maxsize=2)
    def plan(epoch: int) -> list[list[int]]:
        rng = np.random.default_rng([seed, epoch, 1])
        turns = [
            _in_turn(group, np.random.default_rng([seed, epoch, 2, i])) for i, group in enumerate(groups)
        ]
        return [
            [next(turns[subject]) for subject in chosen for _ in range(photos)]
            for chosen in _different(len(groups), width, rounds, rng)
        ]

    return plan


def _in_turn(group: Sequence[int], rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from (group[i] for i in rng.permutation(len(group)).tolist())


def _different(count: int, width: int, rounds: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Batches of ``width`` numbers below ``count``, each once a round; the last of two or more."""
    left: list[int] = []
    for _ in range(rounds):
        order = rng.permutation(count).tolist()
        if left:
            waiting = set(left)
            fill = [number for number in order if number not in waiting][: width - len(left)]
            yield left + fill
            filled = set(fill)
            order = [number for number in order if number not in filled]
        whole = len(order) // width * width
        for start in range(0, whole, width):
            yield order[start : start + width]
        left = order[whole:]
    if len(left) > 1:
        yield left
