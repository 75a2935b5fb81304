"""Faces that fill the frame: is each found, once, and are small faces within them faces still?

``python -m benchmarks.closeups --data DIR`` cuts the subject's face out of LFW photos (``DIR/lfw/images``)
with margins of -10, 0, 10 or 25 % of its box, enlarges it to 500 to 4000 pixels, mirrors half of them and
saves them as JPEGs of several qualities; with ``--turned`` they are turned by any angle before. One face is
right; *none* counts pictures without, *several* those with more than one, *wrong* those whose only face is
not where it should be. With ``--within`` the face of another person, 15 to 35 % as long, lies within the
face's box, as on a phone held before it: both should be found.
"""

from __future__ import annotations

import argparse
import io
import random
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from lineament.detectors._wrapping import rotated
from lineament.geometry.alignment import apply
from lineament.geometry.boxes import iou, nearest_to
from lineament.io import images
from lineament.protocols import Detector
from lineament.registry import detectors
from lineament.types import Faces, Float32, Image, UInt8

MARGINS = (-0.1, 0.0, 0.1, 0.25)
SIDES = (500, 700, 900, 1200, 1600, 2000, 2500, 3000, 4000)
QUALITIES = (30, 60, 85, 95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--detectors", default="yunet")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--turned", action="store_true")
    parser.add_argument("--within", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    paths = sorted((args.data / "lfw" / "images").glob("*/*.jpg"))
    specs = args.detectors.split(",")
    opened = {spec: detectors.create(spec) for spec in specs}
    counts: dict[str, Counter[str]] = {spec: Counter() for spec in specs}
    seconds: Counter[str] = Counter()
    locate = detectors.create("yunet")
    rng = random.Random(args.seed)
    for _ in range(args.pictures):
        pixels, face, small = closeup(paths, locate, rng, turned=args.turned, within=args.within)
        for spec, detector in opened.items():
            start = time.perf_counter()
            found = detector.detect([Image(pixels)])[0]
            seconds[spec] += time.perf_counter() - start
            counts[spec][judge(found, face)] += 1
            if small is not None:
                hit = len(found) and iou(small[None], found.boxes).max() >= 0.5
                counts[spec]["within found" if hit else "within lost"] += 1
    for spec, count in counts.items():
        told = ", ".join(f"{name} {count[name]}" for name in sorted(count))
        print(f"{spec}: {args.pictures} pictures: {told}; {seconds[spec] / args.pictures:.2f} s a picture")


def closeup(
    paths: list[Path], locate: Detector, rng: random.Random, *, turned: bool, within: bool
) -> tuple[UInt8, Float32, Float32 | None]:
    """A picture filled by a face, the face's box, and that of a small face within it if asked for."""
    pixels, box = subject(paths, locate, rng)
    margin = rng.choice(MARGINS)
    grown = np.concatenate([box[:2] - margin * (box[2:] - box[:2]), box[2:] + margin * (box[2:] - box[:2])])
    h, w = pixels.shape[:2]
    x1, y1, x2, y2 = (int(v) for v in np.clip(np.round(grown), 0, [w, h, w, h]))
    factor = rng.choice(SIDES) / max(x2 - x1, y2 - y1)
    part = cv2.resize(pixels[y1:y2, x1:x2], None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    face = (box - np.array([x1, y1, x1, y1])) * factor
    small = None
    if within:
        part, small = with_small(part, face, *subject(paths, locate, rng), rng)
    if rng.random() < 0.5:
        part = np.ascontiguousarray(part[:, ::-1])
        face, small = (mirrored(b, part.shape[1]) if b is not None else None for b in (face, small))
    assert face is not None
    if turned:
        part, transform, scale = rotated(part, rng.uniform(-180, 180), max(part.shape[:2]))
        half = (face[2:] - face[:2]) * scale / 2
        middle = apply(transform, (face[:2] + face[2:])[None] / 2)[0]
        face = np.concatenate([middle - half, middle + half])
    written = io.BytesIO()
    PillowImage.fromarray(part).save(written, "JPEG", quality=rng.choice(QUALITIES))
    small = None if small is None else np.asarray(small, np.float32)
    return images.load(written.getvalue()).pixels, np.asarray(face, np.float32), small


def subject(paths: list[Path], locate: Detector, rng: random.Random) -> tuple[UInt8, Float32]:
    """A photo of LFW and the box of its subject's face."""
    while True:
        image = images.load(rng.choice(paths))
        found = locate.detect([image])[0]
        if len(found):
            w, h = image.size_wh
            return image.pixels, found.boxes[nearest_to(found.boxes, (w / 2, h / 2))]


def with_small(
    part: UInt8, face: Float32, pixels: UInt8, box: Float32, rng: random.Random
) -> tuple[UInt8, Float32]:
    """The picture with another person's head in it, its face within the face's box; and that face's box."""
    size = box[2:] - box[:2]
    h, w = pixels.shape[:2]
    x1, y1, x2, y2 = (
        int(v) for v in np.clip([*(box[:2] - 0.25 * size), *(box[2:] + 0.25 * size)], 0, [w, h, w, h])
    )
    factor = rng.uniform(0.15, 0.35) * max(face[2:] - face[:2]) / max(size)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    head = cv2.resize(pixels[y1:y2, x1:x2], None, fx=factor, fy=factor, interpolation=how)
    room = np.array([part.shape[1] - head.shape[1], part.shape[0] - head.shape[0]])
    low = np.clip(face[:2], 0, room)
    high = np.clip(face[2:] - [head.shape[1], head.shape[0]], low, room)
    x, y = (round(rng.uniform(float(a), float(b))) for a, b in zip(low, high, strict=True))
    part = part.copy()
    part[y : y + head.shape[0], x : x + head.shape[1]] = head
    placed = (box - np.array([x1, y1, x1, y1])) * factor + np.array([x, y, x, y])
    return part, np.asarray(placed, np.float32)


def mirrored(box: Float32, width: int) -> Float32:
    """The box in the picture mirrored left to right."""
    return np.array([width - box[2], box[1], width - box[0], box[3]], np.float32)


def judge(found: Faces, face: Float32) -> str:
    """One word for what became of a picture of one face."""
    if len(found) != 1:
        return "none" if not len(found) else "several"
    return "one" if iou(face[None], found.boxes)[0, 0] >= 0.3 else "wrong"


if __name__ == "__main__":
    main()
