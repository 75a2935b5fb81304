"""Frames of a camera, by its number or device file, and what to say when it does not open."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.errors import Unreachable
from lineament.io.video import require_size
from lineament.types import Image

_FILES = Path("/dev")


@dataclass(frozen=True, slots=True)
class Device:
    """A camera; ``frames`` opens it anew with each call, and raises `Unreachable` where that fails.

    ``option`` is what stands before its number on the command line.
    """

    name: str
    frames: Callable[[], Iterator[Image]]
    option: str = "--device "

    def require(self) -> None:
        """Open it and take a frame, so that nobody is asked for anything before a camera that is none."""
        if next(self.frames(), None) is None:
            raise Unreachable(
                no_camera(
                    self.name, "opens, but gives no picture; another program may be using it", self.option
                )
            )


def device(text: str, option: str = "--device ") -> Device:
    """The camera of a number, or of a device file such as ``/dev/video0``; nothing is opened yet."""
    return Device(text, lambda: camera_frames(int(text) if text.isdecimal() else text, option), option)


def film_at(text: str) -> Path | None:
    """The file that stands in a camera's place; None where the text is a camera's, or leads to nothing."""
    try:
        return Path(text) if not text.isdecimal() and Path(text).is_file() else None
    except (OSError, ValueError):
        return None


def camera_frames(camera: int | str, option: str = "--device ") -> Iterator[Image]:
    """Frames of the camera of that number or device file; raises `Unreachable` if it does not open."""
    import cv2

    # A path is handed on as a device only: OpenCV would read any file or address by it.
    if isinstance(camera, str) and not _is_device(camera):
        raise Unreachable(
            no_camera(camera, "is neither a camera's number, nor a device, nor a file", option)
        )
    with _silent():
        capture = cv2.VideoCapture(camera)
    try:
        if not capture.isOpened():
            raise Unreachable(no_camera(str(camera), _why(camera), option))
        rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
        count = 0
        while True:
            with _silent():
                there, pixels = capture.read()
            if not there:
                return
            position = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            require_size(f"camera {camera}", pixels.shape[1], pixels.shape[0])
            seconds = position if position > 0 else count / rate
            yield Image(
                np.ascontiguousarray(pixels[:, :, ::-1], np.uint8), source=str(camera), timestamp=seconds
            )
            count += 1
    finally:
        capture.release()


def no_camera(name: str, why: str, option: str = "--device ") -> str:
    """What to tell of a camera that gives nothing: why, the ones that are here, and the way without."""
    if sys.platform == "linux":
        found = sorted(_FILES.glob("video*"), key=lambda path: (len(path.name), path.name))
        named = ", ".join(map(str, found))
        here = f"cameras here: {named}" if found else f"there is no {_FILES}/video* here"
    else:
        here = f"other cameras have other numbers: {option}1"
    return f"camera {name} {why}; {here}; a video file does in its place: {option}FILE"


def _why(camera: int | str) -> str:
    path = _FILES / f"video{camera}" if isinstance(camera, int) else Path(camera)
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return f"cannot be opened: this account may not use {path} (the group video may)"
    return "cannot be opened"


def _is_device(text: str) -> bool:
    """Whether it is a device of characters, as cameras are."""
    try:
        return stat.S_ISCHR(Path(text).stat().st_mode)
    except (OSError, ValueError):
        return False


@contextmanager
def _silent() -> Iterator[None]:
    """Without the lines that OpenCV's backends write of each other; what matters is told by an error."""
    from cv2.utils import logging

    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
