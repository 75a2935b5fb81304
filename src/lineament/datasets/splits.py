"""Assign rows to train, val and test so that nothing that belongs together is parted.

Rows are first grouped: crops and copies of one photo, files with the same bytes, and whatever ``groups``
links (near-duplicates). A group goes to one split as a whole. With ``by="subject"`` all groups of a
subject do too. Pictures without a face are assigned like the others, for detectors learn from them and are
measured on them, but do not count as a subject's rows. How a group finds its split, and what that costs,
stands in docs/decisions/0007-split-before-augment.md.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lineament.config import several
from lineament.errors import ConfigError, SplitError
from lineament.io.manifest import Manifest, ManifestRow

_EMPTY = "\0no face"
"""Stands for the subject of pictures without a face, whose shares are kept for themselves."""

NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "val", "test")}


@dataclass(frozen=True, slots=True)
class Plan:
    """How to split: ``shares`` by name, in order; they add up to 1.

    ``by="photo"`` spreads each subject over the splits (closed set); ``by="subject"`` puts a subject into
    one split only (open set). ``exact`` gives each subject its shares to the nearest photo instead of on
    average; it takes a ``keep`` to leave earlier rows where they were when photos are added.
    """

    shares: Mapping[str, float]
    by: Literal["photo", "subject"] = "photo"
    exact: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.by not in ("photo", "subject"):
            raise ConfigError(f"by: {self.by!r} is neither 'photo' nor 'subject'")
        if not self.shares or any(not math.isfinite(s) or s <= 0 for s in self.shares.values()):
            raise ConfigError("every split needs a share above 0")
        if abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ConfigError(f"the shares add up to {sum(self.shares.values()):g}, not to 1")


def parse_shares(text: str, names: Sequence[str] | None = None) -> dict[str, float]:
    """Shares from ``70/20/10`` or ``train=70,val=20,test=10``; they must add up to 100 or to 1.

    Without names two parts are train and test, three are train, val and test. Raises `ConfigError`.
    """
    names = names if names is None else several(names)
    parts = [part.strip() for part in text.replace(",", "/").split("/")]
    if all("=" in part for part in parts):
        if names is not None:
            raise ConfigError(f"{text!r} names the splits already")
        names = [part.partition("=")[0].strip() for part in parts]
        parts = [part.partition("=")[2] for part in parts]
    elif names is None:
        if len(parts) not in NAMES:
            raise ConfigError(f"{text!r}: name the splits of {len(parts)} parts: train=70,val=10,...")
        names = NAMES[len(parts)]
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise ConfigError(f"{text!r} is not a split such as 70/20/10") from None
    if len(names) != len(values) or len(set(names)) != len(names) or not all(names):
        raise ConfigError(f"{text!r}: {len(values)} shares need as many different names")
    total = math.fsum(values)
    if not any(math.isclose(total, whole, rel_tol=1e-6) for whole in (1.0, 100.0)):
        raise ConfigError(f"{text!r} adds up to {total:g}, not to 100")
    return {name: value / total for name, value in zip(names, values, strict=True)}


@dataclass(frozen=True, slots=True)
class Split:
    """What `split` answers: the new manifest and what has to be told about it.

    ``unassigned`` counts rows left without a split by outcome (``refused``). ``moved`` holds the ids of
    rows that ``keep`` knew in another split, because a link to another kept row forced it. ``missing``
    names for each split the subjects with rows elsewhere but none there (closed set only). ``empty`` counts
    the rows without a face by split.
    """

    manifest: Manifest
    groups: int
    unassigned: Mapping[str, int] = field(default_factory=dict)
    moved: tuple[str, ...] = ()
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    empty: Mapping[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows with a face by split and subject; rows without a subject count under the empty name."""
        return counts(self.manifest)


def counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Rows with a face by split and subject, both sorted; rows without a split are left out."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in manifest:
        if row.split is not None and row.outcome == "ok":
            found[row.split][row.subject or ""] += 1
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def split(
    manifest: Manifest, plan: Plan, groups: Iterable[Iterable[str]] = (), keep: Manifest | None = None
) -> Split:
    """Give every row a split whose picture could be read.

    ``groups`` are sets of row ids that must stay together. ``keep`` is an earlier manifest: rows it knows,
    by id or by bytes, keep their split. Where kept rows of several splits turn out to be linked, the group
    goes to the first split of the plan (train), so that nothing trained on becomes a test picture. Raises
    `SplitError` when augmented rows are there already: split first, augment after.
    """
    if any(row.step == "augment" for row in manifest):
        raise SplitError("the manifest holds augmented rows: split before augmenting, not after")
    rows = [row for row in manifest if row.outcome != "refused"]
    photos = photo_keys(manifest)
    united = link(manifest, groups)
    subjects_of_group: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.subject is not None:
            subjects_of_group[united.find(row.id)].add(row.subject)
    if plan.by == "subject":
        first: dict[str, str] = {}
        for group, subjects in subjects_of_group.items():
            for subject in subjects:
                united.join(group, first.setdefault(subject, group))
    members: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        members[united.find(row.id)].append(row)
    units = [_unit(plan, group, photos) for group in members.values()]
    known = _known(keep, plan)
    moved = []
    for unit in units:
        before = {row.id: known.get(row.id) or known.get(row.sha256) for row in unit.rows}
        held = {name for name in before.values() if name is not None}
        if held:
            unit.split = next(name for name in plan.shares if name in held)
            moved += [key for key, name in before.items() if name not in (None, unit.split)]
    if plan.exact:
        _assign_by_quota(plan, units)
    else:
        for unit in units:
            unit.split = unit.split or _by_hash(plan.shares, unit.position)
    where = {row.id: unit.split for unit in units for row in unit.rows}
    new = manifest.with_rows(
        (replace(row, split=where.get(row.id)) for row in manifest),
        step="split",
        # A list, because the order decides who goes where, and keys are sorted when saved.
        shares=[[name, share] for name, share in plan.shares.items()],
        by=plan.by,
        exact=plan.exact,
        seed=plan.seed,
    )
    left = Counter(row.outcome for row in new if row.split is None)
    missing = _missing(new, plan) if plan.by == "photo" else {}
    empty = Counter(row.split for row in new if row.outcome == "no_face" and row.split is not None)
    by_split = {name: empty[name] for name in plan.shares if empty[name]}
    return Split(new, len(units), dict(sorted(left.items())), tuple(sorted(moved)), missing, by_split)


