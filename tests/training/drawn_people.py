"""People who never lived: each a pattern of colours of their own, seen under another light each time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.types import UInt8

SIZE = 32
SPLITS = {"train": (10, 6), "val": (8, 5), "test": (8, 5)}
"""People and photos of each."""


def face(person: int, photo: int, size: int = SIZE) -> UInt8:
    """The photo of a person, uint8 RGB ``(size, size, 3)``."""
    rng = np.random.default_rng([7, person])
    pattern = cv2.resize(rng.uniform(40, 215, (4, 4, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
    light = np.random.default_rng([8, person, photo])
    changed = pattern * light.uniform(0.8, 1.2) + light.uniform(-12, 12) + light.normal(0, 6, pattern.shape)
    return np.asarray(changed.clip(0, 255), np.uint8)


def draw(
    folder: Path,
    splits: Mapping[str, tuple[int, int]] = SPLITS,
    *,
    size: int = SIZE,
    steps: tuple[dict[str, Any], ...] = ({"step": "extract", "settings": {"size": SIZE, "align": True}},),
) -> Manifest:
    """A manifest of aligned crops split by subject."""
    rows = []
    person = 0
    for split, (people, photos) in splits.items():
        for _ in range(people):
            for photo in range(photos):
                path = folder / f"{person:03d}" / f"{photo}.png"
                path.parent.mkdir(exist_ok=True, parents=True)
                images.save(path, face(person, photo, size))
                relative, digest = path.relative_to(folder).as_posix(), sha256_of(path)
                name = f"person {person:03d}"
                rows.append(
                    ManifestRow(
                        row_id(digest, relative), relative, digest, (size, size), subject=name, split=split
                    )
                )
            person += 1
    return Manifest(tuple(rows), steps, folder)
