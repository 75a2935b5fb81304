"""Choose subjects with enough photos and give each the same number of samples.

Down, rows are left out, the worst by quality or by a seeded hash. Up, rows are *referred to* more often
(`ManifestRow.repeats`); a file is never copied. Only rows of the chosen split are counted, left out or
repeated; all others stay as they are. Every subject left out is told with its reason.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lineament.counting import quantity
from lineament.datasets.naming import chosen
from lineament.errors import ConfigError, InsufficientData, SplitError
from lineament.io.manifest import Manifest, ManifestRow

ALL = "all"
"""The ``split`` that stands for every row, also those of a manifest that was never split."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to keep.

    Subjects with at least ``at_least`` rows, counted ``after`` the split, in ``split`` alone, or ``before``
    it, in all splits together; of them those in ``names`` (None: all), and of these ``subjects``, chosen by
    a seeded hash of the name or by ``most`` photos (None: all); ``per_subject`` samples of each (None: as
    many as there are), thinned out at ``random`` or by ``quality``, best first. Ties go by hash. The hash
    depends on the name or row alone, so that other subjects and photos do not change whether one is
    preferred.
    """

    at_least: int = 30
    subjects: int | None = 100
    per_subject: int | None = 50
    choose: Literal["hash", "most"] = "hash"
    down: Literal["random", "quality"] = "random"
    split: str = "train"
    seed: int = 0
    counted: Literal["after", "before"] = "after"
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name, value in (("subjects", self.subjects), ("per_subject", self.per_subject)):
            if value is not None and value < 1:
                raise ConfigError(f"{name}: {value} is below 1")
        if self.at_least < 1:
            raise ConfigError(f"at_least: {self.at_least} is below 1")
        if self.choose not in ("hash", "most") or self.down not in ("random", "quality"):
            raise ConfigError("choose is 'hash' or 'most', down is 'random' or 'quality'")
        if self.counted not in ("after", "before"):
            raise ConfigError(f"counted: {self.counted!r} is neither 'after' the split nor 'before' it")


Reason = Literal["too_few", "none_in_split", "not_named", "not_chosen"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A subject that was not kept, how many rows it had in the split, and why.

    ``elsewhere`` is how many rows it still has in other splits.
    """

    subject: str
    rows: int
    reason: Reason
    elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Balanced:
    """The new manifest and what became of every subject.

    ``samples`` is the number an epoch sees of each kept subject, ``rows`` how many pictures they rest on.
    ``unnamed`` counts rows without a subject and ``unusable`` those without a face, both left out.
    ``unknown`` are names of the list that nobody here has; ``way_out`` says in words what would keep those
    who have too few. ``unit`` is what was counted: pictures, or faces where pictures hold several.
    """

    manifest: Manifest
    samples: Mapping[str, int]
    rows: Mapping[str, int]
    left_out: tuple[LeftOut, ...]
    unnamed: int = 0
    unusable: int = 0
    unknown: tuple[str, ...] = ()
    way_out: str | None = None
    unit: str = "pictures"

    def told(self, count: int) -> str:
        """A number of what was counted, in words."""
        return _told(count, self.unit)

    def to_json(self) -> dict[str, Any]:
        """The JSON of the command."""
        return {
            "subjects": {s: {"samples": n, "rows": self.rows[s]} for s, n in self.samples.items()},
            "people": len(self.samples),
            "samples": sum(self.samples.values()),
            "rows": sum(self.rows.values()),
            "left_out": [asdict(one) for one in self.left_out],
            "reasons": dict(sorted(Counter(one.reason for one in self.left_out).items())),
            "unnamed": self.unnamed,
            "unusable": self.unusable,
            "unknown_names": list(self.unknown),
            "way_out": self.way_out,
            "unit": self.unit,
        }


