"""One photo to its crops: the work that extraction hands to an engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from lineament import registry
from lineament.analyzer import Analyzer
from lineament.datasets.belonging.choosing import decided, in_boxes
from lineament.datasets.belonging.sightings import Sighting
from lineament.datasets.extraction import crop_names
from lineament.errors import ConfigError, PictureError
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.manifest import ManifestRow
from lineament.io.own_files import CROP
from lineament.pipelines import default
from lineament.settings import AnalyzerSettings
from lineament.types import Image, Outcome, Status

LOOK_SIDE = 720
"""Shorter side in pixels that a photo keeps in its first, reduced look."""

_QUALITY = 95


@dataclass(frozen=True, slots=True)
class ExtractSettings:
    """``pipeline`` is that whose points and embedder are taken, None the default one.

    ``rotate`` wraps the detector with retries that turn by so many degrees; see `CropStyle`.

    A face that a label has a box of is cut where the detector finds it, and by that box where it finds
    none; with ``from_boxes`` always by the box, and no face is looked for.
    """

    detector: str = "yunet"
    rotate: float | None = None
    style: CropStyle = field(default_factory=CropStyle)
    faces: Literal["one", "all"] = "one"
    precision: str = "balanced"
    from_boxes: bool = False
    pipeline: str | None = None

    def __post_init__(self) -> None:
        if self.faces not in ("one", "all"):
            raise ConfigError(f"faces: {self.faces!r} is neither 'one' nor 'all'")

    def analyzer(self, workers: int | None) -> AnalyzerSettings:
        """What finds the faces."""
        turned = self.detector if self.rotate is None else turning(self.detector, self.rotate)
        return AnalyzerSettings(
            turned,
            precision=self.precision,
            workers=workers,
            keep_images=True,
            pipeline=self.pipeline,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the manifest records them."""
        return {
            "detector": self.detector,
            "rotate": self.rotate,
            "size": self.style.size,
            "margin": self.style.margin,
            "align": self.style.align,
            "faces": self.faces,
            "precision": self.precision,
            "from_boxes": self.from_boxes,
            "pipeline": default() if self.pipeline is None else self.pipeline,
        }


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture with the rows that speak of it; ``stem`` is its crops' path without number and suffix."""

    path: str
    rows: tuple[ManifestRow, ...]
    stem: str
    file: Path


class Extractor:
    """Finds the faces of a photo and writes crops below ``out``."""

    def __init__(self, out: Path, settings: ExtractSettings, workers: int | None) -> None:
        self.out, self.settings, self.style = out, settings, settings.style
        self.analyzer = Analyzer.from_settings(settings.analyzer(workers))

    def __reduce__(self) -> tuple[type[Self], tuple[Path, ExtractSettings, int]]:
        """The settings, and one thread: where it is unpickled is a process among others."""
        return type(self), (self.out, self.settings, 1)

    def see(self, photo: Photo) -> dict[str, Any]:
        """What the journal keeps of a photo; where it is clear whose face to take, its crop is written."""
        outcome = self._look(photo)
        scale = 1.0 if outcome.image is None else outcome.image.scale
        sighting = self._with_labels(photo, Sighting.of(outcome, scale))
        choices = decided(photo.rows, sighting, every=self.settings.faces == "all")
        crops = {
            str(face): self.write(photo, sighting, face, outcome.image)
            for face in sorted({c.face for c in choices or ()})
            if outcome.image is not None
        }
        return {**sighting.to_json(), "stem": photo.stem, "crops": crops}

    def _look(self, photo: Photo) -> Outcome:
        whole = self.settings.faces == "all" or any(row.box is not None for row in photo.rows)
        try:
            image = images.load(photo.file, min_side=None if whole else LOOK_SIDE)
        except PictureError as error:
            return Outcome.refused(str(photo.file), error)
        if self.settings.from_boxes:
            return Outcome(str(photo.file), Status.NO_FACE, image=image)
        outcome = self.analyzer.analyze_one(image)
        if image.scale == 1 or self._sharp_enough(outcome, image.scale):
            return outcome
        del image
        return self.analyzer.analyze_one(photo.file)

    def _with_labels(self, photo: Photo, seen: Sighting) -> Sighting:
        """What was seen and the boxes of rows in which it was not; aligned crops need landmarks too."""
        if seen.status is Status.REFUSED:
            return seen
        found = in_boxes(photo.rows, seen)
        given = {
            row.box: row.landmarks
            for row in photo.rows
            if row.box is not None
            and row.id not in found
            and (row.landmarks is not None or not self.style.align)
        }
        return seen.with_given([*given], [*given.values()])

    def _sharp_enough(self, outcome: Outcome, scale: float) -> bool:
        seen = Sighting.of(outcome)
        return len(seen) > 0 and not any(
            self.style.needs_more_pixels(self.transform(seen, face, scale)) for face in range(len(seen))
        )

    def transform(self, seen: Sighting, face: int, scale: float) -> Any:
        """From pixels of the photo, decoded at ``scale``, to those of the crop."""
        box, points = seen.boxes[face] / scale, seen.landmarks[face] / scale
        return self.style.transform(box, points, float(seen.rotation_deg[face]))

    def write(self, photo: Photo, seen: Sighting, face: int, image: Image) -> tuple[str, str]:
        """Cut one face out and write it; returns the crop's path and SHA-256."""
        several = self.settings.faces == "all" or len(photo.rows) > 1
        relative = f"{photo.stem}-face{face + 1}.jpg" if several else f"{photo.stem}.jpg"
        target = crop_names.inside(self.out, relative)
        crop = self.style.cut(image.pixels, self.transform(seen, face, image.scale))
        images.save(target, crop, quality=_QUALITY, kind=CROP)
        return relative, sha256_of(target)


def turning(detector: str, step_deg: float) -> str:
    """The spec of a detector that also turns the picture by steps until a face shows."""
    retry = detector if detector.partition(":")[0] == "retry" else f"retry:{detector}"
    return registry.detectors.changed(retry, step_deg=step_deg)
