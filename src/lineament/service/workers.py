"""Pictures of all requests through the networks together, in the order in which they came.

A batch begins as soon as a worker is free, with what waits then: an idle service waits for nothing, and
nobody waits longer than for the batches under way. What would make a batch too large stays for the next.
The queue belongs to the event loop's thread, and only the analysis happens elsewhere: a request that was
cancelled or came too late is simply not taken from it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from lineament.analyzer import Analyzer
from lineament.errors import LineamentError, PictureError
from lineament.io import images
from lineament.io.first_imports import import_first
from lineament.io.formats import Format, sniff
from lineament.io.onnx import cores
from lineament.service.errors import busy
from lineament.service.metrics import Metrics
from lineament.settings import AnalyzerSettings
from lineament.shown import shown
from lineament.types import Image, Outcome

PIXELS_A_BATCH = 16_000_000
_OF_UNKNOWN_SIZE = {Format.AVIF, Format.HEIF}

T = TypeVar("T")
Picture = bytes | Image


def _no() -> bool:
    return False


@dataclass(slots=True, eq=False)
class _Waiting:
    """A picture in the queue."""

    picture: Picture
    steps: AnalyzerSettings
    pixels: int
    until: float
    digests: Callable[[], bool]
    then: Callable[[Outcome], Any]
    answer: asyncio.Future[Any] = field(repr=False)

    __repr__ = shown


@dataclass(frozen=True, slots=True, eq=False)
class _Ended:
    """What became of a picture in the queue: how it ended, and what followed, or what was wrong."""

    status: str | None = None
    value: Any = None
    error: BaseException | None = None

    __repr__ = shown


class Workers:
    """Analyses pictures, a batch a worker at a time, by any settings; one analyzer for each is kept.

    ``workers`` batches are under way at most, one a core by default, of up to ``batch`` pictures.
    ``waiting`` pictures may wait, each for ``seconds``; whoever comes then is told to come again.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        batch: int = 8,
        waiting: int = 64,
        seconds: float = 60.0,
        metrics: Metrics | None = None,
        make: Callable[[AnalyzerSettings], Analyzer] = Analyzer.from_settings,
    ) -> None:
        import_first()
        self.workers = workers or cores()
        self._batch, self._most, self._seconds = batch, waiting, seconds
        self._metrics = metrics or Metrics()
        self._make = make
        self._made: dict[AnalyzerSettings, Analyzer] = {}
        self._making = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._free = self.workers
        self._mean_s = 0.1

    @property
    def waiting(self) -> int:
        """How many pictures wait."""
        return len(self._queue)

    def analyzer(self, steps: AnalyzerSettings) -> Analyzer:
        """The analyzer of some settings, made when it is first asked for; takes a while then."""
        with self._making:
            if steps not in self._made:
                self._made[steps] = self._make(steps.changed(workers=self.workers))
            return self._made[steps]

    async def analyze(
        self,
        pictures: Sequence[Picture],
        steps: AnalyzerSettings,
        then: Callable[[Outcome], T],
        *,
        digests: Callable[[], bool] = _no,
    ) -> list[T]:
        """What follows from the outcome of each picture; cancelled, its pictures leave the queue.

        ``then``, and ``digests``, whether outcomes are to have them, are called in the thread that
        analyses. Raises what ``then`` does, and `Refused` (503) where too many wait, or one too long.
        """
        if len(self._queue) + len(pictures) > self._most and self._queue:
            self._metrics.dropped("queue full", len(pictures))
            raise busy("too many pictures wait", len(self._queue) * self._mean_s / self.workers)
        loop = asyncio.get_running_loop()
        until = time.monotonic() + self._seconds
        sizes = (
            await loop.run_in_executor(None, _sizes, pictures) if _is_much(pictures) else _sizes(pictures)
        )
        items = [
            _Waiting(picture, steps, size, until, digests, then, loop.create_future())
            for picture, size in zip(pictures, sizes, strict=True)
        ]
        self._queue.extend(items)
        self._begin()
        try:
            async with asyncio.timeout(self._seconds):
                return [await item.answer for item in items]
        except TimeoutError:
            raise busy("the pictures waited too long", self._seconds / 2) from None
        finally:
            for item in items:
                if not item.answer.cancel() and not item.answer.cancelled():
                    item.answer.exception()  # told to somebody already, and not to be told by asyncio

    def _begin(self) -> None:
        """Let every free worker begin with what waits."""
        while self._free and (batch := self._taken()):
            self._free -= 1
            loop = asyncio.get_running_loop()
            self._metrics.batch(len(batch))
            began = time.monotonic()
            running = loop.run_in_executor(None, self._analyzed, batch)
            running.add_done_callback(partial(self._end, batch, began))

    def _taken(self) -> list[_Waiting]:
        """The next batch: pictures that go through the same steps, a fair share of what waits."""
        batch: list[_Waiting] = []
        pixels, now = 0, time.monotonic()
        most = min(self._batch, -(-len(self._queue) // self._free))
        while self._queue and len(batch) < most:
            first = self._queue[0]
            if first.answer.done():  # cancelled
                self._metrics.dropped("cancelled")
            elif first.until < now:
                self._metrics.dropped("too late")
                first.answer.set_exception(busy("the picture waited too long", self._seconds / 2))
            elif batch and (first.steps != batch[0].steps or pixels + first.pixels > PIXELS_A_BATCH):
                break
            else:
                batch.append(first)
                pixels += first.pixels
            self._queue.popleft()
        return batch

    def _analyzed(self, batch: Sequence[_Waiting]) -> list[_Ended]:
        """What became of each, outside of the event loop; what goes wrong with one is its alone."""
        try:
            outcomes = self._outcomes(batch)
        except LineamentError as error:
            return [_Ended(error=error)] * len(batch)
        except Exception as error:
            if len(batch) == 1:
                return [_Ended(error=error)]
            return [one for item in batch for one in self._analyzed([item])]
        return [_followed(item, outcome) for item, outcome in zip(batch, outcomes, strict=True)]

    def _outcomes(self, batch: Sequence[_Waiting]) -> list[Outcome]:
        analyzer = self.analyzer(batch[0].steps)
        digests = any(item.digests() for item in batch)
        if len(batch) == 1 and not digests:
            return [analyzer.analyze_one(batch[0].picture)]
        # An iterator is one batch of the engine, a list would be cut for its threads.
        return list(analyzer.analyze(iter([item.picture for item in batch]), digests=digests))

    def _end(self, batch: list[_Waiting], began: float, done: asyncio.Future[list[_Ended]]) -> None:
        self._free += 1
        self._mean_s = 0.8 * self._mean_s + 0.2 * (time.monotonic() - began) / len(batch)
        error = done.exception()
        ended = [_Ended(error=error)] * len(batch) if error is not None else done.result()
        for item, one in zip(batch, ended, strict=True):
            if one.status is not None:
                self._metrics.analysed(one.status)
            if item.answer.done():
                continue
            if one.error is None:
                item.answer.set_result(one.value)
            else:
                item.answer.set_exception(one.error)
        self._begin()

    def close(self) -> None:
        """End the analyzers that were made; a batch under way is finished."""
        made, self._made = self._made, {}
        for analyzer in made.values():
            analyzer.close()


def _followed(item: _Waiting, outcome: Outcome) -> _Ended:
    try:
        return _Ended(outcome.status, item.then(outcome))
    except Exception as error:
        return _Ended(outcome.status, error=error)


def _is_much(pictures: Sequence[Picture]) -> bool:
    """Whether reading the headers would keep the event loop waiting."""
    return len(pictures) > 2 or sum(len(one) for one in pictures if isinstance(one, bytes)) > 4 * 2**20


def _sizes(pictures: Sequence[Picture]) -> list[int]:
    return [_pixels(picture) for picture in pictures]


def _pixels(picture: Picture) -> int:
    """How many pixels a header announces; 0 where there is none, which is found out later."""
    if isinstance(picture, Image):
        return picture.pixels.size // 3
    if sniff(picture) in _OF_UNKNOWN_SIZE:
        return PIXELS_A_BATCH
    try:
        width, height = images.probe(picture).size_wh
    except PictureError:
        return 0
    return width * height
