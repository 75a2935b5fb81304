"""A classifier behind the detector that cut its training faces, and behind another.

``python -m benchmarks.boxes_of_training --data DIR --out DIR [--seeds 0,1,2] [--other yunet]``; DIR of
``--data`` holds LFW as `benchmarks.small_data` takes it. Of the first 15 people at most 50 photos each are
split 60/20/20, near-duplicates together, and cut by Haar's boxes; MobileNetV2 up to its layer 13 as a
fixed feature extractor learns who is who on them, 30 epochs. Then it names the largest face in each whole
photo of the split test: found by the detector on its card, as `analyze --classifier` does unless told
otherwise, and by another one.

Printed for each seed of the training: the share of photos that are named rightly both ways, with a 95 %
interval over people, a photo without a face counting as wrong; the probability of the name given, on
average; and at the end the difference, paired by photo.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.small_data import LOOP, MOST, PEOPLE
from numpy.typing import NDArray

from lineament.analyzer import Analyzer
from lineament.attributes.trained import open_classifiers
from lineament.datasets.cleaning.linking import linked
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.geometry.crop_style import CropStyle
from lineament.io.manifest import Manifest, ManifestRow
from lineament.scoring import proportions
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import train_classifier
from lineament.training.splits import rows_of

Named = tuple[NDArray[np.bool_], NDArray[np.float64]]
"""By photo: whether the name is right, and how probable the classifier held it; 0 without a face."""


def photos(lfw: Path, out: Path) -> Manifest:
    """The photos with their splits, from ``out`` or copied there."""
    done = out / "photos" / "split.jsonl"
    if not done.is_file():
        for name in (lfw / "seed_people_20plus.txt").read_text(encoding="utf-8").split()[:PEOPLE]:
            (done.parent / name).mkdir(parents=True, exist_ok=True)
            for file in sorted((lfw / "images" / name).glob("*.jpg"))[:MOST]:
                shutil.copyfile(file, done.parent / name / file.name)
        whole = open_dataset(done.parent)
        split(whole, Plan(parse_shares("60/20/20"), exact=True), linked(whole)).manifest.save(done)
    return Manifest.load(done)


def trained(whole: Manifest, out: Path, seed: int) -> Path:
    """The run folder of a classifier of Haar's crops."""
    run = out / f"run-{seed}"
    if not (run / "result.json").is_file():
        cut = out / "crops" / "manifest.jsonl"
        if not cut.is_file():
            told = ExtractSettings(detector="haar", style=CropStyle(size=160, margin=0.25))
            extract(whole, cut.parent, told)
        loop = replace(LOOP, epochs=30, learning_rate=3e-3, seed=seed)
        settings = ClassifierSettings(
            method="feature-extraction", feature_layer="features.13", size=96, loop=loop
        )
        train_classifier(Manifest.load(cut), run, settings)
    return run


def named(run: Path, detector: str | None, rows: Sequence[ManifestRow], folder: Path) -> Named:
    """What the classifier says of the largest face of each photo."""
    right, sure = np.zeros(len(rows), bool), np.zeros(len(rows))
    analyzer = Analyzer(detector, attributes=open_classifiers([str(run)]), quality=False)
    with analyzer:
        (answer,) = (name for one in analyzer.attributes for name in one.names)
        outcomes = analyzer.analyze([str(folder / row.path) for row in rows])
        for number, (row, outcome) in enumerate(zip(rows, outcomes, strict=True)):
            if not outcome.faces:
                continue
            sides = [(face.box[2:] - face.box[:2]).prod() for face in outcome.faces]
            face = outcome.faces[int(np.argmax(sides))]
            right[number] = face.attributes[answer] == row.subject
            sure[number] = face.probabilities[answer]
    return right, sure


def difference(a: NDArray[np.floating], b: NDArray[np.floating], whose: NDArray[np.intp]) -> str:
    """``a`` less ``b`` in points, with a 95 % interval by drawing people anew."""
    gain = (a - b).astype(float)
    sums, counts = np.bincount(whose, gain), np.bincount(whose)
    drawn = np.random.default_rng(0).integers(0, len(counts), (5000, len(counts)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return f"{100 * gain.mean():+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--other", default="yunet", help="the detector to compare with")
    chosen = parser.parse_args()
    whole = photos(chosen.data / "lfw", chosen.out)
    rows = rows_of(whole, "test")
    whose = np.unique([row.subject for row in rows], return_inverse=True)[1]
    ways = {"the card's, haar": None, chosen.other: chosen.other}
    found: dict[str, list[Named]] = {way: [] for way in ways}
    print("| faces found by | seed | named rightly, 95 % | probability of the name | photos |")
    print("| --- | --- | --- | --- | --- |")
    for seed in map(int, chosen.seeds.split(",")):
        run = trained(whole, chosen.out, seed)
        for way, detector in ways.items():
            right, sure = named(run, detector, rows, whole.folder)
            found[way].append((right, sure))
            rate = proportions.of_flags(right, whose.tolist())
            share = f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
            print(f"| {way} | {seed} | {share} | {sure.mean():.2f} | {len(rows)} |", flush=True)
    card, other = (np.mean([right for right, _ in some], axis=0) for some in found.values())
    print(f"\nthe card's detector over {chosen.other}, all seeds: {difference(card, other, whose)}")


if __name__ == "__main__":
    main()
