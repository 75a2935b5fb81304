"""What a training lacks in a split: said with what every split holds of it, and a step that helps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineament.counting import quantity
from lineament.errors import LineamentError, NotEnoughSamples
from lineament.io.manifest import MANIFEST_NAME, Manifest, ManifestRow

_WHY = {
    "train": "; run first: lineament dataset split DATA 85/15, or 70/20/10 with an exam",
    "val": (
        ", by which the best epoch is chosen; take it from train, where a test split that was given "
        "stays: lineament dataset split DATA 85/15"
    ),
}
_MORE = "photos of other sittings, places and light"
_NEAR = (
    "near-duplicates (a film, a sitting) go to one split together; --no-near parts them, and val then "
    "shows what train has seen, so that figures flatter"
)


@dataclass(frozen=True, slots=True)
class Need:
    """What a trainer needs of a row: ``what`` in words, such as "a face", and whether a row ``has`` it."""

    what: str
    has: Callable[[ManifestRow], bool]


FACE = Need("a face", lambda row: row.outcome == "ok")
BOX = Need("a box", lambda row: row.outcome == "ok" and row.box is not None)


def lacking(
    splits: Mapping[str, Sequence[ManifestRow]],
    split: str,
    need: Need,
    steps: Sequence[Mapping[str, Any]] = (),
    hint: str = "label some, or import labels that say where it is",
    folder: Path | None = None,
) -> NotEnoughSamples:
    """The error for a ``split`` without what a trainer needs, to be raised.

    ``splits`` are the rows of every split there is, ``steps`` those of their manifest; ``hint`` is what to
    do where no split has any. In ``folder`` a manifest is looked for that has the split.
    """
    if split not in splits:
        if folder is not None and (beside := _with_rows_in(folder, split)) is not None:
            return NotEnoughSamples(
                f"the data have no rows in the split {split!r}, but {beside} has: give that file"
            )
        there = f" (they have {', '.join(sorted(splits))})" if splits else ""
        return NotEnoughSamples(f"the data have no rows in the split {split!r}{there}{_WHY.get(split, '')}")
    pictures = {name: _pictures(rows) for name, rows in splits.items()}
    found = {name: _pictures(filter(need.has, rows)) for name, rows in splits.items()}
    count = len(pictures[split])
    have = ", ".join(f"{name} {len(found[name])} of {len(pictures[name])}" for name in _in_order(splits))
    total = sum(map(len, found.values()))
    way = _step(split, splits, total, steps) if total else f"no picture of the data has {need.what}: {hint}"
    what = need.what
    return NotEnoughSamples(
        f"the split {split!r} holds {quantity(count, 'picture')}, none with {what} (pictures with {what}: "
        f"{have}); {way}"
    )


def _with_rows_in(folder: Path, split: str) -> Path | None:
    """A manifest beside the usual one, as `dataset split` writes it, that has rows in a split."""
    for path in sorted(folder.glob("*.jsonl")):
        with suppress(LineamentError, OSError):
            if path.name != MANIFEST_NAME and any(row.split == split for row in Manifest.load(path)):
                return path
    return None


def counted(numbers: Mapping[str, int]) -> str:
    """``train 12, val 0``: a number of each split, in their order."""
    return ", ".join(f"{name} {numbers[name]}" for name in _in_order(numbers))


def _step(split: str, splits: Collection[str], total: int, steps: Sequence[Mapping[str, Any]]) -> str:
    """What to do where ``total`` pictures of other splits have it."""
    if total < len(splits):
        return f"{total} cannot be in {quantity(len(splits), 'split')}: add {_MORE}, and split again"
    made = next((step for step in reversed(steps) if step.get("step") == "split"), None)
    came = made is None or split in made.get("given", ())
    shares = "85/15" if len(splits) < 3 else "70/20/10"
    if made is not None and made.get("shares"):
        shares = ",".join(f"{name}={100 * share:.4g}" for name, share in made["shares"])
    if made is not None and made.get("exact") and not came:
        return f"--exact shared them out as evenly as it could: {_NEAR}; so add {_MORE}, and split again"
    anew = " --resplit, for the splits came with the data" if came else ""
    return (
        f"share them out evenly: lineament dataset split DATA {shares} --exact{anew}; where that leaves "
        f"{split} without, add {_MORE}: {_NEAR}"
    )


def _pictures(rows: Iterable[ManifestRow]) -> set[str]:
    return {row.path for row in rows}


def _in_order(names: Collection[str]) -> list[str]:
    usual = [name for name in ("train", "val", "test") if name in names]
    return usual + sorted(set(names) - set(usual))
