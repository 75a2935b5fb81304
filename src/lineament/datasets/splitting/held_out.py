"""Which split final figures are of: test, or val where no pictures were set apart for an exam."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from lineament.io.manifest import ManifestRow

NOTE = (
    "there is no split test to measure on: the figures are of val, by which the best epoch, score or "
    "setting was chosen, so they flatter; 70/20/10 in place of 85/15 sets pictures apart for the exam"
)


def exam_of(splits: Collection[str | None]) -> str:
    """The one of a training's splits that final figures are of."""
    return "test" if "test" in splits else "val"


def held_out(rows: Iterable[ManifestRow]) -> str | None:
    """The same of the splits that rows are in; None where they have neither."""
    there = {row.split for row in rows}
    return exam_of(there) if there & {"test", "val"} else None


def gap_of(splits: Collection[str]) -> str | None:
    """What a training will lack of data with these splits, in words; None for names of one's own."""
    if "test" in splits and "val" not in splits:
        return "no split val: a training chooses its best epoch by one; 85/15 takes it from train"
    if "val" in splits and "test" not in splits:
        return "no split test: final figures will be of val, by which the best epoch was chosen, and say so"
    return None


def telling(split: str) -> dict[str, Any]:
    """What a result says of its figures: ``measured_on``, and a ``note`` where that was chosen by."""
    return {"measured_on": split, **({"note": NOTE} if split == "val" else {})}
