"""One request on its way through the service: its body, its pictures, their outcomes, its gallery."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from lineament.datasets.collect.addresses import parse
from lineament.datasets.collect.fetching import Fetcher, Policy
from lineament.errors import BadAnswer, ConfigError, ForbiddenUrl
from lineament.gallery.answers import Identified
from lineament.gallery.gallery import Gallery
from lineament.geometry.choosing import parse_face
from lineament.records import RecordKind, Where
from lineament.service import parts
from lineament.service.access import Actor
from lineament.service.errors import bad_request, too_large
from lineament.service.galleries import Galleries
from lineament.service.keys import Scope
from lineament.service.metrics import Metrics
from lineament.service.receiving import Gone, Receiving
from lineament.service.replays import Replays
from lineament.service.settings import ServiceSettings
from lineament.service.workers import Workers
from lineament.settings import AnalyzerSettings
from lineament.types import Outcome

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
_MUCH = 2**20
DISPUTES = Where(kinds=[RecordKind.DISPUTE])


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """What all requests share."""

    settings: ServiceSettings
    galleries: Galleries
    workers: Workers
    receiving: Receiving
    replays: Replays
    metrics: Metrics
    fetcher: Fetcher

    @classmethod
    def of(cls, settings: ServiceSettings) -> Service:
        """The parts of a service of these settings; nothing is loaded or opened yet."""
        metrics, limits = Metrics(), settings.limits
        workers = Workers(
            workers=settings.recognising.workers,
            batch=settings.batch,
            waiting=limits.waiting,
            seconds=limits.answer_seconds,
            metrics=metrics,
        )
        receiving = Receiving(limits)
        metrics.gauges["lineament_pictures_waiting"] = (
            "Pictures that wait for the models.",
            lambda: workers.waiting,
        )
        metrics.gauges["lineament_bodies_bytes"] = (
            "Bytes of bodies that are held.",
            lambda: receiving.held,
        )
        policy = Policy(
            max_bytes=limits.body_bytes,
            max_redirects=3,
            total_seconds=limits.receive_seconds,
            sites=settings.fetch_from,
        )
        return cls(
            settings,
            Galleries(settings.gallery),
            workers,
            receiving,
            Replays(),
            metrics,
            Fetcher(policy, user_agent="lineament"),
        )

    def close(self) -> None:
        """Finish what is under way, and let go of models and galleries."""
        self.workers.close()
        self.galleries.close()


class Asked:
    """A request as a route sees it; made by `asked`."""

    def __init__(self, service: Service, request: Request, actor: Actor) -> None:
        self.service, self.request, self.actor = service, request, actor
        self._body: bytes | None = None

    async def body(self, most: int | None = None) -> bytes:
        """The whole body, of so many bytes at ``most``; raises `Refused`."""
        if self._body is None:
            request = self.request
            self._body = await self.service.receiving.body(request.headers, request.receive, most)
        return self._body

    @property
    def few_bytes(self) -> int:
        """What a body without pictures may have."""
        return self.service.settings.limits.document_bytes

    def release(self) -> None:
        """Let go of the body."""
        if self._body is not None:
            self.service.receiving.release(self._body)
            self._body = None

    async def document(self, model: type[M]) -> M:
        """The JSON body as a model; raises `Refused`."""
        if parts.kind_of(self.content_type) != parts.JSON:
            raise bad_request(f"send JSON ({parts.JSON})")
        body = await self.body(self.few_bytes)
        try:
            return model.model_validate(parts.document(body, self.few_bytes))
        except ValidationError as error:
            wrong = ", ".join(".".join(map(str, one["loc"])) or "the object" for one in error.errors())
            raise bad_request(f"the JSON does not fit: {wrong}") from None

    @property
    def content_type(self) -> str:
        """What the body is said to be."""
        return self.request.headers.get("content-type", "")

    async def pictures(self) -> list[bytes]:
        """The pictures of the body, fetched where they are named by a URL; raises `Refused`."""
        limits = self.service.settings.limits
        return await self._had(
            await self._parsed(lambda body: parts.pictures(body, self.content_type, limits))
        )

    async def named(self, *names: str) -> list[bytes]:
        """One picture of each name; raises `Refused`."""
        limits = self.service.settings.limits
        return await self._had(
            await self._parsed(lambda body: parts.named(body, self.content_type, names, limits))
        )

    async def _parsed(self, parse_: Callable[[bytes], T]) -> T:
        body = await self.body()
        return await run_in_threadpool(parse_, body) if len(body) > _MUCH else parse_(body)

    async def _had(self, sent: Sequence[parts.Sent]) -> list[bytes]:
        return [
            one if isinstance(one, bytes) else await run_in_threadpool(self._fetched, one.url)
            for one in sent
        ]

    def _fetched(self, url: str) -> bytes:
        """The bytes behind a URL of a host that is on the list; every redirect is held to it, too."""
        allowed = self.service.settings.fetch_from

        def check(target: Any) -> None:
            if target.authority not in allowed:
                raise ForbiddenUrl(f"{target.authority} is not on the list")

        check(parse(url))
        answer = self.service.fetcher.get(url, accept="image/*", before=check)
        if answer.status != 200:
            raise BadAnswer(f"status {answer.status}")
        return answer.body

    async def outcomes(
        self, pictures: Sequence[bytes], steps: AnalyzerSettings, *, digests: bool = False
    ) -> list[Outcome]:
        """The outcomes of pictures, with digests where these are wanted; raises as `following`."""
        return await self.following(pictures, steps, lambda outcome: outcome, lambda: digests)

    async def following(
        self,
        pictures: Sequence[bytes],
        steps: AnalyzerSettings,
        then: Callable[[Outcome], T],
        digests: Callable[[], bool],
    ) -> list[T]:
        """What follows from the outcome of each picture; see `Workers.analyze`.

        Raises `Gone` as soon as nobody waits for it any more.
        """
        if len(pictures) > self.service.settings.limits.parts:
            raise too_large("too many pictures")
        work = asyncio.ensure_future(self.service.workers.analyze(pictures, steps, then, digests=digests))
        gone = asyncio.ensure_future(self._hung_up())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Gone
            return work.result()
        finally:
            work.cancel()
            gone.cancel()

    async def _hung_up(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    async def in_gallery(self, work: Callable[[Gallery], T], outcomes: Sequence[Outcome] = ()) -> T:
        """What work with the actor's gallery gives, in a thread; its pictures have these ``outcomes``."""
        return await run_in_threadpool(
            lambda: work(self.service.galleries.open(self.actor.gallery, outcomes))
        )

    async def searched(self, top: int) -> list[Identified]:
        """The body's pictures, each searched as soon as it is analysed, and a disputed face known again."""

        def gallery(*outcomes: Outcome) -> Gallery:
            return self.service.galleries.open(self.actor.gallery, outcomes)

        def search(outcome: Outcome) -> Identified:
            [found] = gallery(outcome).identify([outcome], top)
            return found

        steps = self.service.settings.recognising
        return await self.following(
            await self.pictures(), steps, search, lambda: gallery().store.count(DISPUTES) > 0
        )

    async def once(self, act: Callable[[], Awaitable[Response]]) -> Response:
        """The answer to a write, done once for one ``Idempotency-Key``."""
        request = self.request
        whole = (
            request.method.encode(),
            request.url.path.encode(),
            request.scope["query_string"],
            await self.body(),
        )
        return await self.service.replays.once(
            self.actor.id, request.headers.get("idempotency-key"), whole, act
        )


def asked(scope: Scope) -> Callable[[Request], Any]:
    """A dependency of a route: the request, by somebody who has the scope."""

    async def dependency(request: Request) -> Any:
        request.state.route = request.scope["route"].path
        request.state.actor.require(scope)
        one = Asked(request.app.state.service, request, request.state.actor)
        try:
            yield one
        finally:
            one.release()

    return dependency


def subject_of(segment: str) -> str:
    """The name in a segment of the path, which is quoted still; raises `Refused`."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise bad_request("the name in the path is no UTF-8") from None


def face_of(text: str | None) -> int | tuple[float, float] | None:
    """The face that is asked for, ``N`` or ``X,Y``; raises `Refused`."""
    if text is None:
        return None
    try:
        return parse_face(text)
    except ConfigError:
        raise bad_request("face: the number of a face, from 1, or a point in it: X,Y") from None
