"""Recognise, verify and detect: ``/api/v1/recognition``, ``/verification`` and ``/detection``."""

from __future__ import annotations

import time
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends
from starlette.responses import Response

from lineament.errors import InvalidArray
from lineament.gallery.gallery import Gallery
from lineament.gallery.searching import VERIFY_FMR, measured_threshold
from lineament.records import RecordKind, Where
from lineament.service.asked import Asked, asked
from lineament.service.compreface import queries
from lineament.service.compreface.answers import face_json, faces_of, only_face, sample_id, versions
from lineament.service.compreface.queries import Query
from lineament.service.compreface.refusals import CompreFaceError, invalid, json_answer
from lineament.service.compreface.scale import scaled
from lineament.service.keys import Scope
from lineament.settings import AnalyzerSettings
from lineament.types import Faces, Float32, ModelId, Outcome, Threshold, require_float32

router = APIRouter(prefix="/api/v1", include_in_schema=False)
Identifying = Annotated[Asked, Depends(asked(Scope.IDENTIFY))]
_ATTRIBUTES = {"age", "gender"}
_EVERYBODY = 1_000


class _Seen:
    """The pictures of a request, analysed, with how long that took."""

    def __init__(
        self, query: Query, steps: AnalyzerSettings, outcomes: list[Outcome], seconds: float
    ) -> None:
        self.query, self.steps, self.outcomes = query, steps, outcomes
        self._ms = 1000 * seconds / len(outcomes)

    def json(self, faces: Faces, row: int) -> dict[str, Any]:
        return face_json(faces.face(row), self.query, self._ms)

    def versions(self) -> dict[str, Any]:
        return versions(self.query, self.steps)


async def _seen(request: Asked, *names: str, embedded: bool = True) -> _Seen:
    query = Query.of(request.request.scope["query_string"])
    settings = request.service.settings
    if query.plugins & _ATTRIBUTES & set(settings.attributes):
        steps = settings.describing
    else:
        steps = (
            settings.recognising
            if embedded or query.plugins & {"calculator", "pose"}
            else settings.detecting
        )
    sent = await queries.pictures(request, *names)
    began = time.perf_counter()
    outcomes = await request.outcomes(sent, steps)
    return _Seen(query, steps, outcomes, time.perf_counter() - began)


@router.post("/recognition/recognize")
async def recognize(request: Identifying) -> Response:
    """Each face with the nearest subjects, however far they are."""
    query = Query.of(request.request.scope["query_string"])
    count = query.predictions
    seen = await _seen(request, "file")
    faces = faces_of(seen.outcomes[0], seen.query)
    found = await request.in_gallery(lambda gallery: gallery.identify_faces(faces, count or _EVERYBODY))
    told = [
        {
            **seen.json(faces, row),
            "subjects": [
                {"subject": one.subject, "similarity": scaled(one.similarity, match.threshold.value)}
                for one in match.candidates
            ],
        }
        for row, match in enumerate(found)
    ]
    return json_answer({"result": told, **seen.versions()})


@router.post("/recognition/faces/{image_id}/verify")
async def verify_face(request: Identifying, image_id: str) -> Response:
    """Each face of a picture compared with one that is enrolled."""
    seen = await _seen(request, "file")
    faces = faces_of(seen.outcomes[0], seen.query)
    subject, vector, threshold = await request.in_gallery(
        lambda gallery: _sample(gallery, image_id, faces.model)
    )
    told = []
    for row in range(len(faces)):
        similarity = 0.0 if vector is None else _scaled(faces, row, vector, threshold)
        told.append({**seen.json(faces, row), "subject": subject, "similarity": similarity})
    return json_answer({"result": told, **seen.versions()})


@router.post("/detection/detect")
async def detect(request: Identifying) -> Response:
    """The faces of a picture."""
    seen = await _seen(request, "file", embedded=False)
    faces = faces_of(seen.outcomes[0], seen.query)
    told = [seen.json(faces, row) for row in range(len(faces))]
    return json_answer({"result": told, **seen.versions()})


@router.post("/verification/verify")
async def verify(request: Identifying) -> Response:
    """The one face of a picture compared with each of another."""
    seen = await _seen(request, "source_image", "target_image")
    source = only_face(seen.outcomes[0], seen.query)
    target = faces_of(seen.outcomes[1], seen.query)
    assert source.embeddings is not None
    vector = source.embeddings[0]
    threshold = await request.in_gallery(lambda gallery: _pairs(gallery, target.model))
    told = [
        {**seen.json(target, row), "similarity": _scaled(target, row, vector, threshold)}
        for row in range(len(target))
    ]
    answer = {"source_image_face": seen.json(source, 0), "face_matches": told, **seen.versions()}
    return json_answer({"result": [answer]})