class Union:
    """Disjoint sets of row ids, joined step by step."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, item: str) -> str:
        """The name of the item's set."""
        root = item
        while (up := self._parent.setdefault(root, root)) != root:
            root = up
        while item != root:
            self._parent[item], item = root, self._parent[item]
        return root

    def join(self, a: str, b: str) -> None:
        """Make one set of two."""
        a, b = self.find(a), self.find(b)
        if a != b:
            self._parent[max(a, b)] = min(a, b)


def link(manifest: Manifest, groups: Iterable[Iterable[str]] = ()) -> Union:
    """Sets of rows that must stay together: one photo, the same bytes, or linked by ``groups``."""
    united = Union()
    first: dict[str, str] = {}
    for row in manifest:
        if row.parent is not None:
            united.join(row.id, row.parent)
        if row.sha256:  # a picture that was never there has none
            united.join(row.id, first.setdefault(row.sha256, row.id))
    for group in groups:
        ids = list(group)
        for other in ids[1:]:
            united.join(ids[0], other)
    return united


def photo_keys(manifest: Manifest) -> dict[str, str]:
    """The photo each row id comes from: the SHA-256 of its first ancestor, or that one's id."""
    rows = {row.id: row for row in manifest}
    keys = {}
    for row in manifest:
        at, seen = row, {row.id}
        while at.parent is not None and at.parent in rows and at.parent not in seen:
            seen.add(at.parent)
            at = rows[at.parent]
        keys[row.id] = (at.sha256 or at.id) if at.parent is None or at.parent in seen else at.parent
    return keys


@dataclass(slots=True)
class _Unit:
    """Rows that go together, where the hash puts them in [0, 1), and their split once it is known."""

    rows: list[ManifestRow]
    subject: str
    position: float
    split: str | None = None


def _unit(plan: Plan, rows: list[ManifestRow], photos: Mapping[str, str]) -> _Unit:
    subjects = sorted({row.subject for row in rows if row.subject is not None})
    names = subjects if plan.by == "subject" and subjects else [photos[row.id] for row in rows]
    # The smallest position over the members: another crop or copy of a member changes nothing.
    position = min(_position(plan.seed, name) for name in names)
    if all(row.outcome == "no_face" for row in rows):
        return _Unit(rows, _EMPTY, position)
    return _Unit(rows, subjects[0] if plan.by == "photo" and subjects else "", position)


def _position(seed: int, name: str) -> float:
    digest = hashlib.sha256(f"split\0{seed}\0{name}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _by_hash(shares: Mapping[str, float], position: float) -> str:
    edge = 0.0
    for name, share in shares.items():
        edge += share
        if position < edge:
            return name
    return list(shares)[-1]


def _known(keep: Manifest | None, plan: Plan) -> dict[str, str]:
    """Split by row id and by the file's SHA-256 of an earlier manifest."""
    known: dict[str, str] = {}
    for row in keep or ():
        if row.split is None:
            continue
        if row.split not in plan.shares:
            raise SplitError(f"the manifest to keep has a split {row.split!r} that the plan has not")
        known[row.id] = row.split
        known.setdefault(row.sha256, row.split)
    return known


def _assign_by_quota(plan: Plan, units: Sequence[_Unit]) -> None:
    """Fill each subject's splits to their shares, units in the order of their hashes.

    Counted in rows, so a group of several copies weighs what it holds. A subject with at least as many
    units as there are splits gets one in each; with fewer, the larger shares come first.
    """
    by_subject: dict[str, list[_Unit]] = defaultdict(list)
    for unit in units:
        by_subject[unit.subject].append(unit)
    for own in by_subject.values():
        total = sum(len(unit.rows) for unit in own)
        have = dict.fromkeys(plan.shares, 0)
        for unit in own:
            if unit.split is not None:
                have[unit.split] += len(unit.rows)
        waiting = sorted((u for u in own if u.split is None), key=lambda u: (u.position, u.rows[0].id))
        for unit in waiting:
            empty = [name for name in plan.shares if have[name] == 0]
            # Largest deficit first; a split without any row goes before, the plan's order decides ties.
            pool = empty or list(plan.shares)
            unit.split = max(pool, key=lambda name: plan.shares[name] * total - have[name])
            have[unit.split] += len(unit.rows)


def _missing(manifest: Manifest, plan: Plan) -> dict[str, tuple[str, ...]]:
    there = counts(manifest)
    everyone = {name for subjects in there.values() for name in subjects if name}
    gaps = {name: tuple(sorted(everyone - set(there.get(name, {})))) for name in plan.shares}
    return {name: subjects for name, subjects in gaps.items() if subjects}


def summary(result: Split) -> dict[str, Any]:
    """The JSON of the command: counts per split and subject, and all that was not as planned."""
    found = result.counts()
    return {
        "counts": found,
        "totals": {name: sum(subjects.values()) for name, subjects in found.items()},
        "groups": result.groups,
        "empty": dict(result.empty),
        "unassigned": dict(result.unassigned),
        "moved": list(result.moved),
        "missing": {name: list(subjects) for name, subjects in result.missing.items()},
    }
