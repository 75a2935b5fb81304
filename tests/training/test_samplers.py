"""Subject-balanced batches."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.errors import NotEnoughSamples
from lineament.training.recognition.samplers import balanced


def groups_of(sizes: list[int]) -> list[list[int]]:
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=40),
    subjects=st.integers(2, 12),
    photos=st.integers(1, 5),
    epoch=st.integers(0, 5),
)
def test_every_batch_is_balanced(sizes: list[int], subjects: int, photos: int, epoch: int) -> None:
    """Each batch holds ``photos`` of each of ``subjects`` different people, and over an epoch people with
    30 photos are seen no oftener than people with one, but for one left alone at the end."""
    groups = groups_of(sizes)
    owner = {position: number for number, group in enumerate(groups) for position in group}
    batches = balanced(groups, subjects, photos, seed=3)(epoch)
    seen: Counter[int] = Counter()
    width = min(subjects, len(groups))
    for batch in batches:
        people = Counter(owner[position] for position in batch)
        assert len(people) == width or (batch is batches[-1] and 2 <= len(people) < width)
        assert set(people.values()) == {photos}
        seen.update(people.keys())
    rounds = max(seen.values())
    assert all(rounds - 1 <= seen[number] <= rounds for number in range(len(groups)))
    assert sum(rounds - seen[number] for number in range(len(groups))) <= 1


def test_photos_come_in_turn() -> None:
    """No photo of a person comes again before all the others came."""
    groups = groups_of([6, 6, 6])
    batches = balanced(groups, 3, 2, seed=0)(0)
    assert len(batches) == 3
    assert sorted(position for batch in batches for position in batch) == list(range(18))


def test_by_seed_and_epoch_alone() -> None:
    """The same seed and epoch give the same batches, another of either others."""
    groups = groups_of([5] * 20)

    def make(seed: int, epoch: int) -> object:
        return balanced(groups, 4, 2, seed)(epoch)

    assert make(1, 2) == make(1, 2)
    assert make(1, 2) != make(1, 3)
    assert make(1, 2) != make(2, 2)


@pytest.mark.parametrize("sizes", [[], [5], [3, 0]])
def test_too_few_people_are_refused(sizes: list[int]) -> None:
    """One person cannot be told apart from nobody."""
    with pytest.raises(NotEnoughSamples):
        balanced(groups_of(sizes), 2, 2, 0)
