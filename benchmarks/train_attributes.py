"""Attributes learned: gender, age and age group of UTKFace, beside the shipped models; emotion of FER2013.

    python -m benchmarks.train_attributes --data DIR --work DIR [PART ...]

DIR has ``utkface/`` (``images/`` and ``labels.csv``) and ``fer2013/`` (a folder an emotion). What is
finished in ``--work`` is not done again. Parts, all by default, one thread each, seed 0:

- ``faces``: faces cut aligned at 128 pixels, split 70/10/20 by hash, MobileNetV2 fine-tuned from
  ImageNet's weights at 96 pixels: three heads. Then the test split's photos, whole, through the analyzer
  with this model and with the shipped ones: the same faces, the same figures.
- ``emotion``: pictures of 48 pixels, enlarged to 96, split 70/10/20 by hash.
- ``speed``: faces a second of the exported network in the analyzer's attribute step, cutting included,
  against torch in eager mode on the same crops; one thread, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lineament import registry
from lineament.analyzer import Analyzer, central_face
from lineament.attributes.trained import Trained
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.importing.labels import import_dataset
from lineament.datasets.opening import open_dataset
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.manifest import Manifest
from lineament.scoring import numbers
from lineament.scoring.classification_rates import rates
from lineament.training.architectures import build
from lineament.training.attributes.multi_task import AttributeNetwork
from lineament.training.attributes.result import AttributesResult
from lineament.training.attributes.settings import AttributesSettings, HeadSettings
from lineament.training.attributes.trainer import Data, train_attributes
from lineament.training.data import normalised
from lineament.training.runs.folder import RunFolder
from lineament.training.settings import LoopSettings
from lineament.types import Faces, Image, Status

PARTS = ("faces", "emotion", "speed")
EDGES = (13.0, 20.0, 30.0, 45.0, 60.0)
LOOP = LoopSettings(
    epochs=12, batch_size=32, learning_rate=1e-3, schedule="cosine", patience=None, threads=1, seed=0
)
FACES = AttributesSettings(
    architecture="mobilenet_v2",
    heads=(
        HeadSettings("gender", class_weights="balanced"),
        HeadSettings("age", unit="years", weight=2.0),
        HeadSettings("age_group", label="age", edges=EDGES, weight=0.5),
    ),
    size=96,
    augment=("flip", "rotate:10", "exposure:16", "contrast"),
    loop=LOOP,
)
EMOTION = AttributesSettings(
    architecture="mobilenet_v2",
    heads=(HeadSettings("emotion", class_weights="balanced"),),
    size=96,
    augment=("flip", "rotate:10", "zoom:high=15", "contrast"),
    loop=replace(LOOP, batch_size=16),
)


def prepared(source: Path, format: str | None, folder: Path, *, cut: bool) -> tuple[Path, Manifest]:
    """A folder imported, its faces cut where asked, and split; the photos' folder and the manifest."""
    photos, last = folder / "photos", folder / ("crops" if cut else "photos")
    if not (photos / "manifest.jsonl").is_file():
        import_dataset(source, format, out=photos)
    if not (last / "split.jsonl").is_file():
        manifest = open_dataset(photos)
        if cut:
            style = CropStyle(128, margin=0.25, align=True)
            manifest = extract(manifest, last, ExtractSettings(style=style), workers=1).manifest
        plan = Plan(parse_shares("70/10/20"))
        # Equal files stay together; near-duplicates are not searched for, which takes longer than all else.
        done = split(manifest, plan).manifest
        done.save(last / "split.jsonl")
    return photos, Manifest.load(last / "split.jsonl")


def told(rate: dict[str, Any] | None, digits: int = 3) -> str:
    """A rate with its interval."""
    if rate is None:
        return "-"
    return f"{rate['value']:.{digits}f} ({rate['low']:.{digits}f} to {rate['high']:.{digits}f})"


def table(result: AttributesResult) -> None:
    """What a training says of its test split."""
    print("| head | train | val | test (95 %) | chance | commonest, or median | macro AUC | n |")
    print("|---|---|---|---|---|---|---|---|")
    for name, head in result.attributes.items():
        test = head.test
        key = "accuracy" if test["kind"] == "classes" else "mean_absolute_error"
        guess = test["guessing"]
        chance = f"{guess['chance']:.3f}" if "chance" in guess else "-"
        plain = f"{guess['majority']:.3f}" if "majority" in guess else f"{guess['median']['value']:.2f}"
        print(
            f"| {name} | {head.train[key]['value']:.3f} | {head.val[key]['value']:.3f} "
            f"| {told(test[key])} | {chance} | {plain} | {told(test.get('macro_auc'))} | {test[key]['n']} |"
        )
    print(
        f"\nbest epoch {result.best_epoch} of {result.epochs}; over-fitting from "
        f"{result.overfits_from}; {result.seconds['training']:.0f} s of training; "
        f"rows {result.rows}; refused {result.refused}\n"
    )


def by_class(result: AttributesResult, head: str) -> None:
    """Precision, recall, F1 and AUC of each class."""
    print(f"\n| {head} | n | precision | recall | F1 | AUC |\n|---|---|---|---|---|---|")
    for name, row in result.attributes[head].test["classes"].items():
        cells = " | ".join(told(row[key], 2) for key in ("precision", "recall", "f1", "auc"))
        print(f"| {name} | {row['samples']} | {cells} |")
    print()


