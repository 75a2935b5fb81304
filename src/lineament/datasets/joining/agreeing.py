"""What two data sets say of one picture, together: the same, more, or something else.

What one of them leaves out does not make them differ. So labels add up, a person's name goes to the only
face that another labels, and boxes of a class that one set does not have at all (heads beside faces) stand
beside its own. They differ where both tell another thing: a name, a label, how many boxes of a class, or
where.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lineament.counting import quantity
from lineament.datasets.formats._labelled import kind_of
from lineament.datasets.given import meaning
from lineament.io.manifest import ManifestRow, Provenance
from lineament.kinds import is_face

_NEAR_PX = 1.5
_NEAR_SHARE = 0.02
"""How far sides of one box may lie apart, in pixels or as a share of it: tools round, count from 0 or 1."""
_NOT_TOLD = ("source_name",)
"""Labels of the file, not of what is on it: a service gives each upload a name of its own."""
_HELD_OUT = ("test", "val")


class Differing(Exception):
    """Two data sets contradict each other; its text says in what."""


@dataclass(slots=True)
class Together:
    """``rows`` of one picture, ids of the second's by those ``taken`` for them, and what is remarkable.

    ``notes`` are kinds of problems: the two gave it to different splits, under different licences, or one
    of them refused it.
    """

    rows: list[ManifestRow]
    taken: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def together(
    first: Sequence[ManifestRow],
    second: Sequence[ManifestRow],
    first_knows: Collection[str],
    second_knows: Collection[str],
) -> Together:
    """The rows that both say of one picture; raises `Differing`.

    ``first_knows`` and ``second_knows`` are the classes that each data set has boxes of anywhere. Rows keep
    the ids and path of the first.
    """
    found = Together([])
    if _refused(first) or _refused(second):
        found.rows = list(second if _refused(first) and not _refused(second) else first)
        found.rows = [replace(row, path=first[0].path) for row in found.rows]
        if _refused(first) != _refused(second):
            found.notes.append("refused_in_one_set")
    elif not _located(first) or not _located(second):
        _of_whole_pictures(found, first, second)
    else:
        _of_boxes(found, first, second, first_knows, second_knows)
    return _common(found, first, second)


def kind(row: ManifestRow) -> str:
    """The class of a row's box."""
    return kind_of(row.labels)[0]


def _refused(rows: Sequence[ManifestRow]) -> bool:
    return all(row.outcome == "refused" for row in rows)


def _located(rows: Sequence[ManifestRow]) -> bool:
    """Whether it is known where the faces are, if there are any."""
    return any(row.box is not None or row.outcome == "no_face" for row in rows)


def _of_whole_pictures(
    found: Together, first: Sequence[ManifestRow], second: Sequence[ManifestRow]
) -> None:
    """One of them names who or what is on the picture, not where."""
    if len(first) == len(second) == 1 and "no_face" not in (first[0].outcome, second[0].outcome):
        found.rows.append(_merged(first[0], second[0]))
        found.taken[second[0].id] = first[0].id
        return
    plain, placed = (second, first) if _located(first) else (first, second)
    faces = [row for row in placed if row.box is not None and is_face(kind(row))]
    if len(plain) == len(faces) == 1:
        # The name is the face's, whatever else (a head) has a box.
        others = [row for row in placed if row is not faces[0]]
        one, other = (faces[0], plain[0]) if plain is second else (plain[0], faces[0])
        found.rows = [_merged(one, other), *(replace(row, path=first[0].path) for row in others)]
        found.taken[other.id] = one.id
        return
    if any(row.subject is not None or _told(row) for row in plain):
        seen = "no face" if placed[0].outcome == "no_face" else quantity(len(placed), "box")
        raise Differing(f"{_name(plain[0])} and {seen}")
    found.rows += [replace(row, path=first[0].path) for row in placed]
    found.taken |= {row.id: found.rows[0].id for row in plain if plain is second}


def _of_boxes(
    found: Together,
    first: Sequence[ManifestRow],
    second: Sequence[ManifestRow],
    first_knows: Collection[str],
    second_knows: Collection[str],
) -> None:
    ones, others = _by_kind(first), _by_kind(second)
    for name in sorted(ones.keys() | others.keys()):
        mine, theirs = ones.get(name, []), others.get(name, [])
        if name not in second_knows:
            found.rows += mine
        elif name not in first_knows:
            found.rows += [replace(row, path=first[0].path) for row in theirs]
        elif len(mine) != len(theirs):
            raise Differing(f"{len(mine)} and {quantity(len(theirs), 'box')} of the class {name}")
        else:
            for row, other in _pairs(mine, theirs, name):
                found.rows.append(_merged(row, other))
                found.taken[other.id] = row.id
    if not found.rows:
        found.rows = list(first[:1])
        found.taken |= {row.id: first[0].id for row in second}


