"""What a split lacks that a training or an exam will miss: faces, people, classes; each with a way out.

A split asked for that gets no picture is an error (`lineament.datasets.splitting.reporting`). One that
holds pictures, but none with a face or none of some class, can be what somebody wants, so it is a warning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lineament.counting import quantity
from lineament.datasets import tables
from lineament.datasets.splitting.assigning import Assignment, Unit
from lineament.datasets.splitting.reporting import SplitDecision, one_group
from lineament.datasets.splitting.shares import purpose
from lineament.io.manifest import ManifestRow
from lineament.kinds import CLASS, NO_GROUP

_MOST_VALUES = 12
"""Of a label that is taken for one of classes; `CLASS` may have any number."""
_NAMED = 3


def gaps(work: Assignment, rows: Sequence[ManifestRow]) -> Iterator[SplitDecision]:
    """A warning for each split without a face, with one person alone, a class, or an empty picture."""
    by_split: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        if row.split is not None:
            by_split[row.split].append(row)
    faces = {
        name: [r for r in by_split[name] if r.outcome == "ok"] for name in work.names if by_split[name]
    }
    if not any(faces.values()):
        yield SplitDecision(
            "no_faces",
            "warning: no picture has a face, and every training and measurement takes some: label faces, "
            "or find them with lineament dataset extract",
            {"pictures": len({row.path for row in rows if row.split is not None})},
        )
        return
    exactly = work.exactly()
    for name, own in faces.items():
        if not own:
            yield _no_faces(work, name, by_split[name], exactly)
    seen = {name: own for name, own in faces.items() if own}
    if work.plan.by == "subject":
        yield from _alone(seen)
    yield from _no_classes(work, seen, exactly)
    yield from _no_empty(work, by_split, exactly)


def _no_empty(
    work: Assignment, by_split: Mapping[str, Sequence[ManifestRow]], exactly: Sequence[Unit]
) -> Iterator[SplitDecision]:
    """Splits where no picture shows nobody, although there are enough for all: false alarms stay unseen."""
    empty = {
        name: {row.path for row in rows if row.outcome == "no_face"} for name, rows in by_split.items()
    }
    if sum(map(len, empty.values())) < len(by_split):
        return
    for name, own in empty.items():
        if own:
            continue
        way = "add some from other places, or try another --seed"
        if name in work.given.held:
            way = "it came so with the data; --resplit shares all of them out anew"
        elif not work.plan.exact and _has(exactly, name, "no_face"):
            way = "--exact gives it some"
        yield SplitDecision(
            "no_empty",
            f"warning: {name} holds no picture without a face, so false alarms are not seen there: {way}",
            {"split": name},
        )


def _no_faces(
    work: Assignment, name: str, rows: Sequence[ManifestRow], exactly: Sequence[Unit]
) -> SplitDecision:
    pictures = len({row.path for row in rows})
    what = purpose(name)
    lacks = f"{name} holds {quantity(pictures, 'picture')}, none with a face{f' {what}' if what else ''}"
    way = one_group(work)
    if name in work.given.held:
        way = f"it came so with the data; --resplit shares all of them out anew, or add faces to {name}"
    elif not work.plan.exact and _has(exactly, name, "ok"):
        way = f"--exact gives {name} some"
    return SplitDecision("no_face", f"warning: {lacks}: {way}", {"split": name, "pictures": pictures})


def _alone(faces: Mapping[str, Sequence[ManifestRow]]) -> Iterator[SplitDecision]:
    people = {name: {row.subject for row in own} - {None} for name, own in faces.items()}
    if len(set().union(*people.values())) < 2:
        return
    for name, own in people.items():
        if len(own) < 2:
            yield SplitDecision(
                "alone",
                f"warning: {name} holds {len(own) or 'no'} person, and telling people apart takes two or "
                "more: add people, or give it a larger share",
                {"split": name, "subjects": len(own)},
            )


def _no_classes(
    work: Assignment, faces: Mapping[str, Sequence[ManifestRow]], exactly: Sequence[Unit]
) -> Iterator[SplitDecision]:
    everyone = [row for own in faces.values() for row in own]
    for label in sorted({key for row in everyone for key in row.labels} - NO_GROUP):
        values = _values(everyone, label)
        if len(values) < 2 or (len(values) > _MOST_VALUES and label != CLASS):
            continue
        for name, own in faces.items():
            absent = sorted(values - _values(own, label))
            if not absent:
                continue
            told = ", ".join(absent[:_NAMED]) + (", ..." if len(absent) > _NAMED else "")
            with_exact = values & _values(
                [row for unit in exactly if unit.split == name for row in unit.rows], label
            )
            way = f"add pictures of {'it' if len(absent) == 1 else 'them'}, or try another --seed"
            if name in work.given.held:
                way = "it came so with the data; --resplit shares all of them out anew"
            elif not work.plan.exact and with_exact >= values:
                way = "--exact gives it every one"
            yield SplitDecision(
                "no_class",
                f"warning: {name} holds no picture with {len(absent)} of the {len(values)} values of "
                f"{label!r} ({told}), so nothing can be said of them there: {way}",
                {"split": name, "label": label, "values": absent},
            )


def _values(rows: Iterable[ManifestRow], label: str) -> set[str]:
    found = {row.labels.get(label) for row in rows} - {None}
    return {tables.number_text(one) if isinstance(one, (int, float)) else str(one) for one in found}


def _has(units: Iterable[Unit], split: str, outcome: str) -> bool:
    return any(row.outcome == outcome for unit in units if unit.split == split for row in unit.rows)
