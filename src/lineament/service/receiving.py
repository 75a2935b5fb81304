"""Bodies as they come in: counted while they come, waited for so long only, and never on the disk."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Receive

from lineament.service.errors import Refused, bad_request, busy, too_large
from lineament.service.settings import Limits


class Receiving:
    """Takes bodies for all requests at once, so that together they hold no more than the limit.

    What counts is what has come, not what was announced: many slow ones keep nobody out.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0

    def require_size(self, headers: Headers, most: int | None = None) -> int | None:
        """The size that the headers announce; raises `Refused` for one that is too large or said twice."""
        most = self._limits.body_bytes if most is None else most
        lengths = headers.getlist("content-length")
        if not lengths:
            return None
        if "transfer-encoding" in headers or len(lengths) > 1:
            raise bad_request("the request says its size twice")
        if not (lengths[0].isascii() and lengths[0].isdecimal() and len(lengths[0]) < 16):
            raise bad_request("the size of the request is no number")
        if int(lengths[0]) > most:
            raise too_large(f"the request is larger than {most:,} bytes")
        return int(lengths[0])

    async def body(self, headers: Headers, receive: Receive, most: int | None = None) -> bytes:
        """The whole body, of so many bytes at ``most``; raises `Refused`. The caller gives it back by
        `release`."""
        most = self._limits.body_bytes if most is None else most
        announced = self.require_size(headers, most)
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.receive_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    block = message.get("body", b"")
                    body += block
                    self.held += len(block)
                    if len(body) > most:
                        raise too_large(f"the request is larger than {most:,} bytes")
                    if self.held > self._limits.held_bytes:
                        raise busy("too many large requests at one time")
                    if not message.get("more_body", False):
                        break
            if announced is not None and announced != len(body):
                raise bad_request("the request has another size than it says")
            return bytes(body)
        except TimeoutError:
            self.held -= len(body)
            seconds = self._limits.receive_seconds
            raise Refused(408, "TooSlow", f"the request did not come within {seconds:g} s") from None
        except BaseException:
            self.held -= len(body)
            raise

    def release(self, body: bytes) -> None:
        """Let go of a body."""
        self.held -= len(body)


class Gone(Exception):
    """Whoever asked has hung up: nobody waits for an answer."""
