"""Fetching as a guest: robots.txt first, one host not asked too often, and waiting when told to."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from lineament.counting import quantity
from lineament.datasets.collect import robots
from lineament.datasets.collect.addresses import Target, parse
from lineament.datasets.collect.fetching import Answer, Fetcher
from lineament.errors import (
    AnswerTooLarge,
    BadAnswer,
    CollectError,
    ForbiddenByRobots,
    HttpError,
    ServerBusy,
    TooSlow,
    Unreachable,
)

PRODUCT = "lineament"
"""The name by which a robots.txt addresses this program."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a site is treated.

    ``host_seconds`` lie between two requests to one host, more if its robots.txt asks for it. A request
    that fails for a passing reason is made ``attempts`` times, after 1, 2, 4 ... ``backoff_seconds`` or
    whatever Retry-After says. A host that wants more than ``max_wait_seconds`` is left alone until then.
    """

    host_seconds: float = 1.0
    attempts: int = 3
    backoff_seconds: float = 1.0
    max_wait_seconds: float = 120.0


class Guest:
    """Fetches through a `Fetcher` with `Manners`. Safe to share between threads, as it must be.

    ``on_result`` hears of every request whether it went well (True) or suffered from the network.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        manners: Manners | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        on_result: Callable[[bool], None] | None = None,
    ) -> None:
        self.fetcher = fetcher
        self.manners = manners or Manners()
        self._clock = clock
        self._sleep = sleep
        self.heard = on_result or (lambda _went_well: None)
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}
        self._robots: dict[str, robots.Robots] = {}
        self._no_robots: dict[str, CollectError] = {}
        self._reading: dict[str, threading.Lock] = {}

    def get(
        self, url: str, *, ask_robots: bool = True, accept: str = "*/*", max_bytes: int | None = None
    ) -> Answer:
        """The body behind a URL; every hop of a redirect is asked for politely too.

        ``ask_robots`` is off only for interfaces published for programs. Raises `CollectError`.
        """

        def before(target: Target) -> None:
            if ask_robots:
                self.require_allowed(target)
            self.take_turn(target)

        for attempt in range(self.manners.attempts):
            last = attempt == self.manners.attempts - 1
            pause = self.manners.backoff_seconds * 2**attempt
            try:
                answer = self.fetcher.get(url, accept=accept, max_bytes=max_bytes, before=before)
            except (Unreachable, TooSlow):
                self.heard(False)
                if last:
                    raise
                self._sleep(pause)
                continue
            self.heard(answer.status not in (429, 503))
            if answer.status == 200:
                return answer
            host = parse(answer.url).host
            if answer.status in (429, 503):
                wait = retry_after(answer.headers.get("retry-after"))
                self.leave_alone(host, pause if wait is None else wait)
                if last:
                    raise ServerBusy(
                        f"{answer.url}: status {answer.status} after {quantity(attempt + 1, 'try')}"
                    )
            elif answer.status >= 500 and not last:
                self._sleep(pause)
            else:
                raise HttpError(f"{answer.url}: status {answer.status}", answer.status)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def require_allowed(self, target: Target) -> None:
        """Raise `ForbiddenByRobots` unless the site's robots.txt lets us have this URL."""
        if not self._rules(target).allows(target.path):
            raise ForbiddenByRobots(f"{target.origin}/robots.txt forbids {target.path}")

    def take_turn(self, target: Target) -> None:
        """Wait until the host may be asked again; raises `ServerBusy` when that is too far off."""
        rules = self._robots.get(target.origin)
        interval = max(self.manners.host_seconds, (rules and rules.delay) or 0.0)
        with self._lock:
            now = self._clock()
            start = max(now, self._next.get(target.host, now))
            wait = start - now
            if wait > max(self.manners.max_wait_seconds, self._queue_limit(interval)):
                raise ServerBusy(f"{target.host} asked to be left alone for another {wait:.0f} s")
            self._next[target.host] = start + interval
        if wait > 0:
            self._sleep(wait)

    def leave_alone(self, host: str, seconds: float) -> None:
        """Ask a host nothing for so long."""
        with self._lock:
            self._next[host] = max(self._next.get(host, 0.0), self._clock() + seconds)

    def _queue_limit(self, interval: float) -> float:
        # Many threads waiting for one slow host queue up; only a wait beyond that is the host's wish.
        return 64 * interval

    def _rules(self, target: Target) -> robots.Robots:
        origin = target.origin
        with self._lock:
            reading = self._reading.setdefault(origin, threading.Lock())
        with reading:
            if origin in self._no_robots:
                raise self._no_robots[origin]
            if origin not in self._robots:
                try:
                    self._robots[origin] = self._read_rules(f"{origin}/robots.txt")
                except CollectError as error:
                    self._no_robots[origin] = error
                    raise
            return self._robots[origin]

    def _read_rules(self, url: str) -> robots.Robots:
        """RFC 9309: a site without the file allows everything, one that cannot tell allows nothing now."""
        problem: CollectError = Unreachable(url)
        for attempt in range(self.manners.attempts):
            try:
                answer = self.fetcher.get(url, max_bytes=robots.MAX_BYTES, before=self.take_turn)
            except AnswerTooLarge:
                return robots.ALL_FORBIDDEN
            except (Unreachable, TooSlow, BadAnswer) as error:
                problem = type(error)(f"without robots.txt nothing is fetched: {error}")
            else:
                if answer.status == 200:
                    return robots.parse(answer.body, PRODUCT)
                if answer.status != 429 and answer.status < 500:
                    return robots.NOTHING_FORBIDDEN
                problem = ServerBusy(f"without robots.txt nothing is fetched: {url}: {answer.status}")
            self.heard(False)
            if attempt < self.manners.attempts - 1:
                self._sleep(self.manners.backoff_seconds * 2**attempt)
        raise problem


def retry_after(value: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds from a Retry-After header, a number or a date; None when it is absent or makes no sense."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now()).total_seconds())


def passing(error: CollectError) -> bool:
    """Whether a later run may succeed where this one failed."""
    if isinstance(error, HttpError):
        return error.status >= 500
    return isinstance(error, (ServerBusy, Unreachable, TooSlow))
