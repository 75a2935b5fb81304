"""Domain data: frozen dataclasses whose names carry their conventions.

Pictures are RGB. Boxes are ``xyxy`` in continuous pixels, so an area has no ``+1``. Landmarks are five
points: right eye, left eye, nose, right mouth corner, left mouth corner, where right and left are the
*subject's*. Sizes are ``size_wh``, shapes ``hw``. Angles are radians unless the name ends in ``_deg``.
Similarities are cosines: higher is likelier the same person.
"""

from __future__ import annotations

from lineament.lazily import lazily
from lineament.types.answers import Candidate, Decision, Match, Verification
from lineament.types.answers import Compared as Compared
from lineament.types.answers import Reason as Reason
from lineament.types.arrays import Float32 as Float32
from lineament.types.arrays import Float64 as Float64
from lineament.types.arrays import UInt8 as UInt8
from lineament.types.arrays import require_float32 as require_float32
from lineament.types.embeddings import Embedding, ModelId
from lineament.types.faces import LANDMARK_NAMES as LANDMARK_NAMES
from lineament.types.faces import Attempt, AttributeScores, Face, Faces, Quality, Refinement
from lineament.types.outcomes import Outcome, Status
from lineament.types.pictures import Image
from lineament.types.thresholds import Interval, Threshold
from lineament.types.tracks import Track, Tracks

__all__ = [
    "Attempt",
    "AttributeScores",
    "Candidate",
    "Decision",
    "Embedding",
    "Face",
    "Faces",
    "Image",
    "Interval",
    "Match",
    "ModelId",
    "Outcome",
    "Quality",
    "Refinement",
    "Status",
    "Threshold",
    "Track",
    "Tracks",
    "Verification",
]

# Public here before they had a module of their own.
__getattr__, __dir__ = lazily(__name__, {"lineament.records": ("Hit", "Record", "RecordKind")})
