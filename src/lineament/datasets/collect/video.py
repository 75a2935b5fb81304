"""Photos out of videos of one person: the frames with one good face.

A video is foreign: playlists, session descriptions and scripts name other files and addresses, and so can a
film. FFmpeg (PyAV, extra ``video``) therefore gets one open file, the one demuxer that its first bytes call
for, and no way to open anything else. OpenCV reads cameras only: its reader can be given no such bounds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from lineament.analyzer import Analyzer
from lineament.datasets.collect.collection import Collection, Gathered
from lineament.datasets.collect.frames import Choice, judge
from lineament.datasets.collect.people import Person
from lineament.errors import BadAnswer, DuplicatePicture, MissingExtra, Unreachable, UsageError
from lineament.io.images import DEFAULT_LIMITS, encode_jpeg
from lineament.io.manifest import Provenance
from lineament.io.walking import walk
from lineament.types import Image

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
_QUALITY = 95
_BOUNDS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi",
    "protocol_whitelist": "none",
    "enable_drefs": "0",
}
"""For FFmpeg; none is the name of no protocol. A film's media may lie in other files: they stay closed."""


def find(path: Path) -> list[Path]:
    """The videos at ``path``: itself, or those in the folder, sorted; raises `UsageError` without any."""
    if path.is_file():
        return [path]
    below = [Path(folder) / name for folder, _, names in walk(path) for name in names]
    found = sorted(p for p in below if p.suffix.lower() in SUFFIXES)
    if not found:
        raise UsageError(f"{path}: no video ({', '.join(sorted(SUFFIXES))})")
    return found


def gather(
    collection: Collection,
    person: Person,
    videos: list[Path],
    analyzer: Analyzer,
    *,
    per_subject: int = 100,
    choice: Choice | None = None,
    licence: str | None = None,
    passed_over: Counter[str] | None = None,
) -> Iterator[Gathered]:
    """Keep good frames of the videos until the person has enough.

    A frame's origin is the video's SHA-256 and its time, so a later run goes on after what is kept.
    ``passed_over`` counts the named reasons against the frames that were looked at.
    """
    choice = choice or Choice()
    passed_over = passed_over if passed_over is not None else Counter()
    for video in videos:
        if collection.kept(person.subject) >= per_subject:
            return
        try:
            digest = digest_of(video)
            if collection.noted("video", person.subject, digest):
                continue
            for verdict in judge(frames(video), analyzer, choice):
                if verdict.reason is not None:
                    passed_over[type(verdict.reason).__name__] += 1
                    continue
                origin, provenance = moment(video, digest, verdict.frame, licence)
                if collection.settled(person.subject, origin):
                    continue
                if collection.kept(person.subject) >= per_subject:
                    return
                data = encode_jpeg(verdict.frame.pixels, quality=_QUALITY)
                if collection.holds(person.subject, data):
                    passed_over[DuplicatePicture.__name__] += 1
                    continue
                yield collection.keep(
                    person,
                    origin,
                    data,
                    provenance,
                    quality=verdict.quality,
                    seconds=seconds_of(verdict.frame),
                    video=digest,
                )
            collection.note("video", person.subject, digest, value=True)
        except (BadAnswer, Unreachable) as error:
            yield collection.refuse(person, str(video.absolute()), error)


def seconds_of(frame: Image) -> float:
    """When it is shown, to the millisecond."""
    return round(frame.timestamp or 0.0, 3)


def moment(video: Path, digest: str, frame: Image, licence: str | None = None) -> tuple[str, Provenance]:
    """A frame's origin, the SHA-256 of its video and its time, and where it came from."""
    at = f"#t={seconds_of(frame)}"
    return f"{digest}{at}", Provenance(url=f"{video.absolute().as_uri()}{at}", licence=licence)


def frames(video: Path) -> Iterator[Image]:
    """Every frame of a file, upright, with its time in seconds.

    Only the file itself is opened. Raises `CollectError` where it is missing, damaged or no MP4, QuickTime,
    Matroska, WebM or AVI, and `MissingExtra` without PyAV.
    """
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
                io_open=_refuse,
                metadata_errors="replace",
            ) as container,
        ):
            if not container.streams.video:
                raise BadAnswer(f"{video.name}: holds no video")
            stream = container.streams.video[0]
            require_size(video.name, stream.width, stream.height)
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(video=0)):
                require_size(video.name, frame.width, frame.height)
                pixels = frame.to_ndarray(format="rgb24")
                turned = np.rot90(pixels, round(frame.rotation / 90) % 4) if frame.rotation else pixels
                seconds = frame.time if frame.time is not None else number / 25
                yield Image(np.ascontiguousarray(turned), source=video.name, timestamp=float(seconds))
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadAnswer(f"{video.name}: damaged or not a video: {reason}") from None


def _refuse(url: str, _flags: int, _options: object) -> NoReturn:
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
