"""What a split has to say: what was kept, what was taken from where, what groups made impossible."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lineament.counting import quantity
from lineament.datasets.given import Given
from lineament.datasets.splitting.assigning import Assignment, Unit
from lineament.errors import SplitError
from lineament.io.manifest import ManifestRow

_WORDS = {
    "photo": ("group of pictures that belong together", "groups of pictures that belong together"),
    "subject": ("subject", "subjects"),
}

_WARNING = "warning: "
_OFF = 0.02
"""By how much of all pictures a share may miss what was asked before it is explained."""


@dataclass(frozen=True, slots=True)
class SplitDecision:
    """One thing that was decided: its ``kind``, a sentence for people, and the numbers in it."""

    kind: str
    text: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def warning(self) -> str | None:
        """The sentence where it is a warning, without that word."""
        return self.text.removeprefix(_WARNING) if self.text.startswith(_WARNING) else None

    def to_json(self) -> dict[str, Any]:
        """``{"kind", "text", ...numbers}``."""
        return {"kind": self.kind, "text": self.text, **self.numbers}


def decide(
    work: Assignment,
    rows: Sequence[ManifestRow],
    came: Given,
    missing: Mapping[str, Sequence[str]],
) -> tuple[SplitDecision, ...]:
    """Every decision about the rows as placed. Raises `SplitError` when a split asked for got no row.

    ``came`` are the splits the data came with, kept or not; ``missing`` by split the subjects without a
    row.
    """
    pictures = _pictures(rows)
    empty = [name for name in work.plan.shares if not pictures[name]]
    if empty:
        raise SplitError(_way_out(work, rows, empty))
    return (
        *_about_versions(work, rows),
        *_about_given(work, rows, came, pictures),
        *_about_shares(work, pictures),
        *_about_subjects(work, missing),
        *_about_subjects_apart(work, rows),
    )


def _pictures(rows: Sequence[ManifestRow]) -> dict[str, int]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.split is not None:
            found[row.split].add(row.path)
    return defaultdict(int, {name: len(paths) for name, paths in found.items()})


def _about_versions(work: Assignment, rows: Sequence[ManifestRow]) -> Iterator[SplitDecision]:
    found = work.versions
    if found.sure:
        told = ", ".join(f"{name} {count}" for name, count in found.by.items())
        yield SplitDecision(
            "versions",
            f"{quantity(found.pictures, 'picture is')} versions of "
            f"{quantity(len(found.sure), 'photo')}, as their names say "
            f"({told}), and stay together",
            {"pictures": found.pictures, "photos": len(found.sure), "by": dict(found.by)},
        )
    if found.unsure:
        yield SplitDecision(
            "unsure",
            f"{quantity(found.unsure_pictures, 'picture')} may be versions of "
            f"{quantity(len(found.unsure), 'photo')} by the ends "
            "of their names, but no original is there: only those that look alike stay together; the "
            "label source_name, equal for the versions of a photo, makes it sure",
            {"pictures": found.unsure_pictures, "photos": len(found.unsure)},
        )
    if found.clips:
        frames = _pictures_of(rows, set().union(*found.clips.values()))
        clips = quantity(len(found.clips), "video")
        what = f"{quantity(frames, 'picture is', 'pictures are')}, by the names, frames of {clips}"
        numbers = {"pictures": frames, "clips": len(found.clips), "together": work.plan.clips}
        if work.plan.clips:
            yield SplitDecision("clips", f"{what}: those of one video stay together", numbers)
        else:
            text = f"{what} ({next(iter(found.clips))} ...) and may be parted; --clips keeps them together"
            yield SplitDecision("clips", f"warning: {text}", numbers)


def _about_given(
    work: Assignment, rows: Sequence[ManifestRow], came: Given, pictures: Mapping[str, int]
) -> Iterator[SplitDecision]:
    given, shares = work.given, work.plan.shares
    if work.plan.resplit and came:
        sizes = _given_sizes(came, rows)
        yield SplitDecision(
            "resplit",
            f"the given splits ({_listed(sizes)}) were shared out anew",
            {"pictures": sizes, "rows": _given_rows(came)},
        )
        return
    total = sum(pictures.values())
    for name, count in sorted(_given_sizes(given, rows).items()):
        if name not in given.held:
            continue
        asked = f", {shares[name]:.1%} were asked" if name in shares and given.open != (name,) else ""
        followed = _pictures_of(rows, work.followed[name])
        more = (
            f", and {quantity(followed, 'picture that belongs', 'pictures that belong')} to its groups"
            if followed
            else ""
        )
        yield SplitDecision(
            "kept",
            f"{name} stays as it was given: {quantity(count, 'picture')}{more}; "
            f"{pictures[name] / total:.1%} of the "
            f"pictures{asked}",
            {
                "split": name,
                "pictures": count,
                "rows": given.held[name],
                "followed": followed,
                "share": pictures[name] / total,
            },
        )
    if given.source is not None:
        names = [name for name in given.open if name != given.source]
        taken = _pictures_of(rows, {key for key in given.pooled if work.places.get(key) in names})
        of = _pictures_of(rows, given.pooled)
        yield SplitDecision(
            "taken",
            f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} taken from {given.source} as it "
            f"was given: {taken} of its {quantity(of, 'picture')}",
            {"from": given.source, "splits": names, "pictures": taken, "of": of},
        )
    if given and given.loose:
        where = " and ".join(given.open) or "no split"
        settled = given.places.keys() | given.pooled
        loose = {row.id for row in rows if row.outcome != "refused" and row.id not in settled}
        came_loose = _pictures_of(rows, loose)
        shared = _pictures_of(rows, loose - set().union(*work.followed.values()))
        yield SplitDecision(
            "loose",
            f"{quantity(came_loose, 'picture')} came without a split: {shared} of them went to {where}",
            {"pictures": came_loose, "rows": given.loose, "shared": shared, "splits": list(given.open)},
        )
    if given.held and given.source is None and not given.loose:
        yield SplitDecision(
            "nothing",
            "all pictures keep the splits they came with, nothing was shared out; --resplit does that anew",
            {"splits": sorted(given.held)},
        )
    if work.crossing:
        yield SplitDecision(
            "leak",
            f"{quantity(work.crossing, 'group')} of pictures that belong together lie in several given "
            "splits, and stay there: a leak, listed by lineament dataset audit; --resplit puts each into "
            "one split",
            {"groups": work.crossing},
        )


def _pictures_of(rows: Sequence[ManifestRow], ids: Collection[str]) -> int:
    return len({row.path for row in rows if row.id in ids})


def _given_sizes(given: Given, rows: Sequence[ManifestRow]) -> dict[str, int]:
    """Pictures by the split that they came with."""
    by_split: dict[str, set[str]] = defaultdict(set)
    for key, name in given.places.items():
        by_split[name].add(key)
    if given.source is not None:
        by_split[given.source] |= given.pooled
    return {name: _pictures_of(rows, ids) for name, ids in sorted(by_split.items())}


def _given_rows(given: Given) -> dict[str, int]:
    return {**given.held, **({given.source: len(given.pooled)} if given.source else {})}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _about_shares(work: Assignment, pictures: Mapping[str, int]) -> Iterator[SplitDecision]:
    sizes = Counter[str]()
    for unit in work.units:
        if unit.split is not None:
            sizes[unit.split] += unit.weight
    total = sum(sizes.values())
    if not total or len(work.shares) < 2:
        return
    became = {name: sizes[name] / total for name in work.shares}
    if max(abs(became[name] - share) for name, share in work.shares.items()) <= _OFF:
        return
    largest = max(work.units, key=lambda unit: unit.weight)
    one, several = _WORDS[work.plan.by]
    numbers = {
        "asked": dict(work.shares),
        "became": became,
        "largest_group": largest.weight,
        "groups": len(work.units),
        "pictures": total,
    }
    change = f"{_told(work.shares.values())} became {_told(became.values())}"
    if largest.weight > 1 and largest.weight > total * min(work.shares.values()) / 2:
        why = (
            f"one {one} holds {largest.weight} of {quantity(total, 'picture')} "
            f"({largest.weight / total:.0%}), and "
            f"goes to {largest.split} as a whole"
        )
    elif work.plan.exact:
        why = f"the {len(work.units)} {several} are shared out subject by subject"
    else:
        why = f"{len(work.units)} {several} are few for shares by chance"
        if _off(work, work.exactly(), total) < _off(work, work.units, total):
            why += "; --exact comes nearer"
    yield SplitDecision("shares", f"{change}: {why}", numbers)


def _off(work: Assignment, units: Sequence[Unit], total: int) -> float:
    sizes = Counter[str]()
    for unit in units:
        sizes[unit.split or ""] += unit.weight
    return max(abs(sizes[name] / total - share) for name, share in work.shares.items())


def _told(shares: Any) -> str:
    return "/".join(f"{100 * share:.3g}" for share in shares)


def _about_subjects(work: Assignment, missing: Mapping[str, Sequence[str]]) -> Iterator[SplitDecision]:
    for name, subjects in missing.items():
        count = len(subjects)
        text = f"warning: {count} {'subject has' if count == 1 else 'subjects have'} no picture in {name}"
        numbers: dict[str, Any] = {"split": name, "subjects": len(subjects)}
        if work.plan.exact or not work.shares:
            text += (
                ": too few groups of pictures that belong together for one in every split; add photos "
                "of other occasions"
            )
        else:
            there = {unit.subject for unit in work.exactly() if unit.split == name}
            left = len(set(subjects) - there)
            numbers["with_exact"] = left
            text += (
                f"; with --exact {left}"
                if left < len(subjects)
                else ", and --exact would give none: add photos of other occasions"
            )
        yield SplitDecision("missing", text, numbers)


def _about_subjects_apart(work: Assignment, rows: Sequence[ManifestRow]) -> Iterator[SplitDecision]:
    if work.plan.by != "subject":
        return
    there: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.subject is not None and row.split is not None:
            there[row.subject].add(row.split)
    several = sum(len(splits) > 1 for splits in there.values())
    if several:
        yield SplitDecision(
            "subjects",
            f"{several} of {quantity(len(there), 'subject')} are in several splits, for the splits they "
            "came with stay: --resplit keeps subjects apart",
            {"subjects": several, "of": len(there)},
        )


def _way_out(work: Assignment, rows: Sequence[ManifestRow], empty: Sequence[str]) -> str:
    plan, given, count = work.plan, work.given, len(work.units)
    one, what = _WORDS[plan.by]
    names = " and ".join(empty)
    start = f"{names} got no picture: "
    if given and not count:
        return (
            f"{start}every picture came with a split ({_listed(_given_sizes(given, rows))}) and keeps it; "
            "--resplit shares all of them out anew, or ask for splits that take from train: --names "
            f"train,{empty[0]}"
        )
    if not count:
        return f"{start}the data hold no picture that could be read"
    there = f"there are only {count} {what}" if count != 1 else f"there is only one {one}"
    people = {row.subject for unit in work.units for row in unit.rows if row.subject is not None}
    if plan.by == "subject" and len(people) > count:
        groups = quantity(count, "group")
        there = (
            f"pictures that are copies of each other make {groups} of {quantity(len(people), 'subject')}"
        )
    fewer = "ask for fewer splits (85/15)" + (", or drop --by subject" if plan.by == "subject" else "")
    if count == 1 and plan.by == "photo":
        return f"{start}{there} for {quantity(len(work.shares), 'split')}; {one_group(work)}"
    if count < len(work.shares):
        return f"{start}{there} for {quantity(len(work.shares), 'split')}; {fewer}, or add pictures"
    exactly = work.exactly()
    if not plan.exact and {unit.split for unit in exactly} >= set(empty):
        chance = f"few for {_told(plan.shares.values())} by chance"
        return f"{start}{count} {what} are {chance}; --exact gives each split at least one" + (
            _yet_faceless(work, exactly)
        )
    if plan.by == "subject":
        return (
            f"{start}the {count} {what}, shared out apart with a face and without, are too few of either "
            f"for {quantity(len(work.shares), 'split')}; {fewer}, or add people"
        )
    spread = len({unit.subject for unit in work.units})
    return (
        f"{start}the {count} {what} belong to {quantity(spread, 'subject')}, none of whom has one for "
        "every split; keep subjects apart with --by subject --exact, or ask for fewer splits: 85/15"
    )


def _yet_faceless(work: Assignment, units: Sequence[Unit]) -> str:
    """What these units leave without a face, for pictures of nobody fill a split too."""
    with_face = [unit for unit in units if any(row.outcome == "ok" for row in unit.rows)]
    bare = [name for name in work.shares if name not in {unit.split for unit in with_face}]
    if not with_face or not bare:
        return ""
    return f", but {' and '.join(bare)} none with a face: {one_group(work)}"


def one_group(work: Assignment) -> str:
    """What to do where faces are too few groups of pictures that belong together for every split."""
    groups = [unit for unit in work.units if any(row.outcome == "ok" for row in unit.rows)]
    pictures = len({row.path for unit in groups for row in unit.rows if row.outcome == "ok"})
    if not groups:
        return "add photos with a face"
    many = "one group" if len(groups) == 1 else quantity(len(groups), "group")
    held = f"the {quantity(pictures, 'picture')} with a face make {many} of pictures that belong together"
    if pictures == len(groups):
        return f"{quantity(pictures, 'picture has')} a face; add more"
    return (
        f"{held}, as those of one film or one sitting look alike; add photos of other sittings, places and "
        "light (--no-near parts what only looks alike, and figures then flatter)"
    )