def balance(manifest: Manifest, plan: Plan, *, everywhere: bool = False) -> Balanced:
    """Balance one split.

    A row repeated earlier counts as one: balancing twice gives what balancing once gives. With
    ``everywhere`` the subjects left out lose their rows in the other splits too. Raises `SplitError` when
    the manifest has no such split, `UnknownName` when no name of the list is known, `InsufficientData` when
    no subject has enough rows, and for ``down="quality"`` when a row in question has no quality.
    """
    count = _Count.of(manifest, plan)
    wanted, unknown = set(count.everybody), list[str]()
    if plan.names is not None:
        named, unknown = chosen(plan.names, count.everybody)
        wanted = set(named.values())
    sizes = {subject: count.size(plan, subject) for subject in sorted(wanted)}
    there = [subject for subject in sizes if count.own.get(subject)]
    enough = [subject for subject in there if sizes[subject] >= plan.at_least]
    few = [subject for subject in there if sizes[subject] < plan.at_least]
    way_out = _way_out(plan, count, few) if few else None
    if not enough:
        most = max(sizes.values(), default=0)
        raise InsufficientData(
            f"no subject has {_told(plan.at_least, count.unit)}, {told_of_count(plan)}; the most is {most}"
            + (f"; {way_out}" if way_out else "")
        )
    order = sorted(enough, key=lambda s: (-sizes[s] if plan.choose == "most" else 0, _mark(plan, s)))
    kept = sorted(order[: plan.subjects])
    too_few, fitting = set(few), set(enough)

    def reason(subject: str) -> Reason:
        if subject not in wanted:
            return "not_named"
        if subject in too_few:
            return "too_few"
        return "not_chosen" if subject in fitting else "none_in_split"

    left_out = tuple(
        LeftOut(subject, len(count.own.get(subject, ())), reason(subject), count.elsewhere[subject])
        for subject in sorted(count.everybody - set(kept))
    )
    gone = {one.subject for one in left_out} if everywhere else set()
    samples = {subject: _sampled(plan, count.own[subject]) for subject in kept}
    rows = [row for row in manifest if row.id not in count.touched and row.subject not in gone]
    rows += [row for some in samples.values() for row in some]
    new = manifest.with_rows(rows, step="balance", everywhere=everywhere, **asdict(plan))
    return Balanced(
        new,
        {subject: sum(row.repeats for row in some) for subject, some in samples.items()},
        {subject: len(some) for subject, some in samples.items()},
        left_out,
        count.unnamed,
        count.unusable,
        tuple(unknown),
        way_out,
        count.unit,
    )


def _told(count: int, unit: str) -> str:
    return quantity(count, "face" if unit == "faces" else "picture")


def told_of_count(plan: Plan) -> str:
    """Where ``at_least`` was counted, in words."""
    if plan.split == ALL:
        return "counted in all splits"
    if plan.counted == "before":
        return "counted before the split, in all splits together"
    return f"counted after the split, in {plan.split} alone"


@dataclass(frozen=True, slots=True)
class _Count:
    """The rows of the split by subject, and how many each has ``elsewhere``."""

    touched: frozenset[str]
    own: Mapping[str, list[ManifestRow]]
    elsewhere: Counter[str]
    unnamed: int
    unusable: int

    @classmethod
    def of(cls, manifest: Manifest, plan: Plan) -> _Count:
        touched = frozenset(row.id for row in manifest if plan.split in (ALL, row.split))
        if not touched:
            raise SplitError(f"no row is in the split {plan.split!r}: split first, or balance {ALL!r}")
        own: dict[str, list[ManifestRow]] = defaultdict(list)
        elsewhere: Counter[str] = Counter()
        unnamed = unusable = 0
        for row in manifest:
            if row.id not in touched:
                elsewhere[row.subject or ""] += row.split is not None and row.outcome == "ok"
            elif row.outcome != "ok":
                unusable += 1
            elif row.subject is None:
                unnamed += 1
            else:
                own[row.subject].append(row)
        return cls(touched, own, elsewhere, unnamed, unusable)

    @property
    def unit(self) -> str:
        """What the rows are."""
        paths = [row.path for rows in self.own.values() for row in rows]
        return "pictures" if len(set(paths)) == len(paths) else "faces"

    @property
    def everybody(self) -> set[str]:
        """All subjects with a picture in any split."""
        return {*self.own, *(s for s, rows in self.elsewhere.items() if s and rows)}

    def size(self, plan: Plan, subject: str) -> int:
        """How many pictures ``at_least`` is held against."""
        there = len(self.own.get(subject, ()))
        return there + (self.elsewhere[subject] if plan.counted == "before" else 0)


def _way_out(plan: Plan, count: _Count, few: Sequence[str]) -> str:
    before = replace(plan, counted="before")
    helped = [subject for subject in few if count.size(before, subject) >= plan.at_least]
    parts = []
    if helped and plan.counted != "before":
        parts.append(f"--counted before keeps {len(helped)} of them, who have as many before the split")
    least = min(count.size(plan, subject) for subject in few)
    parts.append(f"--at-least {least} keeps all who have any")
    return "; ".join([*parts, "--names LIST keeps those listed, whatever they have"])


def _sampled(plan: Plan, rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """The rows of one subject, fewer or with repeats, so that the repeats add up to the number wanted."""
    if plan.per_subject is None:
        return [replace(row, repeats=1) for row in rows]
    if plan.down == "quality" and len(rows) > plan.per_subject and any(r.quality is None for r in rows):
        raise InsufficientData("down by quality: there are rows without one; run extract, or use random")
    by_quality = plan.down == "quality"
    ranked = sorted(
        rows, key=lambda r: (-(r.quality or 0.0) if by_quality else 0.0, _mark(plan, r.id), r.id)
    )
    times, extra = divmod(plan.per_subject, len(rows))
    repeats = [times + (i < extra) for i in range(len(ranked))]
    return [replace(row, repeats=n) for row, n in zip(ranked, repeats, strict=True) if n]


def _mark(plan: Plan, name: str) -> bytes:
    return hashlib.sha256(f"balance\0{plan.seed}\0{name}".encode("utf-8", "surrogatepass")).digest()
