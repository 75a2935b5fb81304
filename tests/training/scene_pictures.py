"""Pictures with red discs as faces on noise: enough for a detector to learn in seconds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id


def write(
    folder: Path,
    counts: dict[str, int],
    *,
    size: int = 96,
    most: int = 2,
    empty: int = 0,
    kinds: tuple[str, ...] = ("face",),
    seed: int = 0,
) -> Manifest:
    """``counts`` pictures a split with 1 to ``most`` discs each; ``empty`` ones have none, and no split."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for split, count in counts.items():
        for i in range(count):
            pixels, boxes, which = picture(rng, size, int(rng.integers(1, most + 1)), len(kinds))
            path = f"{split}_{i}.png"
            images.save(folder / path, pixels)
            digest = hashlib.sha256((folder / path).read_bytes()).hexdigest()
            for face, (box, kind) in enumerate(zip(boxes, which, strict=True)):
                labels = {} if kinds[kind] == "face" else {"class": kinds[kind]}
                rows.append(
                    ManifestRow(
                        row_id(digest, path, face), path, digest, (size, size), split=split, box=box,
                        labels=labels, step="import",
                    )
                )  # fmt: skip
    for i in range(empty):
        pixels, _, _ = picture(rng, size, 0, 1)
        images.save(folder / f"empty_{i}.png", pixels)
        digest = hashlib.sha256((folder / f"empty_{i}.png").read_bytes()).hexdigest()
        path = f"empty_{i}.png"
        rows.append(ManifestRow(row_id(digest, path), path, digest, (size, size), outcome="no_face"))
    manifest = Manifest(tuple(rows), ({"step": "import"},), folder)
    manifest.save(folder / "manifest.jsonl")
    return manifest


def picture(
    rng: np.random.Generator, size: int, discs: int, kinds: int
) -> tuple[np.ndarray, list[tuple[float, float, float, float]], list[int]]:
    """Noise with so many discs that do not touch: red ones, and blue ones for the second kind."""
    pixels = rng.integers(60, 140, (size // 4, size // 4, 3), np.uint8)
    pixels = np.asarray(cv2.resize(pixels, (size, size)), np.uint8)
    boxes: list[tuple[float, float, float, float]] = []
    which: list[int] = []
    while len(boxes) < discs:
        radius = float(rng.uniform(size / 10, size / 5))
        x, y = rng.uniform(radius, size - radius, 2)
        if any(abs((b[0] + b[2]) / 2 - x) + abs((b[1] + b[3]) / 2 - y) < size / 2 for b in boxes):
            continue
        kind = int(rng.integers(0, kinds))
        colour = (230, 40, 40) if kind == 0 else (40, 40, 230)
        cv2.circle(pixels, (round(x), round(y)), round(radius), colour, -1)
        cv2.circle(pixels, (round(x), round(y - radius / 3)), round(radius / 4), (250, 250, 250), -1)
        boxes.append((x - radius, y - radius, x + radius, y + radius))
        which.append(kind)
    return pixels, boxes, which