@router.post("/recognition/embeddings/recognize")
async def recognize_embeddings(request: Identifying) -> Response:
    """The nearest subjects of embeddings that ``calculator`` gave."""
    count = Query.of(request.request.scope["query_string"]).predictions
    vectors, model = await _embeddings(request, "embeddings")
    faces = _faces(vectors, model)
    found = await request.in_gallery(lambda gallery: gallery.identify_faces(faces, count or _EVERYBODY))
    told = [
        {
            "embedding": [float(value) for value in vector],
            "similarities": [
                {"subject": one.subject, "similarity": scaled(one.similarity, match.threshold.value)}
                for one in match.candidates
            ],
        }
        for vector, match in zip(vectors, found, strict=True)
    ]
    return json_answer({"result": told})


@router.post("/recognition/embeddings/faces/{image_id}/verify")
async def verify_face_embeddings(request: Identifying, image_id: str) -> Response:
    """Embeddings compared with a face that is enrolled."""
    vectors, model = await _embeddings(request, "embeddings")
    _, vector, threshold = await request.in_gallery(lambda gallery: _sample(gallery, image_id, model))
    return json_answer({"result": _compared(vectors, vector, threshold)})


@router.post("/verification/embeddings/verify")
async def verify_embeddings(request: Identifying) -> Response:
    """Embeddings compared with one another."""
    source, model = await _embeddings(request, "source")
    vectors, _ = await _embeddings(request, "targets")
    threshold = await request.in_gallery(lambda gallery: _pairs(gallery, model))
    return json_answer({"result": _compared(vectors, source[0], threshold)})


def _compared(vectors: Float32, with_: Float32 | None, threshold: Threshold) -> list[dict[str, Any]]:
    told = [
        {
            "embedding": [float(value) for value in vector],
            "similarity": 0.0 if with_ is None else scaled(float(vector @ with_), threshold.value),
        }
        for vector in vectors
    ]
    return sorted(told, key=lambda one: -one["similarity"])


def _scaled(faces: Faces, row: int, vector: Float32, threshold: Threshold) -> float:
    assert faces.embeddings is not None
    return scaled(float(faces.embeddings[row] @ vector), threshold.value)


def _pairs(gallery: Gallery, model: ModelId | None) -> Threshold:
    """The threshold for comparisons of two."""
    assert model is not None
    return gallery.settings.threshold or measured_threshold(model, gallery.target_fmr or VERIFY_FMR)


def _sample(gallery: Gallery, image: str, model: ModelId | None) -> tuple[str, Float32 | None, Threshold]:
    """An enrolled face: of the subject "" and without a vector where no such id is, as upstream."""
    wanted = Where(kinds=[RecordKind.SAMPLE], ids=[sample_id(image)])
    found = next(iter(gallery.store.read(wanted)), None)
    threshold = _pairs(gallery, model)
    return ("", None, threshold) if found is None else (found.subject, found.vector, threshold)


async def _embeddings(request: Asked, name: str) -> tuple[Float32, ModelId]:
    """Embeddings of a body; raises `CompreFaceError` for such as our model did not make."""
    given = (await queries.document(request)).get(name)
    if not isinstance(given, list) or not given:
        raise CompreFaceError(400, 5, f"Field {name} cannot be empty")
    rows = [given] if name == "source" else given
    if len(rows) > request.service.settings.limits.parts:
        raise invalid(f"{name}: too many")
    steps = request.service.settings.recognising
    analyzer = request.service.workers.analyzer(steps)
    model = analyzer.model
    assert model is not None and analyzer.embedder is not None
    try:
        vectors = require_float32(name, rows, (None, analyzer.embedder.dimension))
    except (InvalidArray, TypeError, ValueError, OverflowError):
        raise invalid(
            f"{name}: these are no embeddings of {model.name}; those of another model mean nothing here"
        ) from None
    lengths = np.linalg.norm(vectors, axis=1)
    if not (abs(lengths - 1) < 1e-3).all():
        raise invalid(f"{name}: an embedding of {model.name} has the length 1")
    return vectors, model


def _faces(vectors: Float32, model: ModelId) -> Faces:
    """Embeddings as faces without a place."""
    count = len(vectors)
    return Faces(
        np.zeros((count, 4), np.float32), np.ones(count, np.float32), embeddings=vectors, model=model
    )
