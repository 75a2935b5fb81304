"""Frames of video files, upright and with their times.

A video is foreign: playlists, session descriptions and scripts name other files and addresses, and so can a
film. FFmpeg (PyAV, extra ``video``) therefore gets one open file, the one demuxer that its first bytes call
for, and no way to open anything else. OpenCV reads cameras only: its reader can be given no such bounds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import numpy as np

from lineament.errors import BadAnswer, MissingExtra, Unreachable, UsageError
from lineament.io.images import DEFAULT_LIMITS
from lineament.io.walking import walk
from lineament.types import Image, UInt8

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
_BOUNDS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi",
    "protocol_whitelist": "none",
    "enable_drefs": "0",
}
"""For FFmpeg; none is the name of no protocol. A film's media may lie in other files: they stay closed."""
_LUMA = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})
"""Formats whose first plane is the picture in grey, a byte a pixel."""
_DEFAULT_RATE = 25.0


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame that was decoded; it becomes RGB only where it is looked at, which costs as much again.

    ``picture`` is PyAV's, or uint8 ``(H, W, 3)`` RGB of a camera.
    """

    seconds: float
    source: str
    picture: VideoFrame | UInt8

    def __repr__(self) -> str:
        return f"Frame({self.source!r}, {self.seconds:.3f} s)"

    def image(self, longest: int | None = None) -> Image:
        """The picture, upright; shrunk so that its longer side is at most ``longest`` pixels."""
        if isinstance(self.picture, np.ndarray):
            return _shrunk(Image(self.picture, self.source, self.seconds), longest)
        frame = self.picture
        long_side = max(frame.width, frame.height)
        scale = 1.0 if longest is None or long_side <= longest else long_side / longest
        if scale == 1.0:
            pixels = frame.to_ndarray(format="rgb24")
        else:
            width, height = (max(1, round(side / scale)) for side in (frame.width, frame.height))
            pixels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
        turned = np.rot90(pixels, round(frame.rotation / 90) % 4) if frame.rotation else pixels
        return Image(np.ascontiguousarray(turned), self.source, self.seconds, scale)

    def thumbnail(self, size_wh: tuple[int, int]) -> UInt8:
        """The picture in grey, uint8 ``(H, W)``, as it lies in the file."""
        import cv2

        frame = self.picture
        if isinstance(frame, np.ndarray):
            grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        elif frame.format.name in _LUMA:
            plane = frame.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            grey = rows[: frame.height, : frame.width]
        else:
            grey = frame.to_ndarray(format="gray")
        return np.asarray(cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def find(path: Path) -> list[Path]:
    """The videos at ``path``: itself, or those in the folder, sorted; raises `UsageError` without any."""
    if path.is_file():
        return [path]
    below = [Path(folder) / name for folder, _, names in walk(path) for name in names]
    found = sorted(p for p in below if p.suffix.lower() in SUFFIXES)
    if not found:
        raise UsageError(f"{path}: no video ({', '.join(sorted(SUFFIXES))})")
    return found


def frames(video: Path) -> Iterator[Image]:
    """Every frame of a file, upright, with its time in seconds; raises as `read`."""
    return (frame.image() for frame in read(video))


def read(video: Path) -> Iterator[Frame]:
    """Every frame of a file, in the order of their times.

    Only the file itself is opened. Raises `CollectError` where it is missing, damaged or no MP4, QuickTime,
    Matroska, WebM or AVI, and `MissingExtra` without PyAV. Of one that breaks off, the frames before come
    first.
    """
    with opened(video) as container:
        yield from decoded(container, video.name)


@contextmanager
def opened(video: Path) -> Iterator[InputContainer]:
    """The file, opened by PyAV within bounds; raises as `read`, also for what happens in the block."""
    try:
        import av
    except ImportError as error:
        raise MissingExtra("reading videos", "video") from error
    try:
        if not video.is_file():
            raise Unreachable(f"{video}: not a file")
        with (
            video.open("rb") as file,
            av.open(
                file,
                "r",
                format=_demuxer(video.name, file),
                container_options=_BOUNDS,
                io_open=refuse,
                metadata_errors="replace",
            ) as container,
        ):
            yield container
    except (av.FFmpegError, OSError, ValueError) as error:
        raise damaged(video.name, error) from None


def decoded(container: InputContainer, name: str) -> Iterator[Frame]:
    """The frames of the first video stream, in order; raises `BadAnswer` without one, or for huge ones."""
    stream = video_stream(container, name)
    before, step = -np.inf, 1 / float(stream.average_rate or _DEFAULT_RATE)
    for frame in container.decode(stream):
        require_size(name, frame.width, frame.height)
        seconds = frame.time if frame.time is not None else max(0.0, before + step)
        before = float(seconds)
        yield Frame(before, name, frame)


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The first stream of pictures, ready to be decoded on all cores; raises as `decoded`."""
    if not container.streams.video:
        raise BadAnswer(f"{name}: holds no video")
    stream = container.streams.video[0]
    require_size(name, stream.width, stream.height)
    stream.thread_type = "AUTO"
    return stream


def damaged(name: str, error: Exception) -> BadAnswer:
    """What to say of a video that FFmpeg or the system gave up."""
    return BadAnswer(f"{name}: damaged or not a video: {getattr(error, 'strerror', None) or error}")


def refuse(url: str, _flags: int, _options: object) -> NoReturn:
    """For PyAV: open nothing else."""
    raise BadAnswer(f"the video names another file or address, {url[:200]!r}, which is not opened")


def require_size(name: str, width: int, height: int) -> None:
    """Raise `BadAnswer` for frames of more pixels than a picture may have."""
    if width * height > DEFAULT_LIMITS.max_pixels:
        raise BadAnswer(f"{name}: {width}x{height} pixels are more than {DEFAULT_LIMITS.max_pixels:,}")


def digest_of(video: Path) -> str:
    """The SHA-256 of a file that begins like a video of an accepted kind; raises `CollectError`."""
    try:
        if not video.is_file():
            raise Unreachable(f"{video}: not a file")
        with video.open("rb") as file:
            _demuxer(video.name, file)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unreachable(f"{video}: cannot be read: {error.strerror}") from None


def _shrunk(image: Image, longest: int | None) -> Image:
    import cv2

    width, height = image.size_wh
    if longest is None or max(width, height) <= longest:
        return image
    scale = max(width, height) / longest
    size = max(1, round(width / scale)), max(1, round(height / scale))
    pixels = np.asarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Image(pixels, image.source, image.timestamp, scale)


def _demuxer(name: str, file: IO[bytes]) -> str:
    """FFmpeg's name for what a file begins like, whatever it is called; raises `BadAnswer`."""
    head = file.read(16)
    file.seek(0)
    if head[4:8] == b"ftyp":
        return "mov"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    raise BadAnswer(f"{name}: does not begin like MP4, QuickTime, Matroska, WebM or AVI")
