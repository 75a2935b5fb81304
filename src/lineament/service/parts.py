"""The pictures in a body: one as it is, several as a form, or as JSON in base64 or by their URLs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lineament.documents import Malformed, json_of
from lineament.service.errors import Refused, bad_request, too_large
from lineament.service.settings import Limits
from lineament.shown import shown

JSON, FORM = "application/json", "multipart/form-data"
RAW = ("image/", "application/octet-stream")


@dataclass(slots=True, eq=False)
class Part:
    """One part of a form: its field's name, the file's name where it has one, and its bytes."""

    name: str = ""
    file_name: str | None = None
    content: bytearray = field(default_factory=bytearray)

    __repr__ = shown


@dataclass(frozen=True, slots=True)
class ByUrl:
    """A picture that is to be fetched."""

    url: str


Sent = bytes | ByUrl
"""A picture as it was sent."""


def kind_of(content_type: str) -> str:
    """The content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def pictures(body: bytes, content_type: str, limits: Limits) -> list[Sent]:
    """The pictures of a body, in their order; raises `Refused`."""
    kind = kind_of(content_type)
    if kind == FORM:
        found: list[Sent] = [bytes(part.content) for part in form(body, content_type, limits)]
    elif kind == JSON:
        values = document(body, limits.body_bytes)
        given = values.pop("pictures", None)
        _require_nothing_else(values)
        if not isinstance(given, list):
            raise bad_request('JSON: {"pictures": [{"base64": ...}, {"url": ...}]} is needed')
        _require_few(len(given), limits)
        found = [_picture(one) for one in given]
    elif kind.startswith(RAW):
        found = [body]
    else:
        raise unsupported()
    if not found:
        raise bad_request("there is no picture in the request")
    return found


def named(body: bytes, content_type: str, names: Sequence[str], limits: Limits) -> list[Sent]:
    """One picture of each name, as fields of a form or of a JSON object; raises `Refused`."""
    kind = kind_of(content_type)
    if kind == FORM:
        parts = {part.name: part for part in form(body, content_type, limits)}
        given: dict[str, Any] = {name: bytes(part.content) for name, part in parts.items()}
    elif kind == JSON:
        given = {name: _picture(one) for name, one in document(body, limits.body_bytes).items()}
    else:
        raise unsupported()
    for name in names:
        if name not in given:
            raise bad_request(f"the picture {name!r} is missing")
    _require_nothing_else({name: one for name, one in given.items() if name not in names})
    return [given[name] for name in names]


def form(body: bytes, content_type: str, limits: Limits) -> list[Part]:
    """The parts of a form, in memory; raises `Refused` for too many or a form that is broken."""
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise bad_request("the form has no boundary")
    parts: list[Part] = []
    name, value = bytearray(), bytearray()
    ended = False

    def begin() -> None:
        _require_few(len(parts) + 1, limits)
        parts.append(Part())

    def header() -> None:
        if bytes(name).lower() == b"content-disposition":
            _, options = parse_options_header(value.decode("latin-1"))
            parts[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                parts[-1].file_name = options[b"filename"].decode("utf-8", "replace")
        name.clear()
        value.clear()

    def data(block: bytes, start: int, end: int) -> None:
        parts[-1].content += block[start:end]

    def end() -> None:
        nonlocal ended
        ended = True

    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": begin,
            "on_header_field": lambda block, start, end: name.extend(block[start:end]),
            "on_header_value": lambda block, start, end: value.extend(block[start:end]),
            "on_header_end": header,
            "on_part_data": data,
            "on_end": end,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise bad_request("the form is broken") from error
    if not ended:
        raise bad_request("the form is cut short")
    return parts


def document(body: bytes, max_bytes: int) -> dict[str, Any]:
    """The JSON object of a body; raises `Refused`."""
    try:
        values = json_of(body, max_bytes)
    except Malformed as error:
        raise bad_request(f"the JSON cannot be used: {error}") from None
    if not isinstance(values, dict):
        raise bad_request("a JSON object is needed")
    return values


def base64_bytes(text: object) -> bytes:
    """The bytes of base64; raises `Refused`."""
    if not isinstance(text, str):
        raise bad_request("base64 is text")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise bad_request("this is no base64") from None


def unsupported() -> Refused:
    """A body of a kind that is not taken."""
    return Refused(
        415, "UnsupportedBody", f"send a picture as it is (image/...), or pictures as {FORM} or {JSON}"
    )


def _picture(value: Any) -> Sent:
    if isinstance(value, dict) and len(value) == 1:
        if "base64" in value:
            return base64_bytes(value["base64"])
        if isinstance(value.get("url"), str):
            return ByUrl(value["url"])
    raise bad_request('a picture is {"base64": ...} or {"url": ...}')


def _require_few(count: int, limits: Limits) -> None:
    if count > limits.parts:
        raise too_large(f"more pictures than {limits.parts} in one request")


def _require_nothing_else(values: dict[str, Any]) -> None:
    if values:
        raise bad_request("the request has fields that mean nothing here")
