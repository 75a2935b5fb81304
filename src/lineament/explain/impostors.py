"""The nearest impostors of a face: who else is most like it, in a folder a person or in a gallery."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer, central_face
from lineament.config import several
from lineament.counting import quantity
from lineament.errors import FaceError, InsufficientData, ModelMismatch, PictureError
from lineament.io import sources
from lineament.protocols import Advance
from lineament.scoring.similarity import normalise
from lineament.shown import shown
from lineament.stores import open_store
from lineament.types import Float32, ModelId, UInt8


@dataclass(frozen=True, slots=True)
class Impostor:
    """Somebody else: the subject, how similar, and the picture where there is one."""

    subject: str
    similarity: float
    picture: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Embeddings float32 ``(N, D)`` of unit length with subject and picture of each.

    ``failures`` are the pictures that gave no face, with the reason.
    """

    embeddings: Float32
    subjects: tuple[str, ...]
    pictures: tuple[str, ...]
    failures: dict[str, str]

    __repr__ = shown


def crowd(folder: Path, analyzer: Analyzer, *, advance: Advance | None = None) -> Crowd:
    """Embed the face nearest the centre of each picture of a folder a person.

    Raises `InsufficientData` when not one picture gives a face.
    """
    people = [(subject, str(file)) for subject, files in sources.people(folder) for file in files]
    rows: list[Float32] = []
    kept: list[tuple[str, str]] = []
    failures: dict[str, str] = {}
    for (subject, file), outcome in zip(people, analyzer.analyze([f for _, f in people]), strict=True):
        try:
            embedding = central_face(outcome).embedding
            assert embedding is not None
            rows.append(embedding.vector)
            kept.append((subject, file))
        except (PictureError, FaceError) as error:
            failures[file] = f"{type(error).__name__}: {error}"
        if advance is not None:
            advance(1)
    if not rows:
        raise InsufficientData(f"{folder}: none of its {quantity(len(people), 'picture')} gave a face")
    return Crowd(np.stack(rows), tuple(s for s, _ in kept), tuple(f for _, f in kept), failures)


def nearest(
    probe: Float32, among: Crowd, *, leave_out: Collection[str] = (), most: int = 5
) -> list[Impostor]:
    """The subjects most similar to a unit vector ``(D,)``, each by its nearest picture, best first."""
    leave_out = several(leave_out)
    scores = among.embeddings @ probe
    best: dict[str, Impostor] = {}
    for i in np.argsort(-scores, kind="stable").tolist():
        subject = among.subjects[i]
        if subject in leave_out or subject in best:
            continue
        best[subject] = Impostor(subject, float(scores[i]), among.pictures[i])
        if len(best) == most:
            break
    return list(best.values())


def nearest_enrolled(
    probe: Float32, model: ModelId, url: str, *, leave_out: Collection[str] = (), most: int = 5
) -> list[Impostor]:
    """The same from a gallery, which keeps no pictures; raises `ModelMismatch` for one of another model."""
    leave_out = several(leave_out)
    store = open_store(url)
    try:
        bound = store.model()
        if bound is not None and bound != model:
            raise ModelMismatch(f"the gallery holds embeddings of {bound}, not of {model}")
        depth, found = 4 * (most + len(leave_out)), dict[str, float]()
        while True:
            hits = store.search(probe[None], depth)[0]
            for hit in hits:
                if hit.subject not in leave_out:
                    found.setdefault(hit.subject, hit.similarity)
            if len(found) >= most or len(hits) < depth:
                break
            depth, found = depth * 4, {}
    finally:
        store.close()
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [Impostor(subject, similarity) for subject, similarity in ranked]


def unit(analyzer: Analyzer, crops: Sequence[UInt8]) -> Float32:
    """Unit embeddings ``(N, D)`` of aligned crops."""
    assert analyzer.embedder is not None
    return normalise(analyzer.embedder.embed(np.stack(crops)))
