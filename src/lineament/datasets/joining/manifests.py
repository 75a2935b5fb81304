"""Several data sets as one: equal pictures once, equal names apart, classes by name, terms along.

The pictures of each set go to a folder of its own, so that equal names never meet. A picture is known again
by its bytes. What its sets say together is one truth (`agreeing`); where they contradict each other it is
refused with both words, or the set named first counts. Groups and splits go along: of a picture in two
splits the most held out counts. What each set went through stands in the step ``join``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lineament.datasets.exporting import classes_of
from lineament.datasets.formats._naming import Names, portable
from lineament.datasets.formats._problems import Problems
from lineament.datasets.joining.agreeing import Differing, kind, together
from lineament.errors import UsageError
from lineament.io.manifest import Manifest, ManifestRow, row_id

RULES = ("refuse", "first")
"""What becomes of a picture that two sets label differently."""

_STEP = "join"


@dataclass(frozen=True, slots=True)
class Source:
    """A data set to join: its manifest, how it was ``read``, and what was wrong with its labels.

    ``offer`` is the format's spec that takes its pictures without labels too, as `importing.offer` tells.
    """

    name: str
    manifest: Manifest
    read: str = "manifest"
    problems: Problems = field(default_factory=Problems)
    offer: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """The manifest of all sets, whose folder is yet to be filled with the ``copies``.

    ``folders`` are those of the sources in their order, ``repeated`` counts by source the pictures that an
    earlier one has, ``licences`` the pictures by their licence, None where none is stated, ``offers`` are
    those of the sources.
    """

    manifest: Manifest
    copies: Mapping[str, Path]
    folders: tuple[str, ...]
    repeated: Mapping[str, int]
    licences: Mapping[str | None, int]
    offers: Mapping[str, str]
    problems: Problems


@dataclass(slots=True, eq=False)
class _Held:
    """A picture of the joined set: whose it was first, its file, and what is said of it."""

    source: int
    file: Path
    path: str
    rows: list[ManifestRow]
    knows: set[str]
    differing: list[str] = field(default_factory=list)


def join(sources: Sequence[Source], *, differing: str = "refuse") -> Joined:
    """One manifest of two or more; nothing is read but manifests, and nothing written.

    ``differing`` is one of `RULES`. Raises `UsageError` for another, or fewer than two sets, and
    `PictureOutside` for a picture that a link leads out.
    """
    if len(sources) < 2:
        raise UsageError("joining takes two data sets or more; name another one")
    require_rule(differing)
    names, problems = Names(), Problems()
    folders = tuple(names.take(portable(source.name)) for source in sources)
    held: list[_Held] = []
    by_digest: dict[str, list[_Held]] = defaultdict(list)
    taken: dict[tuple[int, str], str] = {}
    repeated: Counter[str] = Counter()
    for number, (source, folder) in enumerate(zip(sources, folders, strict=True)):
        _tell(source, folder, problems)
        knows = _knows(source.manifest)
        for rows in _by_picture(source.manifest):
            digest = rows[0].sha256
            known = [one for one in by_digest[digest] if one.source != number] if digest else []
            if known:
                repeated[folder] += 1
                told = f"{known[0].path} and {folder}/{rows[0].path}"
                problems.add("picture_in_two_sets", told)
                mapped = _joined(known, rows, knows, differing, told, problems)
                taken |= {(number, before): after for before, after in mapped.items()}
                continue
            path = f"{folder}/{rows[0].path}"
            new = [replace(row, path=path) for row in rows]
            one = _Held(number, source.manifest.file(rows[0]), path, new, set(knows))
            if any(row.outcome != "refused" for row in rows):
                one.file = source.manifest.file_inside(rows[0])
            held.append(one)
            if digest:
                by_digest[digest].append(one)
    _tell_alike(held, problems)
    manifest = Manifest(tuple(_with_own_ids(held, taken)))
    classes = _classes(sources, folders, problems)
    step: dict[str, Any] = {
        "step": _STEP,
        "differing": differing,
        "sources": [_told(*both) for both in zip(sources, folders, strict=True)],
        "problems": problems.counts(),
    }
    if classes:
        step["classes"] = {str(number): name for number, name in sorted(classes.items())}
    steps = [*_common_cut(sources, folders, problems), step]
    manifest = replace(manifest, steps=tuple(steps))
    seen = {row.path: row for row in manifest if row.outcome != "refused"}
    copies = {one.path: one.file for one in held if one.path in seen}
    licences = Counter(row.provenance.licence for row in seen.values())
    offers = {f: one.offer for f, one in zip(folders, sources, strict=True) if one.offer is not None}
    return Joined(manifest, copies, folders, dict(repeated), dict(licences), offers, problems)


def require_rule(differing: str) -> None:
    """Raise `UsageError` for what is none of `RULES`."""
    if differing not in RULES:
        raise UsageError(f"differing is {differing!r}; it is {' or '.join(RULES)}")


def _by_picture(manifest: Manifest) -> Iterable[list[ManifestRow]]:
    pictures: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in manifest:
        pictures[row.path].append(row)
    return (pictures[path] for path in sorted(pictures))


def _knows(manifest: Manifest) -> set[str]:
    """The classes that a set has boxes of, or a number for."""
    return {kind(row) for row in manifest if row.box is not None} | set(classes_of(manifest).values())


def _joined(
    known: Sequence[_Held],
    rows: Sequence[ManifestRow],
    knows: set[str],
    rule: str,
    told: str,
    problems: Problems,
) -> dict[str, str]:
    """Put what another set says to a picture that is there; returns which row stands for which."""
    reasons = []
    for one in known:
        try:
            found = together(one.rows, rows, one.knows, knows)
        except Differing as difference:
            reasons.append(str(difference))
            continue
        for note in found.notes:
            problems.add(note, told)
        one.rows = found.rows
        one.knows |= knows
        return found.taken
    problems.add("labelled_differently", f"{told}: {reasons[0]}")
    if rule == "refuse":
        for one in known:
            one.differing.append(f"{told}: {reasons[0]}")
    return {row.id: known[0].rows[0].id for row in rows}


def _with_own_ids(held: Sequence[_Held], taken: dict[tuple[int, str], str]) -> list[ManifestRow]:
    """All rows, no two of one id, their parents under the ids that those have now."""
    used: set[str] = set()
    placed: list[tuple[int, ManifestRow]] = []
    for one in held:
        rows = [_refused(one)] if one.differing else one.rows
        for number, row in enumerate(rows):
            key = row.id
            while key in used:
                key = row_id(row.sha256, f"{row.path}\0{key}", number)
            used.add(key)
            taken.setdefault((one.source, row.id), key)
            placed.append((one.source, replace(row, id=key)))
    return [
        row if row.parent is None else replace(row, parent=taken.get((source, row.parent), row.parent))
        for source, row in placed
    ]


def _refused(one: _Held) -> ManifestRow:
    first = one.rows[0]
    return ManifestRow(
        row_id(first.sha256, one.path),
        one.path,
        first.sha256,
        size_wh=first.size_wh,
        step=first.step,
        outcome="refused",
        error=f"LabelFileError: labelled differently: {'; '.join(one.differing)}",
        provenance=first.provenance,
    )


def _classes(sources: Sequence[Source], folders: Sequence[str], problems: Problems) -> dict[int, str]:
    """Numbers of all classes: the first set's stay, others' names get the next ones."""
    merged: dict[int, str] = {}
    for source, folder in zip(sources, folders, strict=True):
        for number, name in sorted(classes_of(source.manifest).items()):
            now = next((n for n, known in merged.items() if known == name), None)
            if now is None:
                now = number if not merged or number not in merged else max(merged) + 1
                merged[now] = name
            if now != number:
                problems.add("class_has_another_number", f"{folder}: {name} was {number}, is {now}")
    return merged


def _tell(source: Source, folder: str, problems: Problems) -> None:
    """Take over what was wrong with the labels of one set."""
    for name, tally in source.problems:
        for number, where in enumerate(tally.examples):
            count = tally.count - len(tally.examples) + 1 if number == 0 else 1
            problems.add(name, f"{folder}: {where}", count=count)


def _tell_alike(held: Sequence[_Held], problems: Problems) -> None:
    """Count classes and people whose names differ only in case or in what stands between words."""
    for what, names in (
        ("class", {name for one in held for name in one.knows}),
        ("subject", {row.subject for one in held for row in one.rows if row.subject is not None}),
    ):
        alike: dict[str, set[str]] = defaultdict(set)
        for name in names:
            alike["".join(c for c in name.casefold() if c.isalnum())].add(name)
        for same in alike.values():
            if len(same) > 1:
                problems.add(f"{what}_names_alike", ", ".join(sorted(same)))


def _common_cut(
    sources: Sequence[Source], folders: Sequence[str], problems: Problems
) -> list[Mapping[str, Any]]:
    """The step that cut crops, where all sets were cut alike: a model's card tells how."""
    cuts = [
        next((step for step in reversed(source.manifest.steps) if step.get("step") == "extract"), None)
        for source in sources
    ]
    first = cuts[0]
    if first is not None and all(cut and cut.get("settings") == first.get("settings") for cut in cuts):
        return [first]
    for folder, cut in zip(folders, cuts, strict=True):
        if cut is not None:
            problems.add("cut_in_different_ways", folder)
    return []


def _told(source: Source, folder: str) -> dict[str, Any]:
    rows = source.manifest.rows
    splits = Counter(split for _, split in {(row.path, row.split) for row in rows} if split is not None)
    return {
        "name": folder,
        "read": source.read,
        "digest": source.manifest.digest(),
        "pictures": len({row.path for row in rows}),
        "rows": len(rows),
        "splits": dict(sorted(splits.items())),
        "steps": list(source.manifest.steps),
    }
