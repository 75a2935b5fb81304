"""A CompreFace installation as a source of photos: its faces are fetched and enrolled here, once each.

Every sample remembers the id of the image that it was, so that a move that broke off goes on where it was.
Embeddings of another model mean nothing here: where an installation kept no photos, nothing can be moved.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from lineament.documents import Malformed, json_of
from lineament.errors import (
    AnswerTooLarge,
    BadAnswer,
    EmptyPicture,
    ForbiddenUrl,
    HttpError,
    PictureError,
    Unreachable,
)
from lineament.gallery.enrolment import Allow, EnrolOutcome
from lineament.gallery.gallery import Gallery
from lineament.io import images
from lineament.records import RecordKind, Where
from lineament.types import Outcome

_SECONDS = 60.0
_PAGE = 100
_MOST_PAGE_BYTES = 4 * 2**20
_MOST_PHOTO_BYTES = 32 * 2**20
_SOURCE = "compreface:"

Face = tuple[str, str]
"""The id of an image, and the subject it is of."""


class Installation:
    """The collection of one key of a CompreFace server, read only.

    ``address`` is that of the server, ``http://host:8000``. Raises `ForbiddenUrl` for what is none, and
    `Unreachable`, `HttpError`, `BadAnswer` or `AnswerTooLarge` when it is asked.
    """

    def __init__(self, address: str, key: str) -> None:
        parts = urlsplit(address)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or "@" in parts.netloc:
            raise ForbiddenUrl(f"{address}: not the address of a server, such as http://localhost:8000")
        self.address, self._key = address.rstrip("/"), key
        self._host, self._port, self._tls = parts.hostname, port, parts.scheme == "https"
        self._before = parts.path.rstrip("/")

    def count(self) -> int:
        """How many faces there are."""
        return int(self._page(0, 1)["total_elements"])

    def faces(self) -> Iterator[Face]:
        """Every face, a page at a time."""
        number = 0
        while True:
            page = self._page(number, _PAGE)
            yield from page["faces"]
            number += 1
            if number >= page["total_pages"] or not page["faces"]:
                return

    def photo(self, image_id: str) -> bytes:
        """The photo of a face; raises `EmptyPicture` where the installation kept none."""
        path = f"/api/v1/recognition/faces/{quote(image_id, safe='')}/img"
        data = self._get(path, _MOST_PHOTO_BYTES)
        if not data:
            raise EmptyPicture("the installation did not keep this photo")
        return data

    def _page(self, number: int, size: int) -> dict[str, Any]:
        data = self._get(f"/api/v1/recognition/faces?page={number}&size={size}", _MOST_PAGE_BYTES)
        try:
            values = json_of(data)
            faces = [(str(one["image_id"]), str(one["subject"])) for one in values["faces"]]
            return {
                "faces": faces,
                "total_pages": int(values["total_pages"]),
                "total_elements": int(values["total_elements"]),
            }
        except (Malformed, KeyError, TypeError, ValueError):
            raise BadAnswer(f"{self.address}: the answer is no page of CompreFace's faces") from None

    def _get(self, path: str, most: int) -> bytes:
        make: Any = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        connection = make(self._host, self._port, timeout=_SECONDS)
        try:
            connection.request("GET", self._before + path, headers={"x-api-key": self._key})
            answer = connection.getresponse()
            data: bytes = answer.read(most + 1)
        except (OSError, http.client.HTTPException, ssl.SSLError) as error:
            raise Unreachable(f"{self.address}: {getattr(error, 'strerror', None) or error}") from None
        finally:
            connection.close()
        if answer.status != 200:
            raise HttpError(f"{self.address}: {answer.status}{_told(data)}", answer.status)
        if len(data) > most:
            raise AnswerTooLarge(f"{self.address}: an answer of more than {most:,} bytes")
        return data


def moved(
    gallery: Gallery, installation: Installation, *, allow: Iterable[Allow | str] = ()
) -> Iterator[EnrolOutcome | None]:
    """Enrol every face of an installation; one outcome a face, None for one that was moved before.

    What cannot be fetched or enrolled is in its outcome; an installation that does not answer is raised.
    """
    allowed = frozenset(map(Allow, allow))
    known = {
        record.source.removeprefix(_SOURCE)
        for record in gallery.store.read(Where(kinds=[RecordKind.SAMPLE]))
        if record.source.startswith(_SOURCE)
    }
    for image_id, subject in installation.faces():
        yield None if image_id in known else _enrolled(gallery, installation, image_id, subject, allowed)


def _enrolled(
    gallery: Gallery, installation: Installation, image_id: str, subject: str, allow: frozenset[Allow]
) -> EnrolOutcome:
    source = _SOURCE + image_id
    try:
        image = images.load(installation.photo(image_id), name=source)
    except PictureError as error:
        return EnrolOutcome(source, subject, Outcome.refused(source, error), error=error)
    [done] = gallery.enrol_all([(subject, image)], allow=allow)
    return done


def _told(data: bytes) -> str:
    """What the server says of its refusal."""
    try:
        return f", {json_of(data[:10_000])['message']}"
    except (Malformed, KeyError, TypeError):
        return ""
