"""Detectors and a classifier together: what each detector costs the same classifier, on whole photos.

    python -m benchmarks.end_to_end --data DIR --work DIR

DIR has ``lfw/images`` (a folder a person) and ``lfw/seed_people_20plus.txt``: 15 of those people, at most
50 photos each, split 60/15/25 before the faces are cut. A classifier on MobileNetV2's features learns from
the crops; then the test photos, whole, go through each detector and this classifier. Nine photos of people
the classifier was never shown go with them. One thread, seed 0.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lineament.analyzer import Analyzer
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import from_people
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.evaluation.end_to_end import evaluate
from lineament.geometry.crop_style import CropStyle
from lineament.io.manifest import Manifest
from lineament.training.classification.trainer import ClassifierSettings, train_classifier
from lineament.training.settings import LoopSettings

DETECTORS = ("yunet", "centerface", "haar")
SETTINGS = ClassifierSettings(
    method="feature-extraction",
    size=96,
    augment=("flip",),
    variants=2,
    loop=LoopSettings(epochs=40, learning_rate=3e-3, patience=5, threads=1, seed=0),
)


def photos(data: Path) -> Manifest:
    """The photos of fifteen people, split, and a few of strangers in the test split."""
    names = (data / "lfw" / "seed_people_20plus.txt").read_text().split()[:15]
    every = from_people(data / "lfw" / "images")
    known = [row for name in names for row in [r for r in every if r.subject == name][:50]]
    done = split(replace(every, rows=tuple(known)), Plan(parse_shares("60/15/25"), exact=True)).manifest
    others = [row for row in every if row.subject not in names][::400][:10]
    return replace(done, rows=(*done.rows, *(replace(row, split="test") for row in others)))


def told(rate: dict[str, Any] | None) -> str:
    """A rate with its interval."""
    return "-" if rate is None else f"{rate['value']:.3f} ({rate['low']:.3f} to {rate['high']:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    whole = photos(args.data)
    style = CropStyle(128, margin=0.25, align=True)
    learned = [row for row in whole if row.split != "test" or row.subject in _names(whole)]
    crops = extract(
        replace(whole, rows=tuple(learned)), args.work / "crops", ExtractSettings(style=style), workers=1
    ).manifest
    run = args.work / "runs" / "people"
    result = train_classifier(crops, run, SETTINGS)
    print(
        f"the classifier alone, on the crops of the test split: {told(result['test']['accuracy'])}, "
        f"n = {result['test']['accuracy']['n']}; chance {result['chance']:.3f}\n"
    )
    print(
        "| detector | accuracy end to end | not detected | confused | of the detected | strangers named "
        "| photos a second |\n|---|---|---|---|---|---|---|"
    )
    for detector in DETECTORS:
        began = time.perf_counter()
        with Analyzer(detector, None, [str(run)], quality=False, workers=1) as analyzer:
            found = evaluate(whole, analyzer, split="test", runs=[run])
        taken = time.perf_counter() - began
        record = found.to_json()
        strangers = [face for face in found.faces if face.ending == "unknown_class"]
        named = sum(face.said is not None for face in strangers)
        print(
            f"| {detector} | {told(record['end_to_end_accuracy'])} | {told(record['detection_misses'])} "
            f"| {told(record['classification_errors'])} | {told(record['accuracy_of_detected'])} "
            f"| {named} of {len(strangers)} | {record['pictures']['total'] / taken:.1f} |",
            flush=True,
        )
    print(
        f"\nn = {record['end_to_end_accuracy']['n']}; pictures {record['pictures']}; "
        f"{record['compared_with_training']}"
    )


def _names(whole: Manifest) -> set[str | None]:
    return {row.subject for row in whole if row.split == "train"}


if __name__ == "__main__":
    main()
