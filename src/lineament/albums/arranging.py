"""Grouping the faces of an album: new faces find their person, clusters keep their numbers.

Clusters that are there stay whole and are never joined by themselves; what now looks wrong about them
becomes a proposal. What people decided holds: it is made into the rules of `lineament.albums.clustering`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lineament.albums.clustering import Groups, Rules, agglomerate, parts
from lineament.albums.evidence import Evidence, Linkage, linkage_of
from lineament.albums.file import Contents
from lineament.albums.neighbours import graph
from lineament.albums.records import AlbumFace, Cluster, Proposal
from lineament.errors import Contradiction
from lineament.protocols import Advance

SMALL_CHILD_YEARS = 8.0
"""Estimated age below which a face is joined with nobody by itself.

Small children look alike to embedders: of pairs of UTKFace's 303 faces of children up to 5 years 29 % reach
the similarity that joins, of pairs of adults 0.014 %. Of those faces 92 % are estimated younger than this,
and of all their pairs 0.02 % are left to join. It holds back 0.1 % of 2,504 faces from 16 years on, and 7 %
of blurred ones: of those the age is estimated badly, and a person says who they are.
"""

_LOOSE = 0.06
"""A face that lies so far below the bar is what a cluster is proposed to be mixed for."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """What a run did: faces that joined clusters there were, faces of ``clusters`` new ones, the rest."""

    joined: int = 0
    founded: int = 0
    clusters: int = 0
    alone: int = 0
    children: int = 0


def arrange(
    held: Contents, *, linkage: Linkage | None = None, advance: Advance = lambda _count: None
) -> Arranged:
    """Put the faces without a cluster into one, and make the proposals anew; changes ``held``.

    ``advance`` is told of faces, once each when they were compared.
    """
    faces = usable(held)
    if not faces or held.model is None:
        held.proposals = []
        return Arranged()
    linkage = linkage or linkage_of(held.model)
    groups = grouped(faces, rules_of(held, faces), linkage, advance=advance)
    rows = parts(groups.labels, range(len(faces)))
    joined = founded = clusters = 0
    for rows_of in rows:
        members = [faces[row] for row in rows_of]
        at = next((face.standing for face in members if face.cluster is not None), None)
        known, strand = (None, None) if at is None else (at.cluster, at.strand)
        new = [face for face in members if face.cluster is None]
        if known is None and len(members) > 1:
            known = found(held)
            clusters += 1
            founded += len(members)
        elif known is not None:
            joined += len(new)
        if known is not None:
            for face in new:
                face.join(known, strand)
    held.proposals = [*_same(held, faces, groups), *_mixed(held, faces, linkage)]
    lone = [face for face in faces if face.cluster is None]
    return Arranged(joined, founded, clusters, len(lone), sum(map(is_small_child, lone)))


def usable(held: Contents) -> list[AlbumFace]:
    """The faces that are faces, in the order of their numbers."""
    return [face for _, face in sorted(held.faces.items()) if face.status == ""]


def found(held: Contents) -> int:
    """The number of a new cluster."""
    number = held.next_cluster
    held.next_cluster += 1
    held.clusters[number] = Cluster(number)
    return number


def is_small_child(face: AlbumFace) -> bool:
    """Whether a face is of somebody so young that others of that age look alike."""
    return face.age is not None and face.age < SMALL_CHILD_YEARS


def grouped(
    faces: Sequence[AlbumFace],
    rules: Rules,
    linkage: Linkage,
    *,
    bar: float = 0.0,
    advance: Advance = lambda _count: None,
) -> Groups:
    """Groups of faces under the rules."""
    vectors = np.stack([face.vector for face in faces])
    unknown = np.inf  # does not count against a face
    lengths = np.array([unknown if face.length is None else face.length for face in faces], np.float32)
    near = graph(vectors, floor=linkage.floor, advance=advance)
    return agglomerate(Evidence(vectors, lengths, linkage), near, rules, bar=bar)


def rules_of(held: Contents, faces: Sequence[AlbumFace], *, free: Iterable[AlbumFace] = ()) -> Rules:
    """What is known of these faces; those that are ``free`` are held by no cluster."""
    loose = {face.number for face in free}
    rows = {face.number: row for row, face in enumerate(faces)}
    photos = {photo: i for i, photo in enumerate(held.photos)}
    return Rules(
        held=np.array([_strand(face, loose) for face in faces], np.intp),
        photos=np.array([photos[face.photo] for face in faces], np.intp),
        alone=np.array([is_small_child(face) for face in faces], bool),
        apart=[(rows[a], rows[b]) for a, b in apart(held) if a in rows and b in rows],
    )


def _strand(face: AlbumFace, loose: set[int]) -> int:
    if face.cluster is None or face.strand is None or face.number in loose:
        return -1
    return face.strand


def apart(held: Contents) -> set[tuple[int, int]]:
    """Pairs of faces that are of two people, as somebody decided and did not take back.

    A later "same" stands above an earlier "mixed": faces that are in one cluster now are not apart.
    """
    pairs: set[tuple[int, int]] = set()
    for decision in held.decisions:
        if decision.undone:
            continue
        groups = [[n for n in part if n in held.faces] for part in decision.parts]
        for i, one in enumerate(groups):
            for other in groups[:i]:
                pairs |= {(a, b) for a in one for b in other if not _together(held, a, b)}
    return pairs


def _together(held: Contents, a: int, b: int) -> bool:
    cluster = held.faces[a].cluster
    return cluster is not None and cluster == held.faces[b].cluster


def divided(
    held: Contents, members: Sequence[AlbumFace], apart_too: Sequence[tuple[int, int]] = ()
) -> list[list[AlbumFace]]:
    """One cluster as two groups or more, the largest first.

    Its faces are grouped anew; where that gives one group, the last join is taken back. ``apart_too`` are
    numbers of faces of two people. Raises `Contradiction` for a cluster of one face.
    """
    if len(members) < 2 or held.model is None:
        raise Contradiction("a cluster of one face holds nobody else")
    rules = rules_of(held, members, free=members)
    rows = {face.number: row for row, face in enumerate(members)}
    known = [*rules.apart, *((rows[a], rows[b]) for a, b in apart_too)]
    nobody = np.zeros(len(members), bool)
    groups = grouped(members, Rules(rules.held, rules.photos, nobody, known), linkage_of(held.model))
    labels = groups.labels
    if len(set(labels.tolist())) == 1:
        labels = _replayed(len(members), groups.steps[:-1])
    return [[members[row] for row in part] for part in parts(labels, range(len(members)))]


def _replayed(size: int, steps: Iterable[tuple[int, int]]) -> np.ndarray:
    labels = np.arange(size)
    for a, b in steps:
        labels[labels == b] = a
    return labels


def _same(held: Contents, faces: Sequence[AlbumFace], groups: Groups) -> list[Proposal]:
    found = []
    for a, b, gain in groups.open:
        about = sorted(
            {_reference(faces[row]) for row in (a, b)}, key=lambda text: (text[0], int(text[1:]))
        )
        if len(about) < 2 or any(_ignored(held, faces[row]) for row in (a, b)):
            continue
        child = is_small_child(faces[a]) or is_small_child(faces[b])
        found.append(
            Proposal("same", tuple(about), round(gain, 4), "a small child" if child else "two clusters")
        )
    return found


def _mixed(held: Contents, faces: Sequence[AlbumFace], linkage: Linkage) -> list[Proposal]:
    """Clusters of which some faces would not be joined with the rest today."""
    members: dict[tuple[int, int | None], list[AlbumFace]] = {}
    for face in faces:
        if face.cluster is not None:
            members.setdefault((face.cluster, face.strand), []).append(face)
    found = []
    for (number, _), own in members.items():
        if len(own) < 3 or held.clusters[number].ignored:
            continue
        vectors = np.stack([face.vector for face in own]).astype(np.float64)
        rest = vectors.sum(axis=0) - vectors
        count = len(own) - 1
        like = np.maximum((rest * rest).sum(axis=1) / count**2, 1e-3) ** linkage.power
        short = linkage.value - (vectors * rest).sum(axis=1) / count / like
        odd = np.flatnonzero(short >= _LOOSE)
        if len(odd):
            about = (f"p{number}", *(f"f{own[i].number}" for i in odd[np.argsort(-short[odd])][:12]))
            found.append(Proposal("mixed", about, round(float(short.max()), 4), "unlike the others"))
    return sorted(found, key=lambda one: -one.evidence)


def _reference(face: AlbumFace) -> str:
    return f"f{face.number}" if face.cluster is None else f"p{face.cluster}"


def _ignored(held: Contents, face: AlbumFace) -> bool:
    return face.cluster is not None and held.clusters[face.cluster].ignored
