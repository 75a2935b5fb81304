"""Photos with their faces masked, written anew from their pixels, so that nothing else of them survives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.anonymizing.keeping import Keeping
from lineament.anonymizing.masking import MaskSettings, mask_boxes, masked
from lineament.anonymizing.reviewing import Review
from lineament.errors import ConfigError
from lineament.io import images
from lineament.io.own_files import MASKED
from lineament.shown import shown
from lineament.types import Faces, Float32, Match, Outcome


@dataclass(frozen=True, slots=True, eq=False)
class MaskedPhoto:
    """A photo that was written: ``faces`` masked by ``masks`` ``(N, 4)``, and who was ``kept`` where."""

    source: str
    written: Path
    faces: Faces
    masks: Float32
    kept: tuple[tuple[str, float, Float32], ...] = ()

    __repr__ = shown

    def to_json(self) -> dict[str, Any]:
        """Boxes in pixels of the upright picture: ``box`` of the face, ``mask`` of what is masked."""
        return {
            "source": self.source,
            "written": str(self.written),
            "masks": [
                {"box": _edges(face.box), "mask": _edges(mask), "score": round(face.score, 4)}
                for face, mask in zip(self.faces, self.masks, strict=True)
            ],
            "kept": [
                {"subject": name, "similarity": round(similarity, 4), "box": _edges(box)}
                for name, similarity, box in self.kept
            ],
        }


def mask_photo(
    outcome: Outcome,
    target: Path,
    settings: MaskSettings | None = None,
    *,
    matches: tuple[Match, ...] = (),
    keeping: Keeping | None = None,
    review: Review | None = None,
) -> MaskedPhoto:
    """Write an analysed photo (by an analyzer that keeps images) with its faces masked, as JPEG or PNG.

    With ``keeping``, ``matches`` are one a face. Raises the outcome's own error, `ConfigError` for an
    outcome without pixels, and as `lineament.io.images.save`.
    """
    if outcome.error is not None:
        raise outcome.error
    if outcome.image is None:
        raise ConfigError(f"{outcome.source}: masking needs the pixels: an Analyzer with keep_images=True")
    chosen = settings or MaskSettings()
    faces = outcome.faces
    stay = keeping.faces(matches) if keeping is not None else []
    hidden = faces[np.array([row not in stay for row in range(len(faces))], bool)]
    # Masks are made last: one that reaches over a face to be kept hides it.
    pixels = masked(outcome.image.pixels, hidden.boxes, chosen)
    images.save(target, pixels, kind=MASKED)
    kept = tuple(
        (str(matches[row].subject), matches[row].candidates[0].similarity, faces.boxes[row]) for row in stay
    )
    if review is not None:
        unsure = [1 - face.score for face in hidden] + [1 - similarity for _, similarity, _ in kept]
        if unsure:
            review.offer(max(unsure), outcome.source, None, _why(hidden, len(kept)), pixels, hidden)
    return MaskedPhoto(
        outcome.source, target, hidden, mask_boxes(hidden.boxes, outcome.image.size_wh, chosen), kept
    )


def _why(hidden: Faces, kept: int) -> str:
    parts = [f"least score {float(hidden.scores.min()):.2f}"] if len(hidden) else []
    return ", ".join([*parts, *([f"{kept} kept"] if kept else [])])


def _edges(box: Float32) -> list[float]:
    return [round(float(edge), 1) for edge in box]
