"""Items into batches, and a stage that works on one item into one that works on a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from lineament.errors import UsageError
from lineament.protocols import Stage

T = TypeVar("T")
R = TypeVar("R")

BYTES_A_BATCH = 48_000_000
"""What the items of a batch may hold in memory, each by its ``nbytes``: 16 million pixels."""


@dataclass(frozen=True, slots=True)
class Each(Generic[T, R]):
    """The stage that answers each item by ``work`` alone; it can be pickled if ``work`` can."""

    work: Callable[[T], R]

    def __call__(self, batch: Sequence[T]) -> list[R]:
        """One answer an item."""
        return [self.work(item) for item in batch]


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Up to ``size`` items at a time, fewer where they hold `BYTES_A_BATCH`.

    No more items are read than the batches taken hold.
    """
    batch: list[T] = []
    held = 0
    for item in items:
        batch.append(item)
        held += getattr(item, "nbytes", 0)
        if len(batch) == size or held >= BYTES_A_BATCH:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def answered(stage: Stage[T, R], batch: Sequence[T]) -> Sequence[R]:
    """What the stage makes of a batch; raises `UsageError` unless that is one answer an item."""
    answers = stage(batch)
    if len(answers) != len(batch):
        raise UsageError(
            f"{stage!r:.80} gave {len(answers)} answers to {len(batch)} items; a stage gives one an item"
        )
    return answers
