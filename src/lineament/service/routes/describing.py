"""How routes describe themselves in OpenAPI: bodies of pictures, answers, refusals and the key."""

from __future__ import annotations

from typing import Any

from lineament.service import schemas


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    needed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties, **needed}


_BASE64 = _object({"base64": {"type": "string", "format": "byte"}})
_BY_URL = _object({"url": {"type": "string", "format": "uri"}})
_EXAMPLE = {"url": "https://pictures.example.org/ada.jpg"}
_PICTURE = {"oneOf": [_BASE64, _BY_URL]}
_FILE = {"type": "string", "format": "binary"}
_TOLD = {
    400: "What was sent cannot be understood.",
    401: "No key, or none that is valid here.",
    403: "The key lacks the scope, or a URL is not on the list.",
    404: "There is no such subject, sample or path.",
    408: "The request did not come in time.",
    409: "It contradicts what the gallery holds, or the same request is under way.",
    413: "More bytes, pictures or pixels than is taken.",
    415: "A body, or a picture, of a kind that is not taken.",
    422: "A picture, a face or a name that cannot be used; or an Idempotency-Key that came before.",
    429: "The key asks too often.",
    500: "Something went wrong here.",
    502: "A URL could not be fetched.",
    503: "Too much to do; come again.",
}
_ENVELOPE = {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": told, "content": _ENVELOPE} for status, told in _TOLD.items()
}
"""Of every route; by reference, as a model for each of them would be made anew a hundred times."""
ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A write with the same key is done once, and its answer given again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}


def pictures() -> dict[str, Any]:
    """A body with one picture or several."""
    several = {"type": "array", "minItems": 1, "items": _FILE}
    fields = _object({"picture": several})
    listed = _object({"pictures": {"type": "array", "minItems": 1, "items": _PICTURE}})
    raw = dict.fromkeys(("image/jpeg", "image/png", "application/octet-stream"), _FILE)
    content = {"multipart/form-data": fields, "application/json": listed, **raw}
    return _body(content, {"pictures": [_EXAMPLE]})


def named(*names: str) -> dict[str, Any]:
    """A body with one picture of each name."""
    fields = _object(dict.fromkeys(names, _FILE))
    listed = _object(dict.fromkeys(names, _PICTURE))
    content = {"multipart/form-data": fields, "application/json": listed}
    return _body(content, dict.fromkeys(names, _EXAMPLE))


def document(model: type[schemas.Taken]) -> dict[str, Any]:
    """A body of JSON."""
    schema = model.model_json_schema()
    example = {name: one["examples"][0] for name, one in schema["properties"].items()}
    return _body({"application/json": schema}, example)


def writes(body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A write, which may carry an Idempotency-Key."""
    return {**(body or {}), "parameters": [ONCE]}


def components() -> dict[str, Any]:
    """The schemas that are referred to from here."""
    envelope = schemas.Envelope.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**envelope.pop("$defs"), "Envelope": envelope}


def _body(content: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {kind: {"schema": one} for kind, one in content.items()}
    described["application/json"]["example"] = example
    return {"requestBody": {"required": True, "content": described}}
