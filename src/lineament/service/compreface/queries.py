"""What clients of CompreFace send, with the habits of each: odd queries, forms and base64."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl

from lineament.service import parts
from lineament.service.asked import Asked
from lineament.service.compreface.refusals import CompreFaceError, invalid
from lineament.service.errors import Refused

_EXTENSIONS = frozenset(["tif", "tiff", "jpg", "jpeg", "png", "bmp", "ico", "gif", "webp"])
_NAMES = "limit|prediction_count|det_prob_threshold|face_plugins|status|detect_faces|subject|page|size"
# The JavaScript client joins options with a question mark, each of them.
_JOINED = re.compile(rf"\?(?=(?:{_NAMES})=)")
_DATA_URL = re.compile(r"data:[\w.+/-]*;base64,", re.ASCII)


@dataclass(frozen=True, slots=True)
class Query:
    """The options of a request, by name; what is not known is not looked at."""

    values: dict[str, str]

    @classmethod
    def of(cls, query: bytes) -> Query:
        """The options of a query as it was sent; of two of one name the first."""
        text = _JOINED.sub("&", query.decode("latin-1"))
        pairs = parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="replace")
        return cls(dict(reversed(pairs)))

    def whole(self, name: str, default: int, least: int = 0) -> int:
        """A whole number; raises `CompreFaceError`."""
        text = self.values.get(name, "").strip()
        if not text:
            return default
        if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
            raise invalid(f"{name} should be a number")
        if int(text) < least:
            raise invalid(f"{name} should be equal or greater than {least}")
        return int(text)

    def share(self, name: str) -> float | None:
        """A number from 0 to 1, None where it is not given; raises `CompreFaceError`."""
        text = self.values.get(name, "").strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:
            raise invalid(f"{name} should be from 0 to 1")
        return value

    def flag(self, name: str) -> bool:
        """Whether an option is on, as any of the languages writes it."""
        return self.values.get(name, "").strip().lower() in ("true", "1", "yes", "on")

    @property
    def predictions(self) -> int | None:
        """How many subjects to give for a face, None for all (-1)."""
        count = self.whole("prediction_count", 1, least=-1)
        if count == 0:
            raise invalid("prediction_count should be equal or greater than 1")
        return None if count == -1 else count

    @property
    def plugins(self) -> frozenset[str]:
        """What to say of a face beside its box."""
        return frozenset(name.strip().lower() for name in self.values.get("face_plugins", "").split(","))

    @property
    def subject(self) -> str:
        """The subject; raises `CompreFaceError` where it is not given or blank."""
        if "subject" not in self.values:
            raise CompreFaceError(400, 33, "Required parameter subject is missing")
        if not self.values["subject"].strip():
            raise invalid("Subject name is empty")
        return self.values["subject"]


async def document(request: Asked) -> dict[str, Any]:
    """The JSON object of a body, whatever its content type says."""
    try:
        return parts.document(await request.body(), request.service.settings.limits.body_bytes)
    except Refused as error:
        if error.status != 400:
            raise
        raise CompreFaceError(400, 0, "Something went wrong, please try again") from None


async def pictures(request: Asked, *names: str) -> list[bytes]:
    """One picture of each name, of a form or of JSON with base64; raises `CompreFaceError`."""
    kind = parts.kind_of(request.content_type)
    if kind != parts.FORM:
        values = await document(request)
        return [_decoded(values.get(name), name) for name in names]
    try:
        sent = parts.form(await request.body(), request.content_type, request.service.settings.limits)
    except Refused as error:
        if error.status != 400:
            raise
        raise CompreFaceError(400, 34, f"Required part {names[0]} is missing") from None
    return [_file(sent, name) for name in names]


def _file(sent: list[parts.Part], name: str) -> bytes:
    """The first part of the name that is a file: some pages append a text of the same name."""
    own = [part for part in sent if part.name == name]
    if not own:
        raise CompreFaceError(400, 34, f"Required part {name} is missing")
    part = next((part for part in own if part.file_name), own[0])
    suffix = PurePosixPath(part.file_name or "").suffix.lstrip(".").lower()
    if not part.file_name or (suffix and suffix not in _EXTENSIONS):
        raise CompreFaceError(400, 21, f"File [{part.file_name or ''}] has an unavailable extension")
    return bytes(part.content)


_JAVA_NAMES = {"file": "content", "source_image": "sourceImageBase64", "target_image": "targetImageBase64"}


def _decoded(text: object, name: str) -> bytes:
    if not isinstance(text, str) or not text:
        raise CompreFaceError(400, 5, f"Field {_JAVA_NAMES.get(name, name)} cannot be empty")
    try:
        return parts.base64_bytes(_DATA_URL.sub("", text, count=1))
    except Refused:
        raise CompreFaceError(400, 21, "Provided value is not Base64") from None
