"""What people decide about an album, what each decision does, and how it is taken back.

same        the clusters and faces named become one cluster, under the name one of them has
different   they are of several people: a cluster that holds two of them is divided, and no run joins them
not-a-face  the faces named are none: no run looks at them again
ignore      a cluster is of a stranger: it is left out of answers, and takes faces of that person in silence
mixed       a cluster is of several people: it is divided, and no run joins the parts again
name        the cluster is of a person of that name
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from lineament.albums import arranging
from lineament.albums.file import Contents
from lineament.albums.records import (
    AlbumDecision,
    AlbumFace,
    Before,
    Cluster,
    Kind,
    Proposal,
    Reference,
    Standing,
)
from lineament.counting import quantity
from lineament.errors import AlbumError, Contradiction, LineamentError, UnknownReference, UsageError
from lineament.gallery.subjects import normal, require_valid

_SPEAKERS = 5
"""Faces that stand for a part when it is kept apart: a part is not joined piece by piece."""


def members(held: Contents, about: Reference) -> list[AlbumFace]:
    """The faces of a cluster, or the one face; raises `UnknownReference`."""
    if about.kind == "f":
        if about.number not in held.faces:
            raise UnknownReference(
                f"{about}: the album holds no such face; `lineament album show` lists them"
            )
        return [held.faces[about.number]]
    if about.number not in held.clusters:
        raise UnknownReference(
            f"{about}: the album holds no such cluster; `lineament album show` lists them"
        )
    return [face for _, face in sorted(held.faces.items()) if face.cluster == about.number]


def decide(
    held: Contents, kind: Kind, about: Sequence[Reference], name: str | None = None
) -> AlbumDecision:
    """Do what was decided, and write it into the history; where it raises, nothing was changed."""
    fewest = 2 if kind in ("same", "different") else 1
    if len(about) < fewest:
        raise UsageError(f"{kind} is said of at least {quantity(fewest, 'cluster')} or faces")
    groups = [members(held, one) for one in about]
    touched = {face.number for group in groups for face in group}
    touched |= {face.number for face in held.faces.values() if face.cluster in _clusters(groups)}
    before = _state(held, touched)
    clusters = dict(held.clusters)
    try:
        parts = _done(held, kind, about, groups, name)
    except LineamentError:
        held.clusters = clusters
        _bring_back(held, before)
        raise
    _drop_empty(held)
    return _written(held, kind, about, parts, replace(before, clusters=_changed(clusters, held.clusters)))


def _done(
    held: Contents,
    kind: Kind,
    about: Sequence[Reference],
    groups: Sequence[list[AlbumFace]],
    name: str | None,
) -> list[list[AlbumFace]]:
    """Do it; the groups that are never to be joined again."""
    if kind == "same":
        _same(held, groups)
    elif kind == "different":
        return _different(held, groups)
    elif kind == "not-a-face":
        _require_faces(about)
        for group in groups:
            group[0].put(Standing(status="not-a-face"))
    elif kind == "ignore":
        for group in groups:
            number = _cluster_of(held, group)
            held.clusters[number] = replace(held.clusters[number], ignored=True)
    elif kind == "mixed":
        return [part for one, group in zip(about, groups, strict=True) for part in _mixed(held, one, group)]
    else:
        _name(held, groups, name)
    return []


def _bring_back(held: Contents, before: Before) -> None:
    for number, standing in before.faces.items():
        if (face := held.faces.get(int(number))) is not None:
            face.put(standing)
            if standing.cluster is not None:
                held.clusters.setdefault(standing.cluster, Cluster(standing.cluster))


def undo(held: Contents) -> AlbumDecision:
    """Bring back what the last decision changed; raises `AlbumError` where there is none."""
    at = next((i for i in range(len(held.decisions) - 1, -1, -1) if not held.decisions[i].undone), None)
    if at is None:
        raise AlbumError("nothing was decided that could be taken back")
    decision = held.decisions[at]
    for number, cluster in decision.before.clusters.items():
        if cluster is None:
            left = [face for face in held.faces.values() if face.cluster == int(number)]
            for face in left:  # those that came since find their cluster at the next run
                face.join(None)
            held.clusters.pop(int(number), None)
        else:
            held.clusters[int(number)] = cluster
    _bring_back(held, decision.before)
    held.decisions[at] = replace(decision, undone=True)
    _drop_empty(held)
    return held.decisions[at]


def forget(held: Contents, about: Sequence[Reference]) -> int:
    """Erase the faces, and every trace of them in the history."""
    gone = {face.number for one in about for face in members(held, one)}
    lost = {one.number for one in about if one.kind == "p"}
    for number in gone:
        del held.faces[number]
    _drop_empty(held)
    held.decisions = [kept for d in held.decisions if (kept := _without(d, gone, lost)) is not None]
    held.proposals = [one for one in held.proposals if is_open(held, one)]
    return len(gone)


def is_open(held: Contents, proposal: Proposal) -> bool:
    """Whether a proposal still speaks of what is there, and nobody decided on it."""
    about = [Reference.of(text) for text in proposal.about]
    for one in about:
        there = held.clusters if one.kind == "p" else held.faces
        if one.number not in there or (one.kind == "p" and held.clusters[one.number].ignored):
            return False
    if proposal.kind == "mixed":
        return all(held.faces[one.number].cluster == about[0].number for one in about[1:])
    groups = [{face.number for face in members(held, one)} for one in about]
    settled = any(
        face.cluster is not None or face.status
        for one in about
        if one.kind == "f"
        for face in members(held, one)
    )
    return not settled and not any(
        (a in groups[0] and b in groups[1]) or (b in groups[0] and a in groups[1])
        for a, b in arranging.apart(held)
    )


# What each decision does


def _same(held: Contents, groups: Sequence[list[AlbumFace]]) -> None:
    faces = [face for group in groups for face in group]
    if any(face.status for face in faces):
        raise Contradiction("one of them is not a face, as somebody decided; take that back first: undo")
    rows = {face.number for face in faces}
    for decision in held.decisions:
        among = sum(any(n in rows for n in part) for part in decision.parts)
        if decision.kind == "different" and not decision.undone and among > 1:
            raise Contradiction(
                f"decision {decision.number} says that they are different: {' '.join(decision.about)}; "
                "take it back first (undo), if it was wrong"
            )
    numbers = sorted({face.cluster for face in faces if face.cluster is not None})
    names = {name for number in numbers if (name := held.clusters[number].name) is not None}
    if len(names) > 1:
        raise Contradiction(
            f"they have {quantity(len(names), 'name')}; undo the naming of one, if both are one person"
        )
    named = [number for number in numbers if held.clusters[number].name is not None]
    to = (named or numbers or [arranging.found(held)])[0]
    for number in numbers:
        if number != to:
            faces += [face for face in held.faces.values() if face.cluster == number]
    for face in faces:
        # A face that was in none may be unlike the others, or no run had left it alone.
        face.join(to, face.strand if face.cluster is not None else _new_strand(held))
    held.clusters[to] = replace(
        held.clusters[to], ignored=all(held.clusters[n].ignored for n in [*numbers, to])
    )


def _new_strand(held: Contents) -> int:
    held.next_cluster += 1
    return held.next_cluster - 1


def _different(held: Contents, groups: Sequence[list[AlbumFace]]) -> list[list[AlbumFace]]:
    numbers = [face.number for group in groups for face in group]
    if len(set(numbers)) < len(numbers):
        raise UsageError("a face and the cluster that it is in: say `mixed`, or name two faces")
    for i, group in enumerate(groups):
        for other in groups[:i]:
            a, b = group[0], other[0]
            if a.cluster is not None and a.cluster == b.cluster:
                whole = members(held, Reference("p", a.cluster))
                _settle(held, a.cluster, arranging.divided(held, whole, [(a.number, b.number)]))
    return list(groups)


def _mixed(held: Contents, about: Reference, group: Sequence[AlbumFace]) -> list[list[AlbumFace]]:
    if about.kind == "f":
        raise UsageError(f"{about}: a face is of one person; mixed is said of a cluster (p3)")
    parts = arranging.divided(held, group)
    _settle(held, about.number, parts)
    return parts


def _settle(held: Contents, number: int, parts: Sequence[list[AlbumFace]]) -> None:
    """The largest part keeps the number, other groups get new ones, single faces none."""
    for part in parts[1:]:
        to = arranging.found(held) if len(part) > 1 else None
        for face in part:
            face.join(to)
    for face in parts[0]:
        face.join(number)


def _name(held: Contents, groups: Sequence[list[AlbumFace]], name: str | None) -> None:
    require_valid(name)
    assert name is not None
    if len(groups) > 1:
        raise UsageError("name one cluster at a time; clusters of one person become one by `same`")
    number = _cluster_of(held, groups[0])
    for other in held.clusters.values():
        if other.number != number and other.name is not None and normal(other.name) == normal(name):
            raise Contradiction(
                f"p{other.number} has that name already; if both are one person: same p{number} "
                f"p{other.number}"
            )
    held.clusters[number] = replace(held.clusters[number], name=name, ignored=False)


def _cluster_of(held: Contents, group: Sequence[AlbumFace]) -> int:
    """The cluster of a group; a face that is in none gets one."""
    if any(face.status for face in group):
        raise Contradiction("it is not a face, as somebody decided; take that back first: undo")
    if group[0].cluster is None:
        group[0].join(arranging.found(held))
    assert group[0].cluster is not None
    return group[0].cluster


def _require_faces(about: Sequence[Reference]) -> None:
    for one in about:
        if one.kind == "p":
            raise UsageError(f"{one}: say which of its faces is none (f17)")


# The history


def _clusters(groups: Sequence[Sequence[AlbumFace]]) -> set[int]:
    return {face.cluster for group in groups for face in group if face.cluster is not None}


def _state(held: Contents, touched: set[int]) -> Before:
    return Before({str(n): held.faces[n].standing for n in sorted(touched)})


def _changed(before: dict[int, Cluster], after: dict[int, Cluster]) -> dict[str, Cluster | None]:
    return {str(n): before.get(n) for n in sorted({*before, *after}) if before.get(n) != after.get(n)}


def _written(
    held: Contents,
    kind: Kind,
    about: Sequence[Reference],
    parts: Sequence[Sequence[AlbumFace]],
    before: Before,
) -> AlbumDecision:
    decision = AlbumDecision(
        number=1 + max((one.number for one in held.decisions), default=0),
        kind=kind,
        about=tuple(map(str, about)),
        parts=tuple(tuple(face.number for face in part[:_SPEAKERS]) for part in parts),
        before=before,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    held.decisions.append(decision)
    return decision


def _drop_empty(held: Contents) -> None:
    """A cluster ends with its last face; its number is not given again."""
    full = {face.cluster for face in held.faces.values()}
    for number in [number for number in held.clusters if number not in full]:
        del held.clusters[number]


def _without(decision: AlbumDecision, gone: set[int], lost: set[int]) -> AlbumDecision | None:
    """The decision without faces and clusters that were erased; None where nothing is left of it."""
    about = tuple(
        text
        for text in decision.about
        if (one := Reference.of(text)).number not in (gone if one.kind == "f" else lost)
    )
    if not about:
        return None
    before = Before(
        {number: was for number, was in decision.before.faces.items() if int(number) not in gone},
        {number: was for number, was in decision.before.clusters.items() if int(number) not in lost},
    )
    parts = tuple(tuple(n for n in part if n not in gone) for part in decision.parts)
    return replace(decision, about=about, parts=parts, before=before)
