"""How a picture ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lineament.errors import LineamentError
from lineament.shown import shown
from lineament.types.faces import Faces
from lineament.types.pictures import Image


class Status(StrEnum):
    """How a picture ended. Every picture ends in exactly one of these."""

    OK = "ok"
    NO_FACE = "no_face"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one picture: its faces, or a named reason why there are none.

    ``size_wh`` is that of the upright picture, None when it could not be read. ``image`` is kept only
    when the caller asked for the pixels. ``digest`` is that of the decoded pixels (`Image.digest`), where
    the caller asked for it.
    """

    source: str
    status: Status
    size_wh: tuple[int, int] | None = None
    faces: Faces = field(default_factory=Faces.none)
    error: LineamentError | None = None
    image: Image | None = None
    digest: str | None = None

    __repr__ = shown

    @classmethod
    def refused(cls, source: str, error: LineamentError) -> Outcome:
        """A picture that ended in a named error."""
        return cls(source=source, status=Status.REFUSED, error=error)