def faces(data: Path, work: Path) -> None:
    """Train on UTKFace, then both models on the same whole photos."""
    photos, manifest = prepared(data / "utkface", None, work / "utkface", cut=True)
    result = train_attributes(manifest, work / "runs" / "faces", FACES)
    print("## UTKFace: the crops of the test split\n")
    table(result)
    by_class(result, "age_group")
    tested = {row.parent for row in manifest if row.split == "test"}
    rows = [row for row in Manifest.load(photos / "manifest.jsonl") if row.id in tested]
    found: dict[str, list[Any]] = {
        "gender": [],
        "age": [],
        "my_gender": [],
        "my_age": [],
        "my_age_group": [],
    }
    kept, lost = [], 0
    names = {"gender": "gender", "age": "age"}
    with Analyzer(
        embedder=None,
        quality=False,
        attributes=[*names, f"{work / 'runs' / 'faces'}:prefix=my_"],
        workers=1,
    ) as analyzer:
        files = [str(photos / row.path) for row in rows]
        for row, outcome in zip(rows, analyzer.analyze(files), strict=True):
            if outcome.status is not Status.OK:
                lost += 1
                continue
            kept.append(row)
            centre = central_face(outcome)
            number = int(np.flatnonzero((outcome.faces.boxes == centre.box).all(axis=1))[0])
            for name, values in found.items():
                scores = outcome.faces.attributes[name]
                is_class = isinstance(scores.values[number], str)
                values.append(scores.probabilities[number] if is_class else scores.values[number])
    whose = [row.id for row in kept]
    ages = [float(row.labels["age"]) for row in kept]
    print(f"## The same {len(rows)} photos, whole: {lost} without a face are in no figure\n")
    print("| model | gender right | gender AUC | age: mean error | bias |\n|---|---|---|---|---|")
    for prefix, title in (("", "shipped"), ("my_", "trained here")):
        truth = [("female", "male").index(str(row.labels["gender"])) for row in kept]
        gender = rates(truth, np.stack(found[f"{prefix}gender"]), ("female", "male"), whose)
        age = numbers.errors(ages, found[f"{prefix}age"], whose)
        print(
            f"| {title} | {told(gender.accuracy.to_json())} | {told(gender.to_json()['macro_auc'])} "
            f"| {told(age.mean_absolute_error.to_json(), 1)} | {told(age.bias.to_json(), 1)} |"
        )
    group = np.searchsorted(EDGES, ages, side="right")
    right = np.stack(found["my_age_group"]).argmax(axis=1) == group
    shipped = np.searchsorted(EDGES, found["age"], side="right") == group
    mine = np.searchsorted(EDGES, found["my_age"], side="right") == group
    print(
        f"\nage group right: by its own head {right.mean():.3f}, by the trained age {mine.mean():.3f}, "
        f"by the shipped age {shipped.mean():.3f}; n = {len(kept)}\n"
    )


def emotion(data: Path, work: Path) -> None:
    """Train on FER2013's part."""
    _, manifest = prepared(data / "fer2013", "imagefolder:label=emotion", work / "fer2013", cut=False)
    result = train_attributes(manifest, work / "runs" / "emotion", EMOTION)
    print("## FER2013, 1,256 pictures\n")
    table(result)
    by_class(result, "emotion")


def speed(data: Path, work: Path) -> None:
    """The analyzer's attribute step against torch eager, on photos whose faces are known."""
    photos, manifest = prepared(data / "utkface", None, work / "utkface", cut=True)
    run = work / "runs" / "faces"
    model = registry.attributes.create(str(run))
    assert isinstance(model, Trained)
    attributes = Data.of(manifest, FACES).attributes
    network = AttributeNetwork(
        build(FACES.architecture), attributes, FACES.method, FACES.fine_tuning, FACES.dropout
    )
    RunFolder(run, "attributes", "").load_best(network)
    network.eval()
    torch.set_num_threads(1)
    names = [str(p) for p in sorted(photos.rglob("*.jpg"))[:128]]
    with Analyzer(embedder=None, quality=False, workers=1, keep_images=True) as analyzer:
        outcomes = [o for o in analyzer.analyze(names) if o.status is Status.OK]
    pictures: list[Image] = [o.image for o in outcomes if o.image is not None]
    seen: list[Faces] = [o.faces for o in outcomes]
    count = sum(map(len, seen))
    crops = [model.crop(i, f, n) for i, f in zip(pictures, seen, strict=True) for n in range(len(f))]
    stack = np.stack(crops)

    def ours() -> None:
        model.predict(pictures, seen)

    def ours_network_alone() -> None:
        for start in range(0, count, 32):
            model.run(stack[start : start + 32])

    def eager() -> None:
        with torch.inference_mode():
            for start in range(0, count, 32):
                pixels = torch.from_numpy(stack[start : start + 32]).permute(0, 3, 1, 2)
                network(normalised(pixels, model.card.input.mean, model.card.input.std))

    ways = {
        "analyze, cutting included": ours,
        "its network alone": ours_network_alone,
        "torch eager": eager,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(6):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    base = statistics.median(seconds["torch eager"])
    print(f"## Speed: {count} faces of {len(pictures)} photos, batches of 32, one thread\n")
    print("| | faces a second | of torch eager |\n|---|---|---|")
    for name, taken in seconds.items():
        each = statistics.median(taken)
        print(f"| {name} | {count / each:.0f} | {base / each:.2f}x |")
    began = time.perf_counter()
    for path in names:
        images.load(path)
    print(f"\n(decoding the photos: {len(names) / (time.perf_counter() - began):.0f} a second)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(PARTS))
    args = parser.parse_args()
    for part in args.parts:
        {"faces": faces, "emotion": emotion, "speed": speed}[part](args.data, args.work)


if __name__ == "__main__":
    main()
