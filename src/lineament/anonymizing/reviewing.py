"""The least sure of what was masked, on one page to look through: masked pictures only."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lineament.io import images, pages
from lineament.io.own_files import PAGE
from lineament.io.writing import replacing
from lineament.plots.annotate import annotate
from lineament.plots.thumbnails import data_uri, shrunk
from lineament.types import Faces, Image, UInt8

_LONGEST_PX = 480


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """A masked picture that somebody should look at; ``unsure`` from 0 to 1, ``data`` is a JPEG."""

    unsure: float
    number: int
    source: str
    seconds: float | None
    why: str
    data: bytes

    @property
    def picture(self) -> str:
        """As it stands in a page."""
        return data_uri(self.data)


class Review:
    """Keeps the ``most`` least sure pictures, small, with the boxes of their faces drawn in."""

    def __init__(self, most: int = 48) -> None:
        self.most = most
        self._doubts: list[Doubt] = []
        self._offered = 0
        self.faceless: list[str] = []

    def offer(
        self, unsure: float, source: str, seconds: float | None, why: str, pixels: UInt8, faces: Faces
    ) -> None:
        """A masked picture, uint8 ``(H, W, 3)``; the picture before it was masked is never given here."""
        self._offered += 1
        if len(self._doubts) >= self.most and unsure <= self._doubts[0].unsure:
            return
        labels = [f"{score:.2f}" if score > 0 else "" for score in faces.scores]
        bare = Faces(faces.boxes, faces.scores)
        drawn = annotate(Image(pixels, source), bare, labels) if len(faces) else pixels
        data = images.encode_jpeg(shrunk(drawn, _LONGEST_PX), quality=80)
        heapq.heappush(self._doubts, Doubt(unsure, self._offered, source, seconds, why, data))
        if len(self._doubts) > self.most:
            heapq.heappop(self._doubts)

    def no_face(self, source: str) -> None:
        """A picture in which no face was found: told by its name."""
        self.faceless.append(source)

    @property
    def doubts(self) -> Sequence[Doubt]:
        """The least sure first."""
        return sorted(self._doubts, key=lambda one: (-one.unsure, one.number))

    def write(self, path: Path) -> None:
        """The page, which needs nothing else; raises as `lineament.io.writing.replacing`."""
        values = {"doubts": self.doubts, "faceless": self.faceless[:500], "without": len(self.faceless)}
        with replacing(path, PAGE) as file:
            file.write(pages.page("lineament.anonymizing", "review.html.j2", values))


def least_sure(unsure: Sequence[float], times: Sequence[float], most: int, apart_s: float) -> list[int]:
    """The frames to look at: the least sure ones above 0, no two nearer than ``apart_s`` seconds."""
    chosen: list[int] = []
    for i in sorted(range(len(unsure)), key=lambda i: (-unsure[i], i)):
        if len(chosen) >= most or unsure[i] <= 0:
            break
        if all(abs(times[i] - times[j]) >= apart_s for j in chosen):
            chosen.append(i)
    return chosen
