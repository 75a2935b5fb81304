"""Rotated faces: how many does each detector find, and how often does it see one where none is?

``python -m benchmarks.rotation --data DIR`` turns LFW photos (``DIR/lfw/images``) at random within +-90
degrees about their centre, where the subject's face is, and cuts the original size out again. A face is
found when a box's centre lies within half a face of the true one; its points are right when its eye line
is within 20 degrees of the truth. What YuNet finds in the upright photo is the truth; a box that
touches none of its faces (score 0.3 and more) is a false detection. Photos of scenes without faces are rare
in the data, so ``DIR/photos/free-mountain-vector-01.jpg`` is run as well.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

import cv2
import numpy as np

from lineament.geometry.alignment import apply
from lineament.geometry.boxes import center, nearest_to
from lineament.geometry.landmarks import roll
from lineament.io import images
from lineament.registry import detectors
from lineament.types import Faces, Float64, Image, UInt8

SPECS = ("haar", "retry:haar", "yunet", "retry:yunet")


def turned(pixels: UInt8, degrees: float) -> tuple[UInt8, Float64]:
    """The picture turned counter-clockwise about its centre, same size, borders replicated."""
    h, w = pixels.shape[:2]
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    linear = np.array([[c, s], [-s, c]])
    middle = np.array([w, h]) / 2
    transform = np.concatenate([linear, (middle - linear @ middle)[:, None]], axis=1)
    pixel_centred = transform.copy()
    pixel_centred[:, 2] += linear @ [0.5, 0.5] - 0.5
    moved = cv2.warpAffine(pixels, pixel_centred, (w, h), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8), transform


def judge(
    found: Faces, truth: Faces, main: int, transform: Float64, degrees: float
) -> tuple[bool, bool, int]:
    """Whether the main face was found, whether with right points, and how many boxes touch no face."""
    centers = apply(transform, center(truth.boxes))
    size = (truth.boxes[:, 2:] - truth.boxes[:, :2]).max(axis=1)
    far = np.linalg.norm(center(found.boxes)[:, None] - centers[None], axis=2) / size[None]
    hits = np.flatnonzero(far[:, main] < 0.5)
    right = np.zeros(0)
    if found.landmarks is not None and truth.landmarks is not None and len(hits):
        wanted = roll(truth.landmarks)[main] - math.radians(degrees)
        off = roll(found.landmarks[hits]) - wanted
        right = hits[np.abs((off + math.pi) % (2 * math.pi) - math.pi) < math.radians(20)]
    return bool(len(hits)), bool(len(right)), int((far.min(axis=1, initial=np.inf) >= 0.75).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--specs", nargs="*", default=SPECS)
    args = parser.parse_args()
    paths = sorted((args.data / "lfw" / "images").rglob("*.jpg"))
    rng = random.Random(15)
    paths = rng.sample(paths, args.photos)
    reference = detectors.create("yunet:score=0.3")
    cases: list[tuple[Image, Faces, int, Float64, float]] = []
    for path in paths:
        image = images.load(path)
        truth = reference.detect([image])[0]
        w, h = image.size_wh
        degrees = rng.uniform(-90, 90)
        pixels, transform = turned(image.pixels, degrees)
        cases.append((Image(pixels), truth, nearest_to(truth.boxes, (w / 2, h / 2)), transform, degrees))
    drawing = args.data / "photos" / "free-mountain-vector-01.jpg"
    print(f"{len(cases)} LFW photos turned at random within +-90 degrees")
    print(
        f"{'detector':24} {'found':>7} {'points':>7} {'nothing':>8} {'false':>6} {'drawing':>8} {'ms':>7}"
    )
    for spec in args.specs:
        detector = detectors.create(spec)
        start = time.perf_counter()
        answers = [detector.detect([case[0]])[0] for case in cases]
        spent = (time.perf_counter() - start) / len(cases) * 1e3
        verdicts = [judge(found, *case[1:]) for found, case in zip(answers, cases, strict=True)]
        share = sum(hit for hit, _, _ in verdicts) / len(cases)
        right = sum(ok for _, ok, _ in verdicts) / len(cases)
        nothing = sum(not len(found) for found in answers)
        false = sum(count for *_, count in verdicts)
        on_drawing = len(detector.detect([images.load(drawing)])[0]) if drawing.exists() else -1
        print(
            f"{spec:24} {share:7.1%} {right:7.1%} {nothing:8} {false:6} {on_drawing:8} {spent:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
