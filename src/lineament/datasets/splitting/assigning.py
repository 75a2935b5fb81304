"""Which split each group of rows goes to: by its hash, or filling up shares exactly."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lineament.datasets.given import Given
from lineament.datasets.grouping.together import Union, link, photo_keys
from lineament.datasets.grouping.versions import versions
from lineament.datasets.splitting.shares import Plan
from lineament.errors import SplitError
from lineament.io.manifest import Manifest, ManifestRow

_EMPTY = "\0no face"
"""Stands for the subject of pictures without a face, whose shares are kept for themselves."""

_TOO_LARGE = 2.0
"""A group of photos that holds so many times what a split was to hold never goes there by its hash."""


@dataclass(slots=True)
class Unit:
    """Rows that go together, where the hash puts them in [0, 1), and their split once it is known.

    ``weight`` is the number of pictures: the faces of one picture are one.
    """

    rows: list[ManifestRow]
    subject: str
    position: float
    weight: int
    split: str | None = None


class Assignment:
    """Rows on their way to splits: first what was given, then what is kept, then the rest.

    ``places`` gives the split by row id, ``names`` every split there is, ``units`` what is shared out
    here. ``crossing`` counts the groups that lie in several given splits, ``followed`` by split the ids
    of rows that came without one and went where their group was. ``versions`` are the pictures made of one
    photo.
    """

    def __init__(
        self, manifest: Manifest, plan: Plan, given: Given, groups: Iterable[Iterable[str]] = ()
    ) -> None:
        self.plan, self.given = plan, given
        self.shares = given.shares(plan.shares)
        self.names = [*plan.shares, *sorted(set(given.held) - set(plan.shares))]
        self.places: dict[str, str] = dict(given.places)
        self.crossing = 0
        self.followed: dict[str, set[str]] = defaultdict(set)
        self.versions = versions(manifest)
        together = self.versions.clips.values() if plan.clips else ()
        united = link(manifest, [*self.versions.sure, *together, *groups])
        members: dict[str, list[ManifestRow]] = defaultdict(list)
        for row in manifest:
            if row.outcome != "refused":
                members[united.find(row.id)].append(row)
        self.groups = len(members)
        free = [rows for rows in members.values() if not self._settled(rows)]
        if plan.by == "subject":
            free = _by_subject(free)
        photos = photo_keys(manifest)
        self.units = [_unit(plan, rows, photos) for rows in free]

    def _settled(self, rows: Sequence[ManifestRow]) -> bool:
        """Whether a given split decides where a group goes; its rows stay in the splits they came in."""
        held = {self.given.places[row.id] for row in rows if row.id in self.given.places}
        if not held:
            return False
        pooled = {row.id for row in rows if row.id in self.given.pooled}
        if pooled:
            assert self.given.source is not None
            held.add(self.given.source)
            self.places |= dict.fromkeys(pooled, self.given.source)
        self.crossing += len(held) > 1
        home = next(name for name in self.names if name in held)
        for row in rows:
            if row.id not in self.places:
                self.places[row.id] = home
                self.followed[home].add(row.id)
        return True

    def keep(self, earlier: Manifest | None) -> tuple[str, ...]:
        """Put rows where an earlier manifest had them; the ids of those that a link forced elsewhere."""
        known: dict[str, str] = {}
        for row in earlier or ():
            if row.split is None:
                continue
            if row.split not in self.names:
                raise SplitError(
                    f"the manifest to keep has a split {row.split!r}, which is not among those asked for "
                    f"({', '.join(self.names)}): name them all with --names"
                )
            known[row.id] = row.split
            known.setdefault(row.sha256, row.split)
        moved = []
        for unit in self.units:
            before = {row.id: known.get(row.id) or known.get(row.sha256) for row in unit.rows}
            held = {name for name in before.values() if name is not None}
            if held:
                unit.split = next(name for name in self.names if name in held)
                moved += [key for key, name in before.items() if name not in (None, unit.split)]
        return tuple(sorted(moved))

    def assign(self) -> None:
        """Give every unit its split; where no split is open, rows that came without one stay without."""
        if not self.shares:
            return
        if self.plan.exact:
            by_quota(self.shares, self.units)
        else:
            self._by_hash()
        self.places |= {row.id: unit.split for unit in self.units for row in unit.rows if unit.split}

    def _by_hash(self) -> None:
        total = sum(unit.weight for unit in self.units)
        largest = max(self.shares, key=lambda name: self.shares[name])
        for unit in self.units:
            if unit.split is None:
                unit.split = _at(self.shares, unit.position)
                too_large = unit.weight > _TOO_LARGE * self.shares[unit.split] * total
                if too_large and unit.weight > 1 and self.plan.by == "photo":
                    unit.split = largest

    def exactly(self) -> list[Unit]:
        """The units as ``exact`` would have placed them, to know what it is worth before it is advised."""
        units = [replace(unit, split=None) for unit in self.units]
        by_quota(self.shares, units)
        return units


def _by_subject(groups: Sequence[list[ManifestRow]]) -> list[list[ManifestRow]]:
    united = Union()
    for number, rows in enumerate(groups):
        for row in rows:
            if row.subject is not None:
                united.join(f"group {number}", f"subject {row.subject}")
    members: dict[str, list[ManifestRow]] = defaultdict(list)
    for number, rows in enumerate(groups):
        members[united.find(f"group {number}")] += rows
    return list(members.values())


def _unit(plan: Plan, rows: list[ManifestRow], photos: Mapping[str, str]) -> Unit:
    subjects = sorted({row.subject for row in rows if row.subject is not None})
    names = subjects if plan.by == "subject" and subjects else [photos[row.id] for row in rows]
    # The smallest position over the members: another crop or copy of a member changes nothing.
    position = min(_position(plan.seed, name) for name in names)
    subject = subjects[0] if plan.by == "photo" and subjects else ""
    if all(row.outcome == "no_face" for row in rows):
        subject = _EMPTY
    return Unit(rows, subject, position, len({row.path for row in rows}))


def _position(seed: int, name: str) -> float:
    digest = hashlib.sha256(f"split\0{seed}\0{name}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _at(shares: Mapping[str, float], position: float) -> str:
    edge = 0.0
    for name, share in shares.items():
        edge += share
        if position < edge:
            return name
    return list(shares)[-1]


def by_quota(shares: Mapping[str, float], units: Sequence[Unit]) -> None:
    """Fill each subject's splits to their shares: units too large for some split first, then by hash.

    Counted in pictures, so a group of several copies weighs what it holds. A subject with at least as many
    units as there are splits gets one in each; with fewer, the larger shares come first.
    """
    by_subject: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        by_subject[unit.subject].append(unit)
    least = min(shares.values())
    for own in by_subject.values():
        total = sum(unit.weight for unit in own)
        have = dict.fromkeys(shares, 0)
        for unit in own:
            if unit.split in have:
                have[unit.split] += unit.weight
        waiting = sorted(
            (unit for unit in own if unit.split is None),
            key=lambda u: (-u.weight if u.weight > max(1, least * total) else 0, u.position, u.rows[0].id),
        )
        for number, unit in enumerate(waiting):
            empty = [name for name in shares if have[name] == 0]
            # Largest deficit first, the plan's order decides ties; the last units go to splits without any.
            pool = empty if len(waiting) - number <= len(empty) else list(shares)
            unit.split = max(pool or shares, key=lambda name: shares[name] * total - have[name])
            have[unit.split] += unit.weight
