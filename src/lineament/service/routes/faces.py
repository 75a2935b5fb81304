"""Faces in pictures: found, described, compared with each other, and searched in the gallery."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from lineament.gallery.searching import VERIFY_FMR
from lineament.service import rendering, schemas
from lineament.service.asked import Asked, asked, face_of
from lineament.service.errors import json_answer
from lineament.service.keys import Scope
from lineament.service.routes import describing
from lineament.settings import AnalyzerSettings
from lineament.types import Outcome

router = APIRouter(tags=["faces"], responses=describing.REFUSALS)
Identifying = Annotated[Asked, Depends(asked(Scope.IDENTIFY))]
FaceQuery = Annotated[
    str | None,
    Query(description="Which face: its number, from 1, or a point in it, X,Y in pixels.", examples=["1"]),
]
LargestQuery = Annotated[bool, Query(description="Of several faces take the largest.")]


async def _outcomes(request: Asked, steps: AnalyzerSettings) -> list[Outcome]:
    return await request.outcomes(await request.pictures(), steps)


@router.post("/v1/detect", response_model=schemas.Pictures, openapi_extra=describing.pictures())
async def detect(request: Identifying) -> Response:
    """Find the faces of a picture, or of several."""
    return json_answer(
        rendering.pictures_answer(await _outcomes(request, request.service.settings.detecting))
    )


@router.post("/v1/analyze", response_model=schemas.Pictures, openapi_extra=describing.pictures())
async def analyze(
    request: Identifying,
    attributes: Annotated[bool, Query(description="Say age and gender, too.")] = False,
) -> Response:
    """Find faces, and say how well each was captured."""
    settings = request.service.settings
    steps = settings.describing if attributes else settings.recognising
    return json_answer(rendering.pictures_answer(await _outcomes(request, steps)))


@router.post("/v1/embeddings", response_model=schemas.Embeddings, openapi_extra=describing.pictures())
async def embeddings(request: Identifying) -> Response:
    """Give each face as a vector of unit length, with the model that made it."""
    steps = request.service.settings.recognising
    outcomes = await _outcomes(request, steps)
    answer: dict[str, Any] = rendering.pictures_answer(outcomes, embeddings=True)
    return json_answer({"model": str(request.service.workers.analyzer(steps).model), **answer})


@router.post("/v1/verify", response_model=schemas.Verified, openapi_extra=describing.named("a", "b"))
async def verify(
    request: Identifying,
    face_a: FaceQuery = None,
    face_b: FaceQuery = None,
    largest: LargestQuery = False,
) -> Response:
    """Compare one face of each of two pictures, at the threshold measured for the target rate."""
    chosen_a, chosen_b = face_of(face_a), face_of(face_b)
    steps = request.service.settings.recognising
    a, b = await request.outcomes(await request.named("a", "b"), steps)
    settings = request.service.settings.gallery
    analyzer = request.service.workers.analyzer(steps)
    answer = await run_in_threadpool(
        lambda: analyzer.verify(
            a,
            b,
            face_a=chosen_a,
            face_b=chosen_b,
            largest=largest,
            target_fmr=settings.target_fmr or VERIFY_FMR,
            threshold=settings.threshold,
        )
    )
    return json_answer(rendering.verified_answer(answer))


@router.post("/v1/identify", response_model=schemas.Pictures, openapi_extra=describing.pictures())
async def identify(
    request: Identifying,
    top: Annotated[int, Query(ge=1, le=100, description="How many candidates to give for a face.")] = 5,
) -> Response:
    """Find out who is in a picture, or in several: every face is searched, and the threshold decides."""
    found = await request.searched(top)
    outcomes = [one.outcome for one in found]
    return json_answer(rendering.pictures_answer(outcomes, [one.matches for one in found]))
