"""Refusals as CompreFace gives them: ``{"message", "code"}``, and its statuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from lineament import errors
from lineament.errors import LineamentError
from lineament.service.access import CompreFaceKey
from lineament.service.errors import Refused, refusal

PATH = "/api/v1/"

NO_FACE = "No face is found in the given image"
_SERVICES = ("recognition", "detection", "verification")
_KEY = {
    "missing": (400, 20, "Missing header: x-api-key"),
    "malformed": (400, 26, "Service API key should be UUID"),
}
_CODES: tuple[tuple[type[LineamentError], int, int, str], ...] = (
    (errors.SeveralFaces, 400, 31, "More than one face in the source image"),
    (errors.PictureError, 400, 28, NO_FACE),
    (errors.NoFaceFound, 400, 28, NO_FACE),
    (errors.UnknownSubject, 404, 42, "Subject is not found"),
    (errors.SubjectExists, 400, 43, "Subject already exists"),
    (errors.UnknownSample, 404, 44, "Image Id is incorrect"),
    (errors.InvalidSubject, 400, 26, "Subject name is not valid; "),
)


class CompreFaceError(Exception):
    """A refusal with the status and the code that its clients know."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def invalid(message: str) -> CompreFaceError:
    """A value that is not taken; messages of this kind end in a semicolon."""
    return CompreFaceError(400, 26, f"{message}; ")


def refused(error: Exception, path: str) -> Response:
    """The answer to a request that was refused."""
    headers: Mapping[str, str] = {}
    if isinstance(error, CompreFaceKey):
        status, code, message = _KEY.get(error.wrong) or _no_service(path, error.key)
    elif isinstance(error, CompreFaceError):
        status, code, message = error.status, error.code, error.message
    else:
        known = next((row for row in _CODES if isinstance(error, row[0])), None)
        if known is not None:
            _, status, code, message = known
        else:
            other = refusal(error) if isinstance(error, LineamentError) else error
            assert isinstance(other, Refused)
            status = 404 if other.status == 405 else other.status
            code, message, headers = 0, other.message, other.headers
    return json_answer({"message": message, "code": code}, status, headers)


def json_answer(values: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Plain values as its server prints them."""
    text = json.dumps(values, allow_nan=False, indent=2)
    return Response(text, status, dict(headers or {}), media_type="application/json")


def _no_service(path: str, key: str) -> tuple[int, int, str]:
    name = path.removeprefix(PATH).partition("/")[0]
    service = name.capitalize() if name in _SERVICES else "Recognition"
    return 404, 10, f"{service} service with API Key {key} not found"
