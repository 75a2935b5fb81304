"""A localizer trained on LFW photos and their backgrounds, measured on people it never saw.

    python -m benchmarks.train_localizer --data DIR --work DIR [--architecture NAME] [--method NAME]
                                         [--size N] [--epochs N] [--photos N]

DIR of ``--data`` is LFW: ``images/``, a folder a person. One photo a person. Of every second one a square
is cut that holds the whole face, anywhere in it; of the others a square that no face touches. YuNet's box
is the truth. All squares are shrunk to 56 pixels, so that sharpness does not tell faces from backgrounds.
People are for training (70 %), choosing the epoch (15 %) or testing (15 %) by a hash of their name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.registry import detectors
from lineament.training.detection.localizer import train_localizer
from lineament.training.detection.settings import LocalizerLoop, LocalizerSettings
from lineament.types import Float32, UInt8

SIDE = 56


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--architecture", default="mobilenet_v2")
    parser.add_argument("--method", default="fine-tuning")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--photos", type=int, default=800)
    args = parser.parse_args()
    manifest = pictures(args.data / "images", args.work / "pictures", args.photos)
    settings = LocalizerSettings(
        architecture=args.architecture,
        method=args.method,
        size=args.size,
        loop=LocalizerLoop(
            epochs=args.epochs, batch_size=16, learning_rate=3e-4, schedule="cosine", threads=1
        ),
    )
    out = args.work / f"{args.architecture}_{args.size}_{args.epochs}"
    start, cpu = time.perf_counter(), time.process_time()
    result = train_localizer(manifest, out, settings)
    print(f"{args.architecture}, {args.method}, {args.size} px")
    print(
        f"{time.perf_counter() - start:.0f} s, of them {time.process_time() - cpu:.0f} s on the processor"
    )
    for row in (out / "metrics.csv").read_text().splitlines():
        print("  " + row)
    print(json.dumps(result.to_json(), indent=1))
    paths = [str(manifest.folder / row.path) for row in manifest if row.split == "test"][:40]
    command = [sys.executable, "-m", "lineament", "detect", "--detector", str(out), "--json", "-"]
    done = subprocess.run([*command, *paths], capture_output=True, text=True, check=True)
    answers = Counter(json.loads(line)["outcome"] for line in done.stdout.splitlines())
    print(f"lineament detect --detector RUN on {len(paths)} test pictures: {dict(answers)}")


def pictures(source: Path, folder: Path, count: int) -> Manifest:
    """The squares and their manifest, made anew or found there."""
    saved = folder / "manifest.jsonl"
    if saved.is_file():
        return Manifest.load(saved)
    folder.mkdir(parents=True, exist_ok=True)
    yunet = detectors.create("yunet", score=0.8)
    people = sorted((p for p in source.iterdir() if p.is_dir()), key=lambda p: _share(p.name))[:count]
    rows: list[ManifestRow] = []
    left_out = 0
    for number, person in enumerate(people):
        pixels = images.load(sorted(person.iterdir())[0]).pixels
        (faces,) = yunet.detect([images.load(sorted(person.iterdir())[0])])
        rng = np.random.default_rng(number)
        found = _with_face(pixels, faces.boxes, rng) if number % 2 else _without(pixels, faces.boxes, rng)
        if found is None:
            left_out += 1
            continue
        square, box = found
        path = f"{number:05}.png"
        images.save(folder / path, square)
        digest = hashlib.sha256((folder / path).read_bytes()).hexdigest()
        rows.append(
            ManifestRow(
                row_id(digest, path), path, digest, (SIDE, SIDE), subject=person.name,
                split=_split(person.name), box=box, outcome="no_face" if box is None else "ok", step="crop",
            )
        )  # fmt: skip
    print(f"{len(rows)} pictures, {left_out} photos left out (not one face, or no room beside it)")
    manifest = Manifest(tuple(rows), ({"step": "crop"},), folder)
    manifest.save(saved)
    return manifest


def _share(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


def _split(name: str) -> str:
    share = _share(f"split {name}")
    return "train" if share < 0.70 else "val" if share < 0.85 else "test"


def _with_face(
    pixels: UInt8, boxes: Float32, rng: np.random.Generator
) -> tuple[UInt8, tuple[float, float, float, float]] | None:
    if len(boxes) != 1:
        return None
    h, w = pixels.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in np.clip(boxes[0], 0, [w, h, w, h]))
    least = int(max(x2 - x1, y2 - y1)) + 2
    side = int(rng.uniform(least, min(2.2 * least, w, h)))
    x = int(rng.uniform(max(0.0, x2 - side), min(x1, w - side)))
    y = int(rng.uniform(max(0.0, y2 - side), min(y1, h - side)))
    scale = SIDE / side
    return _small(pixels, x, y, side), (
        (x1 - x) * scale, (y1 - y) * scale, (x2 - x) * scale, (y2 - y) * scale,
    )  # fmt: skip


def _without(pixels: UInt8, boxes: Float32, rng: np.random.Generator) -> tuple[UInt8, None] | None:
    h, w = pixels.shape[:2]
    for _ in range(200):
        side = int(rng.uniform(SIDE, 100))
        x, y = int(rng.uniform(0, w - side)), int(rng.uniform(0, h - side))
        clear = (boxes[:, 0] >= x + side) | (boxes[:, 2] <= x)
        clear |= (boxes[:, 1] >= y + side) | (boxes[:, 3] <= y)
        if len(boxes) and clear.all():
            return _small(pixels, x, y, side), None
    return None


def _small(pixels: UInt8, x: int, y: int, side: int) -> UInt8:
    part = pixels[y : y + side, x : x + side]
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    main()
