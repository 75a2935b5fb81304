"""One way to say no: a status, and an envelope with the error's name and the request's id.

Messages of the library may hold names, paths and the advice of the command line. What is told to a client
is the library's own words only where they speak of the client's picture; else it is what the class says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from lineament import errors
from lineament.errors import LineamentError

_STATUSES: tuple[tuple[type[LineamentError], int], ...] = (
    (errors.PictureTooLarge, 413),
    (errors.UnsupportedFormat, 415),
    (errors.PictureError, 422),
    (errors.AlreadyEnrolled, 409),
    (errors.FaceOfAnotherSubject, 409),
    (errors.DisputedFace, 409),
    (errors.FaceError, 422),
    (errors.InvalidSubject, 422),
    (errors.UnknownSubject, 404),
    (errors.UnknownSample, 404),
    (errors.SubjectExists, 409),
    (errors.Conflict, 409),
    (errors.ModelMismatch, 409),
    (errors.InsufficientData, 409),
    (errors.ForbiddenUrl, 403),
    (errors.CollectError, 502),
    (errors.MissingExtra, 501),
    (errors.StoreError, 503),
    (errors.AssetError, 503),
    (errors.ConfigError, 400),
    (errors.UsageError, 400),
)
_IN_ITS_OWN_WORDS = (
    errors.PictureTooLarge,
    errors.PictureTooSmall,
    errors.PictureTooSlow,
    errors.UnsupportedFormat,
    errors.EmptyPicture,
    errors.LowQuality,
)
_IN_OTHERS = {
    errors.SeveralFaces: "several faces where one is needed: say which with face=N or face=X,Y, or take "
    "the largest with largest=true",
    errors.NoSuchFace: "there is no such face in the picture",
    errors.FaceOfAnotherSubject: "the face is, or matches, that of another subject",
    errors.InvalidSubject: "a subject's name has 1 to 255 bytes of UTF-8, no control characters, and no "
    "space at its ends; a name in use is spelt as it is stored",
    errors.SubjectExists: "there is a subject of that name already, or the two are one; merge them if they "
    "are one person",
    errors.ConfigError: "a value is of the wrong kind or out of range",
}


class Refused(Exception):
    """A request that is not carried out, with its status and what is told of it."""

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.headers = status, kind, message, dict(headers or {})


def bad_request(message: str) -> Refused:
    """What was sent cannot be understood."""
    return Refused(400, "BadRequest", message)


def unauthorised(message: str = "a key is needed: Authorization: Bearer KEY") -> Refused:
    """No key, or none that is valid."""
    return Refused(401, "Unauthorised", message, {"WWW-Authenticate": 'Bearer realm="lineament"'})


def too_large(message: str) -> Refused:
    """More than is taken."""
    return Refused(413, "TooLarge", message)


def busy(message: str, seconds: float = 1.0) -> Refused:
    """The service has enough to do; in so many seconds it may have time."""
    return Refused(503, "Busy", message, {"Retry-After": str(max(1, math.ceil(seconds)))})


def too_often(seconds: float) -> Refused:
    """The key has asked more than its share."""
    wait = max(1, math.ceil(seconds))
    return Refused(
        429, "TooManyRequests", "this key asks too often; wait a little", {"Retry-After": str(wait)}
    )


def internal_error() -> Refused:
    """A bug: nothing of it is told."""
    return Refused(500, "InternalError", "something went wrong here; the log tells where")


def refusal(error: LineamentError) -> Refused:
    """The status of a named error, and words that hold nothing of anybody else."""
    kind = type(error)
    status = next((status for base, status in _STATUSES if isinstance(error, base)), 500)
    headers = {"Retry-After": "1"} if status == 503 else {}
    return Refused(status, kind.__name__, told(error), headers)


def told(error: LineamentError) -> str:
    """What a client is told of an error."""
    if isinstance(error, _IN_ITS_OWN_WORDS):
        return str(error)
    if type(error) in _IN_OTHERS:
        return _IN_OTHERS[type(error)]
    return " ".join((type(error).__doc__ or type(error).__name__).split())


def error_json(error: LineamentError | None) -> dict[str, str] | None:
    """``{"type", "message"}`` as `told` has it."""
    return None if error is None else {"type": type(error).__name__, "message": told(error)}


def enveloped(refused: Refused, request_id: str) -> Response:
    """The answer to a request that was refused, as ``/v1`` gives it."""
    told = {"type": refused.kind, "message": refused.message, "request_id": request_id}
    return json_answer({"error": told}, refused.status, refused.headers)


def json_answer(values: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Plain values as JSON, in ASCII: a name may hold what UTF-8 cannot."""
    return Response(
        json.dumps(values, allow_nan=False), status, dict(headers or {}), media_type="application/json"
    )
