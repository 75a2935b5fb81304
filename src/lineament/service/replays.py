"""Writes that a client sends twice, because an answer was lost, are done once.

Answers are kept in memory, for a day and no longer: they hold names. After a restart a write is done again,
which adds nothing: a photo enrolled again is the sample that it was.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from lineament.service.errors import Refused, bad_request

_KEPT_S = 86_400.0
_KEPT = 10_000


class Replays:
    """Answers by the key of the actor and the ``Idempotency-Key`` of the request. For one thread only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[str, float, Response | None]] = OrderedDict()

    async def once(
        self,
        actor: str,
        key: str | None,
        request: tuple[bytes, ...],
        act: Callable[[], Awaitable[Response]],
    ) -> Response:
        """The answer to a write: that of the first time where the same request comes again.

        Raises `Refused`: 409 while the first is under way, 422 where the key came with another request.
        What ends in an error is not kept, and done again.
        """
        if key is None:
            return await act()
        if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
            raise bad_request("Idempotency-Key: 1 to 255 printable characters are needed")
        place, now = (actor, key), self._clock()
        told = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in request)).hexdigest()
        known = self._kept.get(place)
        if known is not None and known[1] > now:
            return _again(told, known[0], known[2])
        self._kept[place] = (told, now + _KEPT_S, None)
        try:
            answer = await act()
        except BaseException:
            self._kept.pop(place, None)
            raise
        self._kept[place] = (told, now + _KEPT_S, answer)
        while self._kept and (len(self._kept) > _KEPT or next(iter(self._kept.values()))[1] <= now):
            self._kept.popitem(last=False)
        return answer

    def forget(self) -> None:
        """Let go of every answer that is kept: somebody was erased or renamed."""
        self._kept = OrderedDict((place, kept) for place, kept in self._kept.items() if kept[2] is None)


def _again(told: str, known: str, answer: Response | None) -> Response:
    if told != known:
        raise Refused(422, "KeyReused", "this Idempotency-Key came with another request before")
    if answer is None:
        raise Refused(409, "InProgress", "the same request is under way", {"Retry-After": "1"})
    headers = {"Idempotency-Replayed": "true"}
    return Response(answer.body, answer.status_code, headers, media_type=answer.media_type)
