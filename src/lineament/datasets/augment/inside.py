"""A step applied within each face's box only, the surroundings untouched."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lineament.datasets.augment.view import Step, View
from lineament.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Inside:
    """Another step within each box, the box rounded to whole pixels; boxes stay, landmarks follow.

    Every face draws anew. Faces without a box, or with less than two pixels of it in the picture, stay as
    they are. Where boxes overlap, later faces change the pixels of earlier ones again.
    """

    step: Step

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """Changed inside the boxes."""
        pixels, landmarks = view.pixels.copy(), view.landmarks.copy()
        w, h = view.size_wh
        for i, box in enumerate(view.boxes):
            if np.isnan(box).any():
                continue
            x0, y0, x1, y1 = (int(v) for v in np.clip(np.rint(box), 0, [w, h, w, h]))
            if x1 - x0 < 2 or y1 - y0 < 2:
                continue
            corner = np.array([x0, y0], np.float32)
            whole = np.array([[0, 0, x1 - x0, y1 - y0]], np.float32)
            part = View.of(np.ascontiguousarray(pixels[y0:y1, x0:x1]), whole, landmarks[i : i + 1] - corner)
            changed = self.step(part, rng)
            if changed.pixels.shape != part.pixels.shape:
                raise ConfigError("inside: the step changes the size, so it does not fit back into the box")
            pixels[y0:y1, x0:x1] = changed.pixels
            landmarks[i] = changed.landmarks[0] + corner
        return replace(view, pixels=pixels, landmarks=landmarks)
