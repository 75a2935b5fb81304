"""What can be learned from few photos: 15 people of LFW, at most 50 photos each, on a leak-safe split.

``python -m benchmarks.small_data --data DIR --out DIR [--seeds 0,1,2] [--recipes]``; DIR of ``--data``
holds ``lfw/seed_people_20plus.txt`` and ``lfw/images/NAME/*.jpg``. The first 15 people are cropped
aligned, as ``dataset extract --align`` does, and split 60/20/20 with near-duplicates kept together. Then
a sweep: the reference network from scratch at 48 pixels, MobileNetV2 at 96 as a fixed feature extractor
and fine-tuned, each plain, with rotation of +-20 degrees, resized crops, noise, all three, and with
pixels scaled to 0..1 instead of normalised. Beside them logistic regression on SFace embeddings.
``--recipes`` trains instead what was found by trying a few things: MobileNetV2 cut off after its
layer 13, as it is, and fine-tuned with flips, mild rotation and crops, and smoothed labels. Run again it
goes on; finished trainings are kept.

Printed: the sweep's table, and what each change did: the difference in test accuracy to the plain training,
with a 95 % interval by resampling people (the same pictures and seeds in both).
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lineament.datasets.cleaning.linking import linked
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.geometry.crop_style import CropStyle
from lineament.io.manifest import Manifest
from lineament.io.trained import open_trained
from lineament.training.answers import rate_text
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import train_classifier
from lineament.training.data import Pictures
from lineament.training.settings import FineTuning, LoopSettings
from lineament.training.splits import SPLITS, rows_of
from lineament.training.sweeping.settings import SweepSettings
from lineament.training.sweeping.sweep import cells, run_sweep
from lineament.training.sweeping.tables import markdown

PEOPLE, MOST = 15, 50
LOOP = LoopSettings(batch_size=16, schedule="cosine", warmup_epochs=1.0, patience=None, threads=1)
RECIPES = {
    "features of layer 13": ClassifierSettings(
        method="feature-extraction", feature_layer="features.13", loop=replace(LOOP, epochs=30)
    ),
    "fine-tuned up to layer 13": ClassifierSettings(
        feature_layer="features.13",
        fine_tuning=FineTuning(first_stage=1.0),
        augment=("flip", "rotate:10", "crop:low=0.8"),
        label_smoothing=0.1,
        dropout=0.5,
        loop=replace(LOOP, epochs=15),
    ),
}
CHANGES = ("none", "rotate:20+crop+noise", "rotate:20", "crop", "noise", "unit")


def data_set(lfw: Path, out: Path) -> Manifest:
    """The split crops, from ``out`` or made there."""
    done = out / "crops" / "split.jsonl"
    if not done.is_file():
        photos = out / "photos"
        for name in (lfw / "seed_people_20plus.txt").read_text(encoding="utf-8").split()[:PEOPLE]:
            (photos / name).mkdir(parents=True, exist_ok=True)
            for file in sorted((lfw / "images" / name).glob("*.jpg"))[:MOST]:
                shutil.copyfile(file, photos / name / file.name)
        told = ExtractSettings(style=CropStyle(size=160, margin=0.25, align=True))
        crops = extract(open_dataset(photos), out / "crops", told).manifest
        plan = Plan(parse_shares("60/20/20"), exact=True)
        split(crops, plan, linked(crops)).manifest.save(done)
    return Manifest.load(done)


def settings(seeds: Sequence[int], changes: Sequence[str]) -> SweepSettings:
    """Sizes and epochs that two processor cores can train in minutes."""
    loop = {"batch_size": 16, "schedule": "cosine", "warmup_epochs": 1.0, "threads": 1}
    return SweepSettings(
        architectures=("reference:scratch", "mobilenet_v2"),
        methods=("feature-extraction", "fine-tuning"),
        augmentations=tuple(changes),
        seeds=tuple(seeds),
        classifier={"size": 96, "variants": 2, "loop": {**loop, "patience": None, "stop_at": None}},
        by_method={
            "scratch": {"size": 48, "loop": {"epochs": 20, "learning_rate": 2e-3, "amp": "bf16"}},
            "feature-extraction": {"loop": {"epochs": 30, "learning_rate": 3e-3}},
            "fine-tuning": {"loop": {"epochs": 10, "learning_rate": 1e-3}},
        },
    )


def recipes(manifest: Manifest, out: Path, seeds: Sequence[int]) -> None:
    """Print a Markdown table of what was found by trying, a line a training."""
    print("| MobileNetV2 | seed | train | val | test, 95 % | n |\n| --- | --- | --- | --- | --- | --- |")
    for name, settings in RECIPES.items():
        for seed in seeds:
            told = replace(settings, loop=replace(settings.loop, seed=seed))
            result = train_classifier(manifest, out / name.replace(" ", "-") / f"seed-{seed}", told)
            train, val, test = (result.splits[split].accuracy for split in SPLITS)
            means = f"{train.value:.3f} | {val.value:.3f} | {rate_text(test)}"
            print(f"| {name} | {seed} | {means} | {test.n} |", flush=True)


def differences(manifest: Manifest, out: Path, told: SweepSettings) -> list[str]:
    """Lines of a Markdown table: test accuracy with each change less that without, by network."""
    rows = rows_of(manifest, "test")
    whose = np.unique([row.subject for row in rows], return_inverse=True)[1]
    right: dict[tuple[str, str, str], list[Any]] = {}
    for cell in cells(told):
        if not (out / cell.folder / "result.json").is_file():
            continue
        model = open_trained(out / cell.folder, "classifier")
        size = model.card.input.size
        assert size is not None
        shown = Pictures(manifest, rows, lambda _row, _view: {}, size=size)
        pixels = np.stack([shown[i, 0][0] for i in range(len(rows))])
        head = model.card.heads[0]
        parts = [model.run(pixels[i : i + 16])[head.name] for i in range(0, len(rows), 16)]
        answers = np.concatenate(parts)
        hits = np.array([head.classes[k] for k in answers.argmax(axis=1)]) == [row.subject for row in rows]
        right.setdefault((cell.architecture, cell.method, cell.augmentation), []).append(hits)
    rng = np.random.default_rng(0)
    lines = ["| network | change | test accuracy, difference | seeds |", "| --- | --- | --- | --- |"]
    for (architecture, method, change), hits in right.items():
        plain = right.get((architecture, method, "none"))
        if change == "none" or plain is None or len(plain) != len(hits):
            continue
        gain = (np.mean(hits, axis=0) - np.mean(plain, axis=0)).astype(float)
        sums, counts = np.bincount(whose, gain), np.bincount(whose)
        drawn = rng.integers(0, len(counts), (5000, len(counts)))
        low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
        network = f"{architecture}, {method}"
        lines.append(
            f"| {network} | {change} | {gain.mean():+.3f} ({low:+.3f} to {high:+.3f}) | {len(hits)} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--changes", default=",".join(CHANGES))
    parser.add_argument("--recipes", action="store_true")
    chosen = parser.parse_args()
    manifest = data_set(chosen.data / "lfw", chosen.out)
    told = settings([int(seed) for seed in chosen.seeds.split(",")], chosen.changes.split(","))
    if chosen.recipes:
        recipes(manifest, chosen.out / "recipes", [int(seed) for seed in chosen.seeds.split(",")])
        return
    out = chosen.out / "sweep"
    answer = run_sweep(manifest, out, told, advance=lambda _n: print(".", end="", flush=True))
    print("\n" + markdown(answer.summary))
    print("\n".join(differences(manifest, out, told)))


if __name__ == "__main__":
    main()
