"""The file of an album: JSON Lines, written whole or not at all, read by nobody else.

It holds embeddings and decisions, and of the photos no more than where they lie and the SHA-256 of their
bytes: photos are never moved, changed or copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lineament import typed
from lineament.albums.records import AlbumDecision, AlbumFace, Cluster, Photo, Proposal, Status
from lineament.documents import Malformed, json_of, lines_of
from lineament.errors import AlbumError, InvalidArray
from lineament.io.own_files import ALBUM
from lineament.io.writing import replacing
from lineament.shown import shown
from lineament.types import ModelId

VERSION = 1
FILE_NAME = "album.jsonl"
_KEY = "lineament_album"


@dataclass(slots=True, eq=False)
class Contents:
    """Everything an album holds; ``next_face`` and ``next_cluster`` are numbers never given yet."""

    model: ModelId | None = None
    detector: str | None = None
    next_face: int = 1
    next_cluster: int = 1
    photos: dict[str, Photo] = field(default_factory=dict)
    faces: dict[int, AlbumFace] = field(default_factory=dict)
    clusters: dict[int, Cluster] = field(default_factory=dict)
    decisions: list[AlbumDecision] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)

    __repr__ = shown


@dataclass(frozen=True, slots=True)
class _Header:
    lineament_album: int
    lines: int
    model: ModelId | None
    detector: str | None
    next_face: int
    next_cluster: int


def save(path: Path, held: Contents) -> None:
    """Write atomically; raises `OutputError`, and `WouldOverwrite` for a file that is no album."""
    lines = list(_lines(held))
    header = _Header(VERSION, len(lines), held.model, held.detector, held.next_face, held.next_cluster)
    with replacing(path, ALBUM) as file:
        file.write(_text(asdict(header)))
        for line in lines:
            file.write(_text(line))


def _lines(held: Contents) -> Iterator[dict[str, Any]]:
    yield from ({"photo": asdict(photo)} for photo in held.photos.values())
    yield from ({"face": face.to_json()} for face in held.faces.values())
    yield from ({"cluster": asdict(cluster)} for cluster in held.clusters.values())
    yield from ({"decision": decision.to_json()} for decision in held.decisions)
    yield from ({"proposal": asdict(proposal)} for proposal in held.proposals)


def _text(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"


def load(path: Path) -> Contents:
    """Read an album; raises `AlbumError` naming the line that is wrong."""
    number = 1
    try:
        with path.open("rb") as file:
            lines = lines_of(file)
            first = json_of(next(lines, b""))
            if not isinstance(first, dict) or _KEY not in first:
                raise AlbumError(f"{path}: is no album; name a folder that `lineament cluster` filled")
            if typed.whole(first[_KEY]) > VERSION:
                raise AlbumError(f"{path}: written by a newer lineament; update to read it")
            header = typed.build(_Header, first)
            held = Contents(header.model, header.detector, header.next_face, header.next_cluster)
            for line in lines:
                number += 1
                _take(held, json_of(line))
    except OSError as error:
        raise AlbumError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (Malformed, ValueError, KeyError, TypeError, InvalidArray) as error:
        raise AlbumError(f"{path}, line {number}: damaged: {error}") from None
    if number - 1 != header.lines:
        raise AlbumError(f"{path}: announces {header.lines} lines and holds {number - 1}: it was cut off")
    return held


def face_of(values: Any) -> AlbumFace:
    """The face of `AlbumFace.to_json`; raises `ValueError` for what is none."""
    values = dict(typed.table(values))
    vector = AlbumFace.vector_of(typed.text(values.pop("vector")))
    stored = typed.build(_StoredFace, values)
    return AlbumFace(vector=vector, **asdict(stored))


@dataclass(frozen=True, slots=True)
class _StoredFace:
    """`AlbumFace` without its vector."""

    number: int
    photo: str
    face: int
    box: tuple[float, float, float, float]
    length: float | None = None
    quality: float | None = None
    age: float | None = None
    cluster: int | None = None
    strand: int | None = None
    status: Status = ""


def _take(held: Contents, values: Any) -> None:
    [(kind, inner)] = typed.table(values).items()
    if kind == "photo":
        photo = typed.build(Photo, inner)
        held.photos[photo.sha256] = photo
    elif kind == "face":
        face = face_of(inner)
        held.faces[face.number] = face
    elif kind == "cluster":
        cluster = typed.build(Cluster, inner)
        held.clusters[cluster.number] = cluster
    elif kind == "decision":
        held.decisions.append(typed.build(AlbumDecision, inner))
    elif kind == "proposal":
        held.proposals.append(typed.build(Proposal, inner))
    else:
        raise ValueError(f"unknown line {kind!r:.40}")
