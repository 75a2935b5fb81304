"""Faces, ids and versions as CompreFace writes them; what is not asked for is left out, not null."""

from __future__ import annotations

import re
import uuid
from typing import Any

import numpy as np

from lineament.errors import NoFaceFound, SeveralFaces
from lineament.service.compreface.queries import Query
from lineament.service.compreface.scale import rounded
from lineament.settings import AnalyzerSettings
from lineament.types import Face, Faces, Outcome

_SAMPLE = re.compile(r"[0-9a-f]{24}")
_BEFORE = "0" * 8


def image_id(sample: str) -> str:
    """A sample's id in the form of a UUID, as some clients require; one of another form as it is."""
    return str(uuid.UUID(_BEFORE + sample)) if _SAMPLE.fullmatch(sample) else sample


def sample_id(image: str) -> str:
    """The sample that `image_id` named."""
    digits = image.replace("-", "").lower()
    return digits[8:] if len(digits) == 32 and digits.startswith(_BEFORE) else image


def faces_of(outcome: Outcome, query: Query) -> Faces:
    """The faces that were asked for, the largest first; raises the outcome's own error or `NoFaceFound`."""
    limit, least = query.whole("limit", 0), query.share("det_prob_threshold")
    if outcome.error is not None:
        raise outcome.error
    faces = outcome.faces
    sizes = (faces.boxes[:, 2] - faces.boxes[:, 0]) * (faces.boxes[:, 3] - faces.boxes[:, 1])
    order = [int(i) for i in np.argsort(-sizes, kind="stable") if least is None or faces.scores[i] > least]
    if not order:
        raise NoFaceFound("no face was found")
    return faces[order[:limit] if limit else order]


def only_face(outcome: Outcome, query: Query) -> Faces:
    """The one face of a picture; raises `SeveralFaces`, too."""
    found = faces_of(outcome, Query({**query.values, "limit": "2"}))
    if len(found) > 1:
        raise SeveralFaces("several faces")
    return found


def face_json(face: Face, query: Query, milliseconds: float) -> dict[str, Any]:
    """One face with the plug-ins that were asked for."""
    plugins = query.plugins
    x1, y1, x2, y2 = (round(float(edge)) for edge in face.box)
    told: dict[str, Any] = {
        "box": {"probability": rounded(face.score), "x_max": x2, "y_max": y2, "x_min": x1, "y_min": y1}
    }
    if "landmarks" in plugins and face.landmarks is not None:
        told["landmarks"] = [[round(float(x)), round(float(y))] for x, y in face.landmarks]
    if "pose" in plugins and face.quality is not None:
        pose = face.quality
        told["pose"] = {"pitch": pose.pitch_deg, "roll": pose.roll_deg, "yaw": pose.yaw_deg}
    if "age" in plugins and "age" in face.attributes:
        age = round(float(face.attributes["age"]))
        told["age"] = {"probability": None, "high": age, "low": age}
    if "gender" in plugins and "gender" in face.attributes:
        told["gender"] = {
            "probability": face.probabilities.get("gender"),
            "value": str(face.attributes["gender"]),
        }
    if "calculator" in plugins and face.embedding is not None:
        told["embedding"] = [float(value) for value in face.embedding.vector]
    if query.flag("status"):
        told["execution_time"] = {"detector": round(milliseconds, 1)}
    return told


def versions(query: Query, steps: AnalyzerSettings) -> dict[str, Any]:
    """Which models answered, where that was asked for."""
    if not query.flag("status"):
        return {}
    named = {"detector": steps.detector or "yunet", "calculator": steps.embedder}
    named |= {name: name for name in steps.attributes if isinstance(name, str)}
    return {"plugins_versions": {name: str(model).partition(":")[0] for name, model in named.items()}}
