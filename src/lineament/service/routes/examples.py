"""Answers as they look, by the names of their schemas; the description shows them."""

from __future__ import annotations

from typing import Any

_THRESHOLD = {
    "value": 0.3624,
    "model": "sface@fb143eea0783",
    "target_rate": 0.001,
    "measured_on": "LFW folds 1-3, all cross-subject comparisons, yunet + sface, exact",
    "rate": 0.00099987,
    "interval": {"low": 0.000868, "high": 0.00115, "level": 0.95},
    "comparisons": 7111927,
    "subjects": 1680,
    "kind": "FMR",
    "enrolled": None,
}
_BOX = [373.632, 94.251, 605.29, 415.639]
_TAKEN = {"face": 1, "faces": 1, "box": _BOX, "chosen": "only"}
_FACE = {
    "box": _BOX,
    "score": 0.945239,
    "landmarks": [[443.1, 207.4], [550.5, 209.7], [500.7, 270.9], [445.1, 317.2], [544.4, 318.7]],
    "quality": None,
    "attempt": None,
    "candidates": [{"subject": "Ada Lovelace", "similarity": 0.71, "rank": 1}],
    "decision": "match",
    "threshold": _THRESHOLD,
}
_PICTURE = {"picture": 1, "width": 910, "height": 1137, "outcome": "ok", "error": None, "faces": [_FACE]}
_NO_FACE = {"type": "NoFaceFound", "message": "No face was found in the picture."}
_SAMPLE = "75872db94691ee70042ca6ee"
_ENROLLED = {"picture": 1, "enrolled": True, "sample": _SAMPLE, "taken": _TAKEN, "error": None}
_REFUSED = {"picture": 2, "enrolled": False, "sample": None, "taken": None, "error": _NO_FACE}

EXAMPLES: dict[str, dict[str, Any]] = {
    "Pictures": {"pictures": [_PICTURE]},
    "Verified": {
        "similarity": 0.79,
        "decision": "match",
        "threshold": _THRESHOLD,
        "a": _TAKEN,
        "b": _TAKEN,
    },
    "Subjects": {"subjects": [{"subject": "Ada Lovelace", "samples": 3}], "next": None},
    "Enrolment": {"subject": "Ada Lovelace", "pictures": [_ENROLLED, _REFUSED]},
    "Envelope": {"error": {**_NO_FACE, "request_id": "9f86d081884c7d65"}},
}
