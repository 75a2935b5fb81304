"""Frames decoded ahead in a thread of their own, within bounds."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from lineament.io.first_imports import import_first
from lineament.io.video import Frame
from lineament.watching.sources import VideoSource

_AHEAD = 8
"""Frames of a file that wait; a frame of 1080p holds 3 MB."""

_LIVE_AHEAD = 2
"""Of something live older frames are of no use."""

_POLL_S = 0.2


class Feed:
    """The frames of a source, in order. A file waits for us; of what is live, the oldest frames are dropped
    when we are late, and counted in ``dropped``."""

    def __init__(self, source: VideoSource) -> None:
        self.dropped = 0
        self._source = source
        self._queue: queue.Queue[Frame | BaseException | None] = queue.Queue(
            _LIVE_AHEAD if source.live else _AHEAD
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="lineament-feed", daemon=True)

    def __enter__(self) -> Self:
        import_first()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        # A camera or stream that hangs is left to its timeout: the thread ends with the process.
        self._thread.join(None if not self._source.live else 1.0)

    def __iter__(self) -> Iterator[Frame]:
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def _read(self) -> None:
        try:
            for frame in self._source.frames():
                if self._stop.is_set():
                    return
                self._put(frame, lossy=self._source.live)
            self._put(None)
        except BaseException as error:  # carried to the thread that watches
            self._put(error)

    def _put(self, item: Frame | BaseException | None, *, lossy: bool = False) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0 if lossy else _POLL_S)
                return
            except queue.Full:
                if lossy:
                    with suppress(queue.Empty):
                        self._queue.get_nowait()
                        self.dropped += 1
