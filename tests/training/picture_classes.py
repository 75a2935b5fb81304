"""Generated pictures whose class can be seen: stripes upright, level or slanted, with noise on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id

CLASSES = ("level", "slanted", "upright")
SIDE = 32


def stripes(kind: int, rng: np.random.Generator, side: int = SIDE) -> np.ndarray[Any, Any]:
    y, x = np.mgrid[:side, :side]
    wave = np.sin((y, x + y, x)[kind] * 0.8 + rng.uniform(0, 6)) * 70 + 128
    return (wave[..., None] + rng.normal(0, 25, (side, side, 3))).clip(0, 255).astype(np.uint8)


def pictures(folder: Path, counts: Mapping[str, int], *, labels: str = "true", seed: int = 3) -> Manifest:
    """``counts`` pictures of each class by split; ``labels`` "random" says nothing true of them."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, count in counts.items():
        for i in range(count * len(CLASSES)):
            kind = i % len(CLASSES)
            path = f"{split}-{i}.png"
            folder.mkdir(parents=True, exist_ok=True)
            images.save(folder / path, stripes(kind, rng))
            sha = hashlib.sha256((folder / path).read_bytes()).hexdigest()
            said = CLASSES[kind if labels == "true" else int(rng.integers(len(CLASSES)))]
            rows.append(
                ManifestRow(
                    row_id(sha, path), path, sha, subject=f"s{i // 3}", split=split, labels={"lines": said}
                )
            )
    manifest = Manifest(tuple(rows), folder=folder)
    manifest.save(folder / "manifest.jsonl")
    return manifest
