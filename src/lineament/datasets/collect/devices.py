"""Where frames come from: a camera by its number or path, or a film in its place."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.datasets.collect.video import frames, require_size
from lineament.errors import Unreachable
from lineament.types import Image


@dataclass(frozen=True, slots=True)
class Device:
    """``frames`` begins anew with each call. A ``live`` one goes on whether its frames are taken or not."""

    name: str
    frames: Callable[[], Iterator[Image]]
    live: bool


def device(text: str) -> Device:
    """The camera of a number, or of a device file such as ``/dev/video0``; else the film at a path.

    Nothing is opened yet: `Unreachable` comes with the first frame.
    """
    if text.isdecimal():
        return Device(text, lambda: camera_frames(int(text)), live=True)
    path = Path(text)
    if _is_device(path):
        return Device(text, lambda: camera_frames(text), live=True)
    return Device(text, lambda: frames(path), live=False)


def camera_frames(camera: int | str) -> Iterator[Image]:
    """Frames of the camera of that number or device file; raises `Unreachable` if it does not open."""
    import cv2

    capture = cv2.VideoCapture(camera)
    try:
        if not capture.isOpened():
            raise Unreachable(f"camera {camera} cannot be opened")
        rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
        count = 0
        while True:
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


def _is_device(path: Path) -> bool:
    """Whether it is a device of characters, as cameras are: OpenCV reads no file and no address here."""
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except (OSError, ValueError):
        return False
