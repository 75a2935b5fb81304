"""One careful GET: the address checked and pinned, size and time bounded, every redirect checked again."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urljoin

from lineament.datasets.collect.addresses import (
    Resolve,
    Site,
    Target,
    parse,
    pinned,
    system_resolve,
)
from lineament.errors import (
    AnswerTooLarge,
    BadAnswer,
    ForbiddenUrl,
    TooSlow,
    Unreachable,
)

_REDIRECTS = {301, 302, 303, 307, 308}
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Policy:
    """What a fetch may cost and where it may go.

    ``total_seconds`` bounds one request from its connection to its last byte, however slowly they come.
    ``sites`` (``host:port``) are those the user named, which may be asked at that port besides 80 and 443.
    ``own_sites`` are the user's own, each one host at one port, which may lead to this machine or a private
    network. ``allow_private`` names addresses that may be asked although they are not public, at any port;
    it exists for tests against a server on the same machine, and no command sets it.
    """

    max_bytes: int = 32 * 2**20
    max_header_bytes: int = 64 * 2**10
    max_redirects: int = 5
    connect_seconds: float = 10.0
    total_seconds: float = 60.0
    sites: tuple[str, ...] = ()
    own_sites: frozenset[Site] = frozenset()
    allow_private: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: ``url`` is where it came from after redirects; header names are lower-case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetcher:
    """Fetches URLs within a `Policy`. Proxies of the environment are not used: they would resolve names.

    ``resolve`` is asked once a hop, and the connection goes to the address it gave, so a name that
    changes its address in between gains nothing. Safe to share between threads.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        user_agent: str = "lineament",
        resolve: Resolve = system_resolve,
        clock: Callable[[], float] = time.monotonic,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.user_agent = user_agent
        self._resolve = resolve
        self._clock = clock
        self._tls = ssl_context or ssl.create_default_context()

    def get(
        self,
        url: str,
        *,
        accept: str = "*/*",
        max_bytes: int | None = None,
        before: Callable[[Target], None] | None = None,
    ) -> Answer:
        """The final answer, whatever its status. ``before`` sees each hop first and may raise.

        Raises `ForbiddenUrl`, `Unreachable`, `TooSlow`, `AnswerTooLarge` or `BadAnswer`.
        """
        limit = self.policy.max_bytes if max_bytes is None else max_bytes
        for _ in range(self.policy.max_redirects + 1):
            target = parse(url)
            if before is not None:
                before(target)
            answer = self._once(target, accept, limit)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            try:
                url = urljoin(target.url, location)
            except ValueError:
                raise BadAnswer(f"{target.url} redirects to what is no URL") from None
            following = parse(url)
            if target.scheme == "https" and following.scheme == "http":
                raise ForbiddenUrl(f"{target.url} redirects from https to http")
            own = self.policy.own_sites
            if following.site in own and target.site not in own:
                raise ForbiddenUrl(f"{target.url} redirects to {following.authority}, a site of your own")
        raise BadAnswer(f"more than {self.policy.max_redirects} redirects, the last to {url}")

    def _once(self, target: Target, accept: str, limit: int) -> Answer:
        deadline = self._clock() + self.policy.total_seconds
        policy = self.policy
        address = pinned(target, self._resolve, policy.allow_private, policy.sites, policy.own_sites)
        timed: _Timed | None = None
        try:
            timed = _Timed(self._connect(target, address), deadline, self._clock)
            return self._exchange(timed, target, accept, limit)
        except TimeoutError:
            raise TooSlow(f"{target.url}: no complete answer in {self.policy.total_seconds:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise BadAnswer(f"{target.url}: bad certificate: {error.verify_message}") from None
        except http.client.IncompleteRead:
            raise Unreachable(f"{target.url}: the answer was cut short") from None
        except (http.client.HTTPException, ValueError) as error:
            raise BadAnswer(f"{target.url}: not a valid answer ({type(error).__name__})") from None
        except OSError as error:
            raise Unreachable(f"{target.url}: {error.strerror or error}") from None
        finally:
            if timed is not None:
                timed.end()

    def _connect(self, target: Target, address: str) -> socket.socket:
        seconds = min(self.policy.connect_seconds, self.policy.total_seconds)
        raw = socket.create_connection((address, target.port), timeout=seconds)
        if target.scheme == "http":
            return raw
        try:
            return self._tls.wrap_socket(raw, server_hostname=target.host)
        except BaseException:
            raw.close()
            raise

    def _exchange(self, timed: _Timed, target: Target, accept: str, limit: int) -> Answer:
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = timed
        timed.allow(self.policy.max_header_bytes)
        connection.putrequest("GET", target.path, skip_host=True, skip_accept_encoding=True)
        for name, value in (
            ("Host", target.authority),
            ("User-Agent", self.user_agent),
            ("Accept", accept),
            ("Accept-Encoding", "identity"),  # a compressed body could unfold to any size
            ("Connection", "close"),
        ):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        timed.allow(None)
        headers = {name.lower(): value for name, value in response.getheaders()}
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise BadAnswer(f"{target.url}: compressed although it was asked not to be")
        if response.status in _REDIRECTS and "location" in headers:
            return Answer(target.url, response.status, headers, b"")
        return Answer(target.url, response.status, headers, _body(response, target, limit))


def _body(response: http.client.HTTPResponse, target: Target, limit: int) -> bytes:
    expected = response.length
    if expected is not None and expected > limit:
        raise AnswerTooLarge(f"{target.url}: announces {expected:,} bytes; the limit is {limit:,}")
    blocks, got = [], 0
    while block := response.read(min(_BLOCK, limit + 1 - got)):
        blocks.append(block)
        got += len(block)
        if got > limit:
            raise AnswerTooLarge(f"{target.url}: more bytes than the limit of {limit:,}")
    if expected is not None and got < expected:
        raise Unreachable(f"{target.url}: the answer was cut short, {got:,} of {expected:,} bytes")
    return b"".join(blocks)


class _Timed:
    """A socket as `http.client` wants one, whose every read gets only what is left of the time."""

    def __init__(self, sock: socket.socket, deadline: float, clock: Callable[[], float]) -> None:
        self._sock = sock
        self._deadline = deadline
        self._clock = clock
        self._left: int | None = None

    def allow(self, count: int | None) -> None:
        """How many more bytes may be read, None for any number."""
        self._left = count

    def read_into(self, buffer: memoryview) -> int:
        self._tick()
        if self._left is not None:
            if self._left <= 0:
                raise AnswerTooLarge("the header of the answer is larger than the limit")
            buffer = buffer[: self._left]
        count = self._sock.recv_into(buffer)
        if self._left is not None:
            self._left -= count
        return count

    def sendall(self, data: Any) -> None:
        self._tick()
        self._sock.sendall(data)

    def makefile(self, *_: Any, **__: Any) -> IO[bytes]:
        return io.BufferedReader(_Reader(self), 8_192)

    def close(self) -> None:
        """Nothing: http.client lets go of the socket before the body is read; `end` closes it."""

    def end(self) -> None:
        self._sock.close()

    def _tick(self) -> None:
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)


class _Reader(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.read_into(memoryview(buffer).cast("B"))
