"""The service as an ASGI application: ``/v1``, CompreFace's ``/api/v1``, health and figures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

import lineament
from lineament.errors import LineamentError
from lineament.service.access import Access, ByKeys, CompreFaceKey
from lineament.service.asked import Service
from lineament.service.compreface import collection, recognition
from lineament.service.compreface.collection import Announced
from lineament.service.compreface.refusals import CompreFaceError
from lineament.service.errors import Refused, bad_request, internal_error
from lineament.service.gate import Gate, refused
from lineament.service.logs import Log
from lineament.service.rates import Rates
from lineament.service.receiving import Gone
from lineament.service.routes import describing, faces, subjects, system
from lineament.service.routes.examples import EXAMPLES
from lineament.service.settings import ServiceSettings

_FLUSH_S = 30.0
_ABOUT = (
    "Find faces, compare and recognise people. Pictures go as they are, as parts of a form, as base64 or "
    "by a URL of a host that the operator allows. An answer has an X-Request-Id, a refusal an envelope."
)


def create_service(settings: ServiceSettings, access: Access, *, log: Log | None = None) -> ASGIApp:
    """The application for one gallery, or for those that the keys of ``access`` name.

    Models and gallery are loaded once it has started; until then ``/readyz`` says so.
    """
    service = Service.of(settings)
    log = log or Log()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.ready = asyncio.get_running_loop().run_in_executor(None, _warm, service, log)
        flushing = asyncio.create_task(_flushed(access))
        try:
            yield
        finally:
            flushing.cancel()
            with suppress(Exception):
                await app.state.ready
            await asyncio.to_thread(service.close)
            if isinstance(access, ByKeys):
                access.keys.close()

    app = FastAPI(
        title="lineament",
        version=lineament.__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service, app.state.announced = service, Announced()
    for router in (system.health, system.router, faces.router, subjects.router):
        app.include_router(router)
    for router in (recognition.router, collection.router):
        app.include_router(router)
    for kind in (
        Refused,
        LineamentError,
        CompreFaceError,
        CompreFaceKey,
        HTTPException,
        RequestValidationError,
        Gone,
    ):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(Exception, _bug)
    _describe(app)
    limits = settings.limits
    return Gate(
        app,
        access,
        rates=Rates(limits.requests_a_minute),
        receiving=service.receiving,
        metrics=service.metrics,
        log=log,
        origins=settings.origins,
        connections=limits.connections,
    )


async def _answer(request: Request, error: Exception) -> Response:
    """What is told of whatever a route raises on purpose."""
    if isinstance(error, Gone):
        return Response(status_code=499)
    if isinstance(error, HTTPException):
        kind, told = ("NotFound", "there is nothing at this path")
        if error.status_code == 405:
            kind, told = ("MethodNotAllowed", "this path does not take that method")
        error = Refused(error.status_code, kind, told, error.headers)
    elif isinstance(error, RequestValidationError):
        wrong = ", ".join(str(one["loc"][-1]) for one in error.errors())
        error = bad_request(f"these values cannot be used: {wrong}")
    return refused(error, request.url.path, request.state.request_id)


async def _bug(request: Request, _error: Exception) -> Response:
    """What is told of a bug: nothing; the gate, which gets it next, writes down where it is."""
    return refused(internal_error(), request.url.path, request.state.request_id)


def _warm(service: Service, log: Log) -> None:
    """Load what the first request needs, so that it does not wait."""
    try:
        service.workers.analyzer(service.settings.recognising)
        gallery = service.galleries.open(None)
        log.event("ready", people=gallery.people)
    except LineamentError as error:
        log.event("not ready", error=type(error).__name__)
        raise


async def _flushed(access: Access) -> None:
    """Write down now and then when keys were used."""
    while isinstance(access, ByKeys):
        await asyncio.sleep(_FLUSH_S)
        with suppress(LineamentError):
            await asyncio.to_thread(access.keys.flush)


def _describe(app: FastAPI) -> None:
    """Add to the description what routes refer to, and the key."""
    made = app.openapi

    def described() -> dict[str, object]:
        if app.openapi_schema is None:
            values = made()
            components = values.setdefault("components", {})
            described_here = components.setdefault("schemas", {})
            described_here.update(describing.components())
            for name, example in EXAMPLES.items():
                described_here[name]["example"] = example
            components.setdefault("securitySchemes", {})["key"] = {
                "type": "http",
                "scheme": "bearer",
                "description": "A key of `lineament keys new`.",
            }
            values["security"] = [{"key": []}]
            app.openapi_schema = values
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
