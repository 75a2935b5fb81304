"""The rows that a training takes from a manifest, and what must hold of them first."""

from __future__ import annotations

from collections import defaultdict

from lineament.counting import quantity
from lineament.errors import NotEnoughSamples, SplitError
from lineament.io.manifest import Manifest, ManifestRow

SPLITS = ("train", "val", "test")

_WHY = {
    "train": "; run first: lineament dataset split DATA 85/15, or 70/20/10 with an exam",
    "val": (
        ", by which the best epoch is chosen; take it from train, where a test split that was given "
        "stays: lineament dataset split DATA 85/15"
    ),
}


def splits_of(manifest: Manifest) -> tuple[str, ...]:
    """The splits a training takes: train and val, and test where it has rows, see `held_out`."""
    there = {row.split for row in manifest if row.outcome == "ok"}
    return tuple(name for name in SPLITS if name != "test" or name in there)


def rows_of(manifest: Manifest, split: str) -> list[ManifestRow]:
    """The usable rows of a split, ordered by id; raises `NotEnoughSamples` when there is none."""
    rows = [row for row in manifest if row.split == split and row.outcome == "ok"]
    if not rows:
        known = sorted({row.split for row in manifest if row.split})
        there = f" (they have {', '.join(known)})" if known else ""
        raise NotEnoughSamples(f"the data have no rows in the split {split!r}{there}{_WHY.get(split, '')}")
    return rows


def require_no_leak(manifest: Manifest) -> None:
    """Raise `SplitError` when equal files, or crops and copies of one picture, lie in several splits.

    Near-duplicates are the audit's business: ``lineament dataset audit``.
    """
    parents = {row.id: row.parent for row in manifest}
    places: dict[str, set[str]] = defaultdict(set)
    for row in manifest:
        if row.split is None or row.outcome != "ok":
            continue
        root, passed = row.id, {row.id}
        while (above := parents.get(root)) is not None:
            if above in passed:
                raise SplitError(f"row {row.id}: its parents form a circle; the manifest is damaged")
            passed.add(above)
            root = above
        places[f"sha256 {row.sha256}"].add(row.split)
        places[f"origin {root}"].add(row.split)
    leaks = sum(len(splits) > 1 for splits in places.values())
    if leaks:
        raise SplitError(
            f"{quantity(leaks, 'picture')} or their copies lie in several splits: figures would be "
            "flattered; split again with: lineament dataset split DATA --resplit"
        )
