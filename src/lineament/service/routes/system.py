"""What is served, by which models and thresholds, and how the service is doing."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from lineament import pipelines
from lineament.errors import InsufficientData, ModelMismatch
from lineament.gallery.answers import GalleryStatus
from lineament.gallery.gallery import Gallery
from lineament.gallery.searching import VERIFY_FMR, measured_threshold
from lineament.io import catalog
from lineament.service import schemas
from lineament.service.errors import json_answer
from lineament.service.routes import describing
from lineament.service.routes.subjects import Reading
from lineament.types import ModelId, Threshold

router = APIRouter(tags=["service"], responses=describing.REFUSALS)
health = APIRouter(include_in_schema=False)


@router.get("/v1/gallery", response_model=schemas.Status)
async def gallery_status(request: Reading) -> Response:
    """How many people there are, which threshold decides, and whether the gallery has outgrown it."""
    return json_answer((await request.in_gallery(GalleryStatus.of)).to_json())


@router.get("/v1/thresholds", response_model=schemas.Thresholds)
async def thresholds(request: Reading) -> Response:
    """The thresholds that decide here, each with what it was measured on, and all that were measured."""
    steps = request.service.settings.recognising
    model = (await run_in_threadpool(request.service.workers.analyzer, steps)).model
    assert model is not None
    searches, comparisons = await request.in_gallery(lambda gallery: _deciding(gallery, model))
    try:
        measured = pipelines.measured(model)
    except (InsufficientData, ModelMismatch):
        measured = pipelines.Measured(model, ())
    return json_answer(
        {
            "model": str(model),
            "searches": searches,
            "comparisons": comparisons,
            "measured": [measured.threshold(row.target_rate, row.kind).to_json() for row in measured.rows],
        }
    )


def _deciding(
    gallery: Gallery, model: ModelId
) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    def told(threshold: Threshold) -> dict[str, object]:
        return threshold.to_json()

    searches = comparisons = None
    try:
        searches = told(gallery.threshold(model))
        given = gallery.settings.threshold
        comparisons = told(given or measured_threshold(model, gallery.target_fmr or VERIFY_FMR))
    except InsufficientData:
        pass
    return searches, comparisons


@router.get("/v1/models", response_model=schemas.Models)
async def models(request: Reading) -> Response:
    """The models in use, with their licences."""
    settings = request.service.settings
    steps, parts = settings.describing, settings.recognising.parts()
    own = () if parts.of is None else parts.of.cards
    named = {str(part).partition(":")[0] for part in (*settings.recognising.specs(), *steps.attributes)}
    cards = [card for name, card in catalog.cards().items() if name in named or card in own]
    return json_answer(
        {
            "models": [
                {
                    "name": card.name,
                    "job": card.job,
                    "title": card.title,
                    "sha256": card.sha256,
                    "licence": card.licence,
                    "commercial_use": card.commercial_use,
                }
                for card in cards
            ]
        }
    )


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Reading) -> Response:
    """Counts and times, for Prometheus."""
    return PlainTextResponse(request.service.metrics.text(), media_type="text/plain; version=0.0.4")


@health.get("/healthz")
async def healthz(request: Request) -> Response:
    """The process answers."""
    request.state.route = "/healthz"
    return json_answer({"status": "ok"})


@health.get("/readyz")
async def readyz(request: Request) -> Response:
    """Models and gallery are loaded."""
    request.state.route = "/readyz"
    ready: bool = request.app.state.ready.done() and request.app.state.ready.exception() is None
    return json_answer({"status": "ready" if ready else "starting"}, 200 if ready else 503)
