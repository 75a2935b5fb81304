"""Splits that a data set came with: what its authors gave stays, unless the user says otherwise.

Who published a test split wants figures that compare with those of others, so none of its rows moves and
none comes to it. What is missing beside it, mostly a validation split, is taken from the training rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from lineament.io.manifest import Manifest, ManifestRow

_SAME = {
    "train": ("train", "training", "trainval", "train_val", "trainset", "default", "all"),
    "val": ("val", "valid", "validation", "dev", "devel", "development", "valset"),
    "test": ("test", "testing", "testset", "eval", "evaluation"),
}
_MEANS = {name: meant for meant, names in _SAME.items() for name in names}


def meaning(name: str) -> str:
    """The usual name of a split: ``val`` for ``valid``, ``validation`` and ``dev``; else its own."""
    return _MEANS.get(name.strip().lower(), name)


@dataclass(frozen=True, slots=True)
class Given:
    """Which rows are settled, by id, and which splits are still to be filled with the rest.

    ``held`` are the splits that stay as they were given, with their numbers of rows. ``source`` is the
    given training split that ``open`` splits are taken from, under the plan's name, or None, and ``pooled``
    the ids of its rows. ``loose`` is the number of rows that came without a split.
    """

    places: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    source: str | None = None
    pooled: frozenset[str] = frozenset()
    loose: int = 0

    def __bool__(self) -> bool:
        return bool(self.held) or self.source is not None

    def shares(self, asked: Mapping[str, float]) -> dict[str, float]:
        """The shares of the rows that are not settled: those asked for the open splits, made whole."""
        total = sum(asked[name] for name in self.open)
        return {name: asked[name] / total for name in self.open}


def given_splits(manifest: Manifest, wanted: Mapping[str, float]) -> Given:
    """What of the manifest's splits stays when ``wanted`` ones are asked for.

    Splits that an earlier ``split`` step made are the tool's own and are made again; those it was given
    then are given still.
    """
    own = [step for step in manifest.steps if step.get("step") == "split"]
    kept_then = set(own[-1].get("given", ())) if own else None
    rows = [row for row in manifest if row.outcome != "refused"]
    by_meaning = {meaning(name): name for name in wanted}
    places = {}
    for row in rows:
        name = _given(row, kept_then)
        if name is not None:
            places[row.id] = by_meaning.get(meaning(name), name)
    if not places:
        return Given(open=tuple(wanted), loose=len(rows))
    sizes = Counter(places.values())
    missing = [name for name in wanted if name not in sizes]
    train = by_meaning.get("train")
    source = train if train in sizes and missing else None
    loose = len(rows) - len(places)
    # Rows without a split go where training rows go: a given split gets no more of them.
    takes = [name for name in wanted if name in missing or name == train]
    held = {name: count for name, count in sizes.items() if name != source}
    settled = {key: name for key, name in places.items() if name != source}
    pooled = frozenset(places) - frozenset(settled)
    return Given(settled, held, tuple(takes), source, pooled, loose)


def _given(row: ManifestRow, kept_then: set[str] | None) -> str | None:
    if row.split is None or (kept_then is not None and row.split not in kept_then):
        return None
    return row.split
