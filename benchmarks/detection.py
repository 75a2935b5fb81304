"""Detectors on labelled pictures; whether our figures are pycocotools', as quick, the intervals honest.

    python -m benchmarks.detection --data DIR        # DIR/NAME/images and DIR/NAME/coco.json
    python -m benchmarks.detection --speed           # 5,000 pictures with 100,000 boxes
    python -m benchmarks.detection --coverage 200    # intervals on so many simulated sets

``--data`` scores faces whose shorter side is 8 px or more. Needs pycocotools (extra dev).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lineament.evaluation import detection as protocol
from lineament.evaluation.truths import read_truths
from lineament.scoring import detection, detection_rates, matching
from lineament.scoring.matching import PictureBoxes

MIN_SIDE = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--detectors", default="yunet,centerface")
    parser.add_argument("--sets", default="scenes_masked,wider_416")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--coverage", type=int, default=0)
    args = parser.parse_args()
    if args.data:
        for name in args.sets.split(","):
            on_pictures(args.data / name, args.detectors.split(","))
    if args.speed:
        speed()
    if args.coverage:
        coverage(args.coverage)


def on_pictures(folder: Path, detectors: Sequence[str]) -> None:
    truths = read_truths(folder / "images", folder / "coco.json")
    print(f"\n{folder.name}\n")
    print("| detector | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for spec in detectors:
        report = protocol.evaluate(truths, protocol.open_detector(spec), min_side=MIN_SIDE)
        theirs = pycocotools(report.boxes)
        ours = detection.average_precisions(report.matches)
        assert np.abs(ours - theirs).max() < 1e-9, (ours, theirs)
        loose = matching.match(report.boxes, 0.3)
        score = report.rates.score
        near = detection_rates.recall_of(loose, loose.counted, score)
        rates = report.rates
        cells = [rates.map50, rates.map50_95, rates.precision, rates.recall, rates.f1, near]
        cells += [report.wider.get(level) for level in ("easy", "medium", "hard")]
        print(f"| {spec}, score {score:g} | " + " | ".join(map(_cell, cells)) + " |")
        for group in (report.by_size, *report.by_label.values()):
            print("  ", {name: _cell(rate) for name, rate in group.items() if rate is not None})
    print(f"\n{report.matches.truths} faces count; equal to pycocotools within 1e-9 at all ten IoUs")


COLUMNS = (
    "mAP50",
    "mAP50-95",
    "precision",
    "recall",
    "F1",
    "recall at IoU 0.3",
    "WIDER easy",
    "WIDER medium",
    "WIDER hard",
)


def _cell(rate: object) -> str:
    from lineament.scoring.rate import Rate

    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})" if isinstance(rate, Rate) else "-"


def pycocotools(pictures: Sequence[PictureBoxes]) -> np.ndarray:
    """Average precision at each IoU by pycocotools; a truth that is ignored goes through its area."""
    return _pycocotools(pictures)[0]


def _pycocotools(pictures: Sequence[PictureBoxes]) -> tuple[np.ndarray, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, found = [], []
    for number, one in enumerate(pictures, 1):
        for (x1, y1, x2, y2), counts in zip(one.truths.tolist(), one.counted, strict=True):
            entry = {"image_id": number, "category_id": 1, "iscrowd": 0, "id": len(truths) + 1}
            # It takes "ignore" from iscrowd alone, so an area outside the range does the ignoring.
            truths.append(entry | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": 1.0 if counts else -1.0})
        for (x1, y1, x2, y2), score in zip(one.boxes.tolist(), one.scores, strict=True):
            box = [x1, y1, x2 - x1, y2 - y1]
            found.append({"image_id": number, "category_id": 1, "bbox": box, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        labels = COCO()
        images = [{"id": number} for number in range(1, len(pictures) + 1)]
        labels.dataset = {"images": images, "annotations": truths, "categories": [{"id": 1}]}
        labels.createIndex()
        run = COCOeval(labels, labels.loadRes(found), "bbox")
        run.params.maxDets = [max(len(one.boxes) for one in pictures)]
        run.params.areaRng, run.params.areaRngLbl = [(0, 1e10)], ["all"]
        start = time.perf_counter()
        run.evaluate()
        run.accumulate()
        seconds = time.perf_counter() - start
    return run.eval["precision"][:, :, 0, 0, 0].mean(axis=1), seconds


def speed() -> None:
    random = np.random.default_rng(0)
    pictures = []
    for _ in range(5000):
        count = random.poisson(20)
        low, side = random.random((count, 2)) * 900, 10 + random.random((count, 2)) * 90
        truths = np.concatenate([low, low + side], axis=1)
        boxes = truths + random.normal(0, 3, truths.shape)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        boxes = boxes[random.random(count) < 0.9]
        stray = random.random((random.poisson(2), 2)) * 900
        boxes = np.concatenate([boxes, np.concatenate([stray, stray + 40], axis=1)])
        pictures.append(PictureBoxes(truths, boxes, random.random(len(boxes))))
    start = time.perf_counter()
    ours = detection.average_precisions(matching.match(pictures))
    mine = time.perf_counter() - start
    theirs, seconds = _pycocotools(pictures)
    start = time.perf_counter()
    detection_rates.rates(matching.match(pictures), 0.5, resamples=100)
    with_intervals = time.perf_counter() - start
    boxes = sum(len(one.boxes) for one in pictures)
    print(f"5,000 pictures, {boxes:,} detections, ten IoUs, one area range")
    print(f"ours {mine:.2f} s, pycocotools {seconds:.2f} s, ratio {mine / seconds:.3f}")
    print(f"largest difference {np.abs(ours - theirs).max():.1e}")
    print(f"with intervals from 100 resamples {with_intervals:.2f} s")


def coverage(sets: int) -> None:
    """How often the 95 % interval holds the truth, known from 60,000 simulated pictures."""
    random = np.random.default_rng(1)
    everything = matching.match(_simulated(random, 60_000))
    counts = detection.counts_at(everything, 0.6)
    precisions = detection.average_precisions(everything)
    truth = (precisions[0], precisions.mean(), counts.precision, counts.recall, counts.f1)
    print("| pictures | mAP50 | mAP50-95 | precision | recall | F1 |\n|---|---|---|---|---|---|")
    for pictures in (30, 100):
        held = np.zeros(5)
        for number in range(sets):
            drawn = matching.match(_simulated(np.random.default_rng(1000 + number), pictures))
            found = detection_rates.rates(drawn, 0.6, resamples=300)
            rates = (found.map50, found.map50_95, found.precision, found.recall, found.f1)
            held += [r is not None and r.low <= t <= r.high for r, t in zip(rates, truth, strict=True)]
        print(f"| {pictures} | " + " | ".join(f"{share:.3f}" for share in held / sets) + " |")


def _simulated(random: np.random.Generator, pictures: int) -> list[PictureBoxes]:
    """Pictures some of which are hard: there faces are missed, boxes are off, and more is made up."""
    made = []
    for _ in range(pictures):
        hard = random.normal()
        faces = random.poisson(4)
        low = np.stack([np.arange(faces) * 20.0, np.zeros(faces)], axis=1)
        truths = np.concatenate([low, low + 10], axis=1)
        clear = random.normal(1 - hard, 1, faces)
        shift = random.normal(0, 0.8 + 0.4 * max(hard, 0), (faces, 1)) * np.array([1, 0, 1, 0])
        boxes = (truths + shift)[clear > 0]
        false = random.poisson(0.6 * np.exp(0.7 * hard))
        at = np.stack([np.arange(false) * 20.0, np.full(false, 100.0)], axis=1)
        boxes = np.concatenate([boxes, np.concatenate([at, at + 10], axis=1)])
        logits = np.concatenate([clear[clear > 0], random.normal(-0.3, 1, false)])
        made.append(PictureBoxes(truths, boxes, 1 / (1 + np.exp(-logits))))
    return made


if __name__ == "__main__":
    main()
