"""Videos written anew: each frame as somebody changes it, at its own time, with its sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from lineament.errors import MissingExtra, OutputError
from lineament.io.own_files import NEW
from lineament.io.video import Frame, opened, require_size, video_stream
from lineament.io.writing import target_of
from lineament.plots.annotate import MATCH, NO_MATCH, annotate
from lineament.types import Faces, Float32, Image, UInt8
from lineament.watching.appearances import Appearance

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.video.stream import VideoStream

_TICKS = 90_000
"""Of a second: times are kept to a hundredth of a millisecond."""

_KEPT_SOUND = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "flac"})
"""Kinds of sound that an MP4 file holds as they are; others are encoded anew."""

_LINGER_S = 0.12
"""A box is drawn for so long before and after it was found: frames between two searches."""

Change = Callable[[Image], UInt8]


class FilmWriter:
    """Writes an MP4 file (H.264 where PyAV has it) at ``path``: frames in the order of their times.

    The size is that of the first frame, made even; frames of another size are scaled to it.
    """

    def __init__(self, path: Path, sound: AudioStream | None = None) -> None:
        try:
            import av
        except ImportError as error:
            raise MissingExtra("writing videos", "video") from error
        self._path = path
        with self._writing():
            self._container = av.open(str(path), "w", format="mp4")
        self._pictures: VideoStream | None = None
        self._last = -1
        self._heard: int | None = None
        self._early: list[Packet[AudioStream]] = []
        self._kept: AudioStream | None = None
        self._encoded: AudioStream | None = None
        if sound is not None and sound.codec_context.name in _KEPT_SOUND:
            self._kept = self._container.add_stream_from_template(sound)
        elif sound is not None:
            self._encoded = self._container.add_stream("aac", rate=sound.rate or 48_000)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._writing():
            try:
                for stream in (self._pictures, self._encoded) if kind is None else ():
                    if stream is not None:
                        self._container.mux(stream.encode(None))
            finally:
                self._container.close()

    def frame(self, pixels: UInt8, seconds: float) -> None:
        """One frame, uint8 ``(H, W, 3)``."""
        import av

        height, width = (side + side % 2 for side in pixels.shape[:2])
        pictures = self._pictures = self._pictures or self._begun(width, height)
        even = np.pad(
            pixels, ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0)), mode="edge"
        )
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        if (width, height) != (pictures.width, pictures.height):
            picture = picture.reformat(width=pictures.width, height=pictures.height)
        self._last = max(self._last + 1, round(max(0.0, seconds) * _TICKS))
        picture.pts, picture.time_base = self._last, Fraction(1, _TICKS)
        with self._writing():
            self._container.mux(pictures.encode(picture))
        early, self._early = self._early, []
        for packet in early:
            self.sound(packet)

    def sound(self, packet: Packet[AudioStream]) -> None:
        """A packet of the sound, as it was read; those before the first frame wait for it."""
        if packet.dts is None:
            return
        if self._pictures is None:  # whose size the head of the file tells
            self._early.append(packet)
            return
        if self._kept is not None:
            # Packets of one chunk of an AVI file share its time; MP4 wants times that rise.
            if self._heard is not None and packet.dts <= self._heard:
                packet.dts = packet.pts = self._heard + max(1, packet.duration or 0)
            self._heard = packet.dts
            packet.stream = self._kept
            with self._writing():
                self._container.mux(packet)
        elif self._encoded is not None:
            for heard in packet.decode():
                with self._writing():
                    self._container.mux(self._encoded.encode(heard))

    def _begun(self, width: int, height: int) -> VideoStream:
        import av

        codec = "libx264" if "libx264" in av.codec.codecs_available else "mpeg4"
        stream = cast("VideoStream", self._container.add_stream(codec, rate=Fraction(30)))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "crf": "20"}
        return stream

    @contextmanager
    def _writing(self) -> Iterator[None]:
        import av

        try:
            yield
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"{self._path.name}: the video cannot be written: {reason}") from error


def rewritten(source: Path, target: Path, change: Change, *, most: int | None = None) -> int:
    """Write a video anew, each frame as ``change`` gives it, and return the number of frames.

    With ``most`` it ends after so many frames. Of a file that breaks off, what comes before the break is
    written. Raises as `lineament.io.video.read` where nothing can be read, `OutputError`, and
    `WouldOverwrite` for a file that is there.
    """
    import av

    count = 0
    with target_of(target, NEW) as partial, opened(source) as container:
        pictures = video_stream(container, source.name)
        sounds = container.streams.audio[:1]
        with FilmWriter(partial, sounds[0] if sounds else None) as film:
            try:
                for packet in container.demux(pictures, *sounds):
                    if packet.stream.index != pictures.index:
                        film.sound(cast("Packet[AudioStream]", packet))
                        continue
                    for picture in cast("Packet[VideoStream]", packet).decode():
                        require_size(source.name, picture.width, picture.height)
                        seconds = picture.time or 0.0
                        film.frame(change(Frame(seconds, source.name, picture).image()), seconds)
                        count += 1
                        if count == most:
                            return count
            except av.FFmpegError:
                if not count:
                    raise
    return count


def draw(source: Path, target: Path, appearances: Sequence[Appearance], *, most: int | None = None) -> int:
    """Write a video, or its first ``most`` frames, anew with boxes and names.

    Between two searches boxes move on straight lines. Names are those decided in the end, so they stand
    from a person's first frame on. Raises as `rewritten`.
    """
    waiting = sorted(appearances, key=lambda one: one.track.from_s, reverse=True)
    there: list[Appearance] = []

    def drawn(image: Image) -> UInt8:
        now = image.timestamp or 0.0
        while waiting and waiting[-1].track.from_s - _LINGER_S <= now:
            there.append(waiting.pop())
        there[:] = [one for one in there if one.track.to_s + _LINGER_S >= now]
        seen = [
            (one, box) for one in there if (box := one.track.box_at(now, beyond_s=_LINGER_S)) is not None
        ]
        return labelled(image, [(box, one.subject, one.naming.similarity) for one, box in seen])

    return rewritten(source, target, drawn, most=most)


def labelled(image: Image, faces: Sequence[tuple[Float32, str | None, float | None]]) -> UInt8:
    """A copy of a frame with boxes ``(4,)`` and their names; without a name: unknown."""
    if not faces:
        return image.pixels
    labels = [
        "unknown" if name is None else name if similarity is None else f"{name} {similarity:.2f}"
        for _, name, similarity in faces
    ]
    boxes = np.stack([box for box, _, _ in faces])
    colours = [NO_MATCH if name is None else MATCH for _, name, _ in faces]
    return annotate(image, Faces(boxes, np.ones(len(boxes), np.float32)), labels, colours)
