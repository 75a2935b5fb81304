"""A detector trained briefly on two small sets of scenes, measured on pictures it never saw, beside YuNet.

    python -m benchmarks.train_detector --data DIR --work DIR [--model NAME] [--weights W] [--size N]
                                        [--epochs N] [--batch-size N]

DIR of ``--data`` holds ``scenes_masked`` and ``wider_416``, each with ``coco.json``. By a hash of its bytes
a picture is for testing (20 %), picks the best epoch (8 %) or is learnt from. All classes are one; faces
whose shorter side is below 8 pixels are neither learnt nor counted. At the end the run folder is opened by
``lineament analyze`` on the test pictures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lineament.datasets.importing.labels import import_labels
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.registry import detectors
from lineament.training.detection.scenes import scenes_of
from lineament.training.detection.scores import Found, summary
from lineament.training.detection.settings import DetectorLoop, DetectorSettings
from lineament.training.detection.trainer import train_detector

MIN_SIDE = 8.0
SETS = ("scenes_masked", "wider_416")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", default="yolov8n")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=8)
    args = parser.parse_args()
    manifest = data(args.data)
    settings = DetectorSettings(
        model=args.model,
        size=args.size,
        weights=args.weights,
        one_class=True,
        min_side=MIN_SIDE,
        loop=DetectorLoop(epochs=args.epochs, batch_size=args.batch_size, threads=1),
    )
    name = args.model.rpartition(":")[2]
    out = args.work / f"{name}_{args.size}_{args.weights}_{args.epochs}x{args.batch_size}"
    start, cpu = time.perf_counter(), time.process_time()
    result = train_detector(manifest, out, settings)
    print(f"{args.model}, {args.size} px, from {result.trained_from or 'random weights'}")
    print(
        f"{time.perf_counter() - start:.0f} s, of them {time.process_time() - cpu:.0f} s on the processor"
    )
    for row in (out / "metrics.csv").read_text().splitlines():
        print("  " + row)
    print(json.dumps(result.to_json(), indent=1))
    yunet(manifest)
    through_analyze(manifest, out)


def data(folder: Path) -> Manifest:
    """Both sets as one manifest with splits."""
    rows: list[ManifestRow] = []
    for name in SETS:
        rows += import_labels(folder / name, root=folder).manifest.rows
    return Manifest(tuple(placed(rows)), ({"step": "import"}, {"step": "split by hash"}), folder)


def placed(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """Rows with a split by the hash of their picture."""

    def split(row: ManifestRow) -> str:
        share = int(row.sha256[:8], 16) / 2**32
        return "test" if share < 0.20 else "val" if share < 0.28 else "train"

    return [replace(row, split=split(row)) for row in rows]


def yunet(manifest: Manifest) -> None:
    """What YuNet, trained on the whole training part of WIDER FACE, does on the same pictures."""
    detector = detectors.create("yunet", score=0.02, large_score=0.02)
    found = []
    for scene in scenes_of(manifest, "test", ("face",), min_side=MIN_SIDE, one_class=True):
        (faces,) = detector.detect([images.load(manifest.folder / scene.path)])
        found.append(Found(scene, faces, np.zeros(len(faces), np.intp)))
    print("YuNet at native size on the same test pictures, at score 0.6:")
    print(json.dumps(summary(found, ("face",), 0.6), indent=1))


def through_analyze(manifest: Manifest, out: Path) -> None:
    """The command that users give."""
    paths = sorted({row.path for row in manifest if row.split == "test"})[:5]
    command = [sys.executable, "-m", "lineament", "analyze", "--detector", str(out), "--json", "-"]
    done = subprocess.run(
        [*command, *(str(manifest.folder / path) for path in paths)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    faces = [len(json.loads(line)["faces"]) for line in done.stdout.splitlines()]
    print(f"lineament analyze --detector RUN on {len(paths)} test pictures: faces {faces}")


if __name__ == "__main__":
    main()
