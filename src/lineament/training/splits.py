"""The rows that a training takes from a manifest, and what must hold of them first."""

from __future__ import annotations

from collections import defaultdict

from lineament.counting import quantity
from lineament.errors import SplitError
from lineament.io.manifest import Manifest, ManifestRow
from lineament.training.lacking import FACE, Need, lacking
from lineament.training.telling import log

SPLITS = ("train", "val", "test")


def splits_of(manifest: Manifest, need: Need = FACE) -> tuple[str, ...]:
    """The splits a training takes: train and val, and test where a row has what it needs."""
    test = [row for row in manifest if row.split == "test"]
    if any(map(need.has, test)):
        return SPLITS
    if pictures := len({row.path for row in test}):
        log.info(
            f"none of {quantity(pictures, 'picture')} of the split test has {need.what}: the figures "
            "are of val"
        )
    return tuple(name for name in SPLITS if name != "test")


def rows_of(manifest: Manifest, split: str, need: Need = FACE) -> list[ManifestRow]:
    """The usable rows of a split, ordered by id; raises `NotEnoughSamples` when none has what is needed."""
    rows = [row for row in manifest if row.split == split and row.outcome == "ok"]
    if not any(map(need.has, rows)):
        splits: dict[str, list[ManifestRow]] = defaultdict(list)
        for row in manifest:
            if row.split is not None:
                splits[row.split].append(row)
        raise lacking(splits, split, need, manifest.steps, folder=manifest.folder)
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
