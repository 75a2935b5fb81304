"""What can be watched: files, folders of them, streams, cameras."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lineament.errors import UsageError
from lineament.io import camera, video
from lineament.io.streams import Stream, is_stream
from lineament.io.video import Frame

CAMERA = "camera:"


@dataclass(frozen=True, slots=True)
class VideoSource:
    """One video: ``frames`` begins it anew with each call. What is ``live`` does not wait for us.

    ``path`` is the file of one that can be read again; ``stream`` the connection of one from the network.
    """

    name: str
    frames: Callable[[], Iterator[Frame]] = field(repr=False)
    live: bool = False
    path: Path | None = None
    stream: Stream | None = None

    @classmethod
    def file(cls, path: Path) -> VideoSource:
        """A video file."""
        return cls(str(path), lambda: video.read(path), path=path)


def watchable(text: str, *, patience_s: float = 60.0) -> list[VideoSource]:
    """The videos that a text names: a file, a folder's files, an address, ``camera:0``.

    ``camera:FILE`` plays a file as if it were live, at its own speed. Nothing is opened yet. Raises
    `UsageError` for a folder without videos, an address that is no stream's, and what is not there.
    """
    if text.startswith(CAMERA):
        return [_camera(text)]
    if is_stream(text):
        stream = Stream(text, patience_s)
        return [VideoSource(stream.name, stream.frames, live=True, stream=stream)]
    path = Path(text)
    if not path.exists():
        raise UsageError(
            f"{text}: is not there; give a file, a folder, an rtsp:// or http:// address, or camera:0"
        )
    return [VideoSource.file(found) for found in video.find(path)]


def _camera(text: str) -> VideoSource:
    what = text.removeprefix(CAMERA)
    film = camera.film_at(what)
    if film is not None:
        return VideoSource(text, lambda: _at_its_speed(video.read(film)), live=True)
    device = camera.device(what, CAMERA)

    def frames() -> Iterator[Frame]:
        device.require()
        began = time.monotonic()
        for image in device.frames():
            yield Frame(time.monotonic() - began, text, image.pixels)

    return VideoSource(text, frames, live=True)


def _at_its_speed(frames: Iterator[Frame]) -> Iterator[Frame]:
    began, first = time.monotonic(), None
    for frame in frames:
        first = frame.seconds if first is None else first
        time.sleep(max(0.0, frame.seconds - first - (time.monotonic() - began)))
        yield frame
