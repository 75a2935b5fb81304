"""Frames of a stream from the network (RTSP, HTTP), connected again when it breaks off.

FFmpeg is given the protocols of streams and no other, and only formats that name no further addresses: a
playlist (HLS, DASH) could lead it into the network around us.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lineament.errors import MissingExtra, Unreachable, UsageError
from lineament.io.video import Frame, damaged, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SCHEMES = ("rtsp", "rtsps", "http", "https")
_FORMATS = "rtsp,mpegts,mpjpeg,mjpeg,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,h264,hevc"
_PROTOCOLS = "rtsp,rtp,rtcp,srtp,udp,tcp,tls,http,https,httpproxy"
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0


def is_stream(text: str) -> bool:
    """Whether a source is an address: it has a scheme; raises `UsageError` for one that is not read."""
    scheme, found, _ = text.partition("://")
    if not found:
        return False
    if scheme.lower() not in SCHEMES:
        raise UsageError(
            f"{shown_url(text)}: streams are read from {', '.join(SCHEMES)}; give a file's path"
        )
    return True


def shown_url(url: str) -> str:
    """An address without what may be secret: user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


@dataclass(slots=True)
class Stream:
    """One address. ``reconnects`` counts how often it was connected anew.

    Where it gave pictures and then breaks off, or ends without having said how long it is, it is connected
    again after half a second, one second, two ..., 30 at most; after ``patience_s`` seconds without a
    picture it is `Unreachable`. Each connection and each read has ``timeout_s``.
    """

    url: str = field(repr=False)
    patience_s: float = 60.0
    timeout_s: float = 10.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    reconnects: int = 0
    _began: float | None = field(default=None, init=False, repr=False)
    _last: float = field(default=-1.0, init=False, repr=False)

    @property
    def name(self) -> str:
        """The address as it may be shown."""
        return shown_url(self.url)

    def frames(self) -> Iterator[Frame]:
        """Frames with the seconds since the first one came.

        The clock is this machine's between connections, and the stream's own within one. Raises
        `Unreachable`, `BadAnswer` or `MissingExtra`.
        """
        try:
            import av
        except ImportError as error:
            raise MissingExtra("reading streams", "video") from error
        wait, last = _FIRST_WAIT_S, 0.0
        while True:
            try:
                for frame in self._connected():
                    wait, last = _FIRST_WAIT_S, time.monotonic()
                    yield frame
                return
            except _Ended:
                why = "the stream broke off"
            except (av.FFmpegError, OSError, ValueError) as error:
                if self._began is None and isinstance(error, av.error.InvalidDataError):
                    raise damaged(self.name, error) from None
                why = str(getattr(error, "strerror", None) or error)
            if self._began is None:
                raise Unreachable(f"{self.name}: {why}")
            left = self.patience_s - (time.monotonic() - last)
            if left <= 0:
                raise Unreachable(f"{self.name}: {why}, and did not come back in {self.patience_s:g} s")
            self.sleep(min(wait, left))
            wait = min(2 * wait, _LONGEST_WAIT_S)
            self.reconnects += 1

    def _connected(self) -> Iterator[Frame]:
        import av

        options = {
            "protocol_whitelist": _PROTOCOLS,
            "format_whitelist": _FORMATS,
            "rtsp_transport": "tcp",
            "analyzeduration": "1000000",  # microseconds until the first picture; else five times as long
        }
        with av.open(
            self.url,
            "r",
            options=options,
            timeout=(self.timeout_s, self.timeout_s),
            metadata_errors="replace",
        ) as container:
            stream = video_stream(container, self.name)
            offset, count = None, 0
            for picture in _pictures(container, stream):
                if picture.pts is None:  # a frame that was damaged
                    continue
                # Frames of a decoder that was emptied have no time of their own.
                own = float(picture.pts * (stream.time_base or 0))
                if offset is None:
                    now = time.monotonic()
                    self._began = now if self._began is None else self._began
                    # What was sent ahead of its time may have come in a burst.
                    offset = max(now - self._began, self._last + 0.04) - own
                count += 1
                self._last = own + offset
                yield Frame(self._last, self.name, picture)
            if not 0 < stream.frames <= count:
                raise _Ended


def _pictures(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """All that can be decoded; a packet lost on the way is passed over, and a broken end is an end."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.EOFError, av.error.OSError):
            yield from stream.decode(None)
            return
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


class _Ended(Exception):
    """A stream without an end came to one."""