def _by_kind(rows: Sequence[ManifestRow]) -> Mapping[str, list[ManifestRow]]:
    kinds: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        if row.box is not None:
            kinds[kind(row)].append(row)
    return kinds


def _pairs(
    mine: Sequence[ManifestRow], theirs: Sequence[ManifestRow], name: str
) -> list[tuple[ManifestRow, ManifestRow]]:
    """Each box with the nearest that is left."""
    left, pairs = list(theirs), []
    for row in mine:
        best = min(left, key=lambda other: _distance(row, other))
        if not _distance(row, best) <= _allowed(row):
            raise Differing(f"boxes of the class {name} at other places")
        left.remove(best)
        pairs.append((row, best))
    return pairs


def _distance(a: ManifestRow, b: ManifestRow) -> float:
    assert a.box is not None and b.box is not None
    return max(abs(x - y) for x, y in zip(a.box, b.box, strict=True))


def _allowed(row: ManifestRow) -> float:
    assert row.box is not None
    x1, y1, x2, y2 = row.box
    return max(_NEAR_PX, _NEAR_SHARE * max(x2 - x1, y2 - y1))


def _merged(a: ManifestRow, b: ManifestRow) -> ManifestRow:
    if None not in (a.subject, b.subject) and a.subject != b.subject:
        raise Differing(f"subject {a.subject} and {b.subject}")
    for label in sorted(a.labels.keys() & b.labels.keys() - set(_NOT_TOLD)):
        if not _equal(a.labels[label], b.labels[label]):
            raise Differing(f"{label} {a.labels[label]} and {b.labels[label]}")
    return replace(
        a,
        subject=a.subject if a.subject is not None else b.subject,
        labels={**b.labels, **a.labels},
        box=a.box if a.box is not None else b.box,
        landmarks=a.landmarks if a.landmarks is not None else b.landmarks,
        size_wh=a.size_wh or b.size_wh,
        quality=a.quality if a.quality is not None else b.quality,
        parent=a.parent if a.parent is not None else b.parent,
    )


def _equal(a: str | float, b: str | float) -> bool:
    if a == b:
        return True
    try:
        return math.isclose(float(a), float(b))
    except ValueError:
        return False


def _told(row: ManifestRow) -> set[str]:
    return set(row.labels) - set(_NOT_TOLD)


def _name(row: ManifestRow) -> str:
    told = [f"subject {row.subject}"] if row.subject is not None else []
    return ", ".join([*told, *(f"{key} {row.labels[key]}" for key in sorted(_told(row)))])


def _common(found: Together, first: Sequence[ManifestRow], second: Sequence[ManifestRow]) -> Together:
    """What is of the picture, not of a face: its split, where it came from, and on what terms."""
    splits = {row.split for row in (*first, *second)}
    split = _most_held_out(first[0].split, second[0].split)
    if len({meaning(name) for name in splits if name is not None}) > 1:
        found.notes.append("in_two_splits")
    one, other = first[0].provenance, second[0].provenance
    if None not in (one.licence, other.licence) and one.licence != other.licence:
        found.notes.append("two_licences")
    source = _both(one, other)
    found.rows = [replace(row, split=split, provenance=source) for row in found.rows]
    return found


def _most_held_out(a: str | None, b: str | None) -> str | None:
    """A picture that somebody keeps for the test is no training picture, whoever else trains on it."""
    for name in _HELD_OUT:
        for split in (a, b):
            if split is not None and meaning(split) == name:
                return split
    return a if a is not None else b


def _both(a: Provenance, b: Provenance) -> Provenance:
    values = {
        name: mine if mine is not None else getattr(b, name)
        for name, mine in ((name, getattr(a, name)) for name in Provenance.__dataclass_fields__)
    }
    if None not in (a.licence, b.licence) and a.licence != b.licence:
        values["licence"] = " and ".join(dict.fromkeys([*str(a.licence).split(" and "), str(b.licence)]))
    return Provenance(**values)
