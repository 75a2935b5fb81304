"""An album as one HTML file that needs nothing else: faces by cluster, and the command for each change."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from lineament.albums.album import Album
from lineament.albums.arranging import is_small_child
from lineament.albums.portraits import portraits
from lineament.albums.records import AlbumFace, Cluster, Proposal, Reference
from lineament.io import pages

MOST_CLUSTERS, MOST_FACES, MOST_ALONE, MOST_PROPOSALS = 200, 24, 96, 60
"""On one page; how many more there are is said."""
_EACH_SIDE = 6


def render(album: Album, title: str) -> str:
    """The page. Faces are cut from the photos now; of a photo that is gone they are grey."""
    clusters = album.clusters()
    shown = clusters[:MOST_CLUSTERS]
    proposals = album.proposals()
    alone = [face for face in album.faces() if face.cluster is None and not face.status]
    seen = [face for _, faces in shown for face in faces[:MOST_FACES]] + alone[:MOST_ALONE]
    seen += [face for one in proposals[:MOST_PROPOSALS] for side in _sides(album, one) for face in side]
    pictures = _pictures(album, seen)
    folder = shlex.quote(str(album.path)) if album.path is not None else "DIR"
    return pages.page(
        "lineament.albums",
        "album.html.j2",
        {
            "title": title,
            "command": f"lineament album {{}} {folder}",
            "stored": album.path is not None,
            "photos": len(album.photos()),
            "faces": len(album.faces()),
            "clusters": [_cluster(album, one, faces, pictures) for one, faces in shown],
            "more_clusters": len(clusters) - len(shown),
            "proposals": [_proposal(album, one, pictures) for one in proposals[:MOST_PROPOSALS]],
            "more_proposals": max(0, len(proposals) - MOST_PROPOSALS),
            "alone": [_face(album, face, pictures) for face in alone[:MOST_ALONE]],
            "more_alone": max(0, len(alone) - MOST_ALONE),
            "children": sum(map(is_small_child, alone)),
        },
    )


def _pictures(album: Album, faces: Sequence[AlbumFace]) -> dict[int, str]:
    """Each photo is decoded once."""
    by_photo: dict[str, dict[int, AlbumFace]] = {}
    for face in faces:
        by_photo.setdefault(album.photo(face).path, {})[face.number] = face
    found: dict[int, str] = {}
    for path, own in by_photo.items():
        found |= portraits(path, own.values())
    return found


def _cluster(
    album: Album, cluster: Cluster, faces: Sequence[AlbumFace], pictures: dict[int, str]
) -> dict[str, Any]:
    return {
        "reference": f"p{cluster.number}",
        "name": cluster.name,
        "ignored": cluster.ignored,
        "size": len(faces),
        "photos": len({face.photo for face in faces}),
        "faces": [_face(album, face, pictures) for face in faces[:MOST_FACES]],
        "more": max(0, len(faces) - MOST_FACES),
    }


def _face(album: Album, face: AlbumFace, pictures: dict[int, str]) -> dict[str, Any]:
    picture, path = pictures[face.number], album.photo(face).path
    return {"reference": f"f{face.number}", "picture": picture, "path": path}


def _proposal(album: Album, proposal: Proposal, pictures: dict[int, str]) -> dict[str, Any]:
    sides = [[_face(album, face, pictures) for face in side] for side in _sides(album, proposal)]
    if proposal.kind == "mixed":
        return {"kind": "mixed", "about": proposal.about[:1], "odd": proposal.about[1:], "sides": sides}
    return {"kind": "same", "about": proposal.about, "odd": (), "sides": sides, "why": proposal.why}


def _sides(album: Album, proposal: Proposal) -> list[list[AlbumFace]]:
    """Of a mixed cluster the rest and those unlike it, of two groups each."""
    about = [album.members(Reference.of(text)) for text in proposal.about]
    if proposal.kind == "mixed":
        odd = [face for faces in about[1:] for face in faces]
        numbers = {face.number for face in odd}
        about = [[face for face in about[0] if face.number not in numbers], odd]
    return [side[:_EACH_SIDE] for side in about]
