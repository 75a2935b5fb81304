"""What augmenting before splitting is worth on paper: same photos, versions and network, both orders.

``python -m benchmarks.augment_first --data DIR --out DIR [--seeds 0,1,2]``; DIR of ``--data`` is that of
`benchmarks.small_data`, whose 481 crops of 15 people are taken. Of each there are five versions: itself,
and four that are flipped, turned, cut and made noisy. Augmented first, they are copied under names that
tell nothing (else the split would see what belongs together) and split 60/20/20 without a search for
near-duplicates; split first, only the training photos get versions. The network is MobileNetV2 up to its
layer 13 as a fixed feature extractor, 30 epochs.

Printed for each order and seed (of split, augmentation and training alike): numbers of pictures, accuracy
on val, and on test with its 95 % interval over people; then the means, and how much the first order
flatters. Run again it goes on; finished trainings are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.small_data import LOOP, data_set

from lineament.datasets.augment.materialise import FOLDER, materialise
from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.cleaning.linking import linked
from lineament.datasets.opening import open_dataset
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.io.manifest import Manifest
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import train_classifier

VERSIONS = 5
STEPS = ("flip", "rotate:20", "crop", "noise")


def augment_first(crops: Manifest, out: Path, seed: int) -> Manifest:
    """The leaky order: all photos get versions, and these are shared out one by one."""
    plain = tuple(replace(row, split=None) for row in crops)
    grown = materialise(replace(crops, rows=plain), Pipeline(STEPS, seed=seed), VERSIONS, unsplit=True)
    shutil.rmtree(out, ignore_errors=True)
    for row in grown.manifest:
        name = hashlib.sha256(f"{seed} {row.path}".encode()).hexdigest()[:16]
        place = out / str(row.subject) / f"{name}{Path(row.path).suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(crops.folder / row.path, place)
    return split(open_dataset(out), _plan(seed)).manifest


def split_first(crops: Manifest, out: Path, seed: int) -> Manifest:
    """The honest order: split with near-duplicates kept together, then versions of the training photos."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(crops.folder, out, ignore=shutil.ignore_patterns(FOLDER))
    plain = Manifest(tuple(replace(row, split=None) for row in crops), crops.steps, out)
    parted = split(plain, _plan(seed), linked(plain)).manifest
    return materialise(parted, Pipeline(STEPS, seed=seed), VERSIONS).manifest


ORDERS: dict[str, Callable[[Manifest, Path, int], Manifest]] = {
    "augment, then split": augment_first,
    "split, then augment": split_first,
}


def _plan(seed: int) -> Plan:
    return Plan(parse_shares("60/20/20"), exact=True, seed=seed)


def measured(name: str, crops: Manifest, out: Path, seed: int) -> dict[str, Any]:
    """Pictures by split, and the accuracies on val and test; from ``out`` where they are there."""
    folder = out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
    done = folder / "measured.json"
    if not done.is_file():
        manifest = ORDERS[name](crops, folder / "pictures", seed)
        loop = replace(LOOP, epochs=30, learning_rate=3e-3, seed=seed)
        settings = ClassifierSettings(
            method="feature-extraction", feature_layer="features.13", size=96, augment=(), loop=loop
        )
        shutil.rmtree(folder / "run", ignore_errors=True)
        result = train_classifier(manifest, folder / "run", settings)
        counts = Counter(row.split for row in manifest)
        kept = {part: result.splits[part].accuracy.to_json() for part in ("val", "test")}
        done.write_text(json.dumps({"pictures": {str(k): n for k, n in counts.items()}, **kept}))
    found: dict[str, Any] = json.loads(done.read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    chosen = parser.parse_args()
    crops = data_set(chosen.data / "lfw", chosen.out)
    print(
        "| order | seed | train, val, test pictures | val | test, 95 % |\n| --- | --- | --- | --- | --- |"
    )
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ORDERS}
    for seed in map(int, chosen.seeds.split(",")):
        for name, some in found.items():
            one = measured(name, crops, chosen.out / "orders", seed)
            some.append(one)
            test, counts = one["test"], one["pictures"]
            numbers = ", ".join(f"{counts[part]:,}" for part in ("train", "val", "test"))
            figures = f"{one['val']['value']:.3f} | {test['value']:.3f}"
            interval = f"({test['low']:.3f} to {test['high']:.3f})"
            print(f"| {name} | {seed} | {numbers} | {figures} {interval} |", flush=True)
    means = {
        name: [fmean(one[part]["value"] for one in some) for part in ("val", "test")]
        for name, some in found.items()
    }
    for name, (val, test) in means.items():
        print(f"| {name} | mean | | {val:.3f} | {test:.3f} |")
    (leaky, honest) = means.values()
    flattered = [100 * (a - b) for a, b in zip(leaky, honest, strict=True)]
    print(f"\nflattered by {flattered[0]:.1f} points on val and {flattered[1]:.1f} on test")


if __name__ == "__main__":
    main()
