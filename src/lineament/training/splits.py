"""The rows that a training takes from a manifest, and what must hold of them first."""

from __future__ import annotations

from collections import defaultdict

from lineament.errors import NotEnoughSamples, SplitError
from lineament.io.manifest import Manifest, ManifestRow

SPLITS = ("train", "val", "test")


def rows_of(manifest: Manifest, split: str, *, required: bool = True) -> list[ManifestRow]:
    """The usable rows of a split, ordered by id; raises `NotEnoughSamples` when there is none."""
    rows = [row for row in manifest if row.split == split and row.outcome == "ok"]
    if not rows and required:
        known = sorted({row.split for row in manifest if row.split})
        what = f"it has {', '.join(known)}" if known else "run first: lineament dataset split DATA"
        raise NotEnoughSamples(f"the data have no rows in the split {split!r}; {what}")
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
            f"{leaks} pictures or their copies lie in several splits: figures would be flattered; "
            "split again with: lineament dataset split DATA --resplit"
        )
