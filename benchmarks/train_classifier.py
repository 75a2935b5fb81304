"""Classifiers: what cached features save, ONNX against torch, every named network, and labels that lie.

    python -m benchmarks.train_classifier --data DIR [--work DIR] [PART ...]

DIR has ``lfw/images`` (a folder a person) and ``lfw/seed_people_20plus.txt``; 15 of those people, at most
50 photos each, are cut, aligned and split 70/15/15. Accuracy by method stands in
benchmarks/small_data.py.
Parts, all by default, one thread each:

- ``features``: an epoch of the method feature-extraction over cached features, against an epoch of the same
  loop that computes the frozen backbone anew. Both end after two epochs; the second one is compared.
- ``noise``: the same photos with their names dealt at random: a classifier that learns them by heart must
  guess on the test split. Five seeds on features, one fine-tuned.
- ``onnx``: a ResNet50 and a VGG16 at 224 pixels, exported, against torch in eager mode, batch 1 and 16, in
  turns; the median ratio and the range of all turns.
- ``networks``: each named network built, exported and compared with torch at 96 pixels and its usual size.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lineament.datasets.cleaning.linking import linked
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.geometry.crop_style import CropStyle
from lineament.io.manifest import Manifest
from lineament.io.onnx import open_session
from lineament.io.trained import INPUT_NAME, Head, TrainedCard, TrainedData
from lineament.training.answers import rate_text
from lineament.training.architectures import build
from lineament.training.architectures.backbone import count_parameters
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import Classifier, ClassifierTask, train_classifier
from lineament.training.data import Batches, Pictures, in_order, normalised, shuffled
from lineament.training.loop import fit
from lineament.training.runs import cards
from lineament.training.runs.export import export
from lineament.training.runs.folder import RunFolder, open_run
from lineament.training.settings import LoopSettings, Method
from lineament.training.splits import rows_of

NETWORKS = {
    "reference": 96,
    "resnet18": 224,
    "resnet50": 224,
    "alexnet": 224,
    "vgg16": 224,
    "squeezenet1_0": 224,
    "densenet121": 224,
    "inception_v3": 299,
    "mobilenet_v2": 224,
}


def people(data: Path, work: Path) -> Manifest:
    """Fifteen people of LFW, at most 50 photos each, cut and split."""
    names = (data / "lfw" / "seed_people_20plus.txt").read_text().split()[:15]
    photos = open_dataset(data / "lfw" / "images")
    kept = [row for name in names for row in [r for r in photos if r.subject == name][:50]]
    style = CropStyle(128, margin=0.25, align=True)
    crops = extract(
        replace(photos, rows=tuple(kept)), work / "crops", ExtractSettings(style=style)
    ).manifest
    done = split(crops, Plan(parse_shares("70/15/15"), exact=True), linked(crops)).manifest
    done.save(work / "crops" / "split.jsonl")
    return Manifest.load(work / "crops" / "split.jsonl")


def features(manifest: Manifest, work: Path) -> None:
    """Seconds of an epoch with cached features and without."""
    loop = LoopSettings(epochs=2, patience=None, threads=1)
    settings = ClassifierSettings(method="feature-extraction", loop=loop)
    train_classifier(manifest, work / "cached", settings)
    cached = (work / "cached" / "metrics.csv").read_text().splitlines()
    column = cached[0].split(",").index("seconds")
    fast = float(cached[2].split(",")[column])

    names = sorted({row.subject or "" for row in manifest})
    contract = cards.contract(settings.size)

    def pictures(name: str) -> Pictures:
        rows = rows_of(manifest, name)
        return Pictures(
            manifest, rows, lambda row, _view: {"class": names.index(row.subject or "")}, size=settings.size
        )

    model = Classifier(build(settings.architecture), len(names), settings)
    train, val = pictures("train"), pictures("val")
    task = ClassifierTask(
        model,
        [{"params": list(model.head.parameters())}],
        settings,
        Batches(val, in_order(len(val), loop.batch_size)),
        lambda pixels: normalised(pixels, contract.mean, contract.std),
        None,
    )
    with open_run(work / "recomputed", "benchmark", settings, manifest) as run:
        state = fit(task, Batches(train, shuffled(len(train), loop.batch_size, 0)), run, loop)
    slow = state.history[1]["seconds"]
    print(
        f"features: {len(train)} pictures, {settings.architecture} at {settings.size} px: an epoch takes "
        f"{slow:.2f} s with the backbone, {fast:.3f} s from the cache: {slow / fast:.0f} x"
    )


def noise(manifest: Manifest, work: Path) -> None:
    """Accuracy on names dealt at random; each seed deals and trains anew."""
    plans: list[tuple[int, Method, int, int]] = [
        *((seed, "feature-extraction", 96, 40) for seed in range(5)),
        (0, "fine-tuning", 64, 10),
    ]
    for seed, method, size, epochs in plans:
        dealt = np.random.default_rng(seed).permutation([row.subject or "" for row in manifest])
        rows = [
            replace(row, labels={"dealt": str(name)}) for row, name in zip(manifest, dealt, strict=True)
        ]
        loop = LoopSettings(epochs=epochs, patience=None, stop_at=None, seed=seed, threads=1)
        settings = ClassifierSettings(label="dealt", method=method, size=size, loop=loop)
        out = work / f"noise-{method}-{seed}"
        result = train_classifier(manifest.with_rows(rows, "deal", seed=seed), out, settings)
        test = result.splits["test"].accuracy
        history = (out / "metrics.csv").read_text().splitlines()
        by_heart = float(history[-1].split(",")[history[0].split(",").index("train_accuracy")])
        print(
            f"noise: {method}, seed {seed}: test {rate_text(test)}, n {test.n}; chance "
            f"{result.chance:.3f}; accuracy on the training batches of the last epoch {by_heart:.3f}",
            flush=True,
        )


def onnx(work: Path) -> None:
    """Pictures a second, ONNX against torch."""
    for name in ("resnet50", "vgg16"):
        model = _exported(name, 224, work)
        session = open_session(work / f"{name}-224" / "model.onnx")
        for batch in (1, 16):
            pixels = np.random.default_rng(0).standard_normal((batch, 3, 224, 224)).astype(np.float32)
            tensor = torch.from_numpy(pixels)
            seconds = _in_turns(partial(model, tensor), partial(session.run, {INPUT_NAME: pixels}))
            ratios = sorted(slow / fast for slow, fast in seconds)
            slow, fast = (statistics.median(s) * 1000 for s in zip(*seconds, strict=True))
            print(
                f"onnx: {name}, batch {batch}: torch {slow:.0f} ms, ONNX {fast:.0f} ms: "
                f"{statistics.median(ratios):.2f} x ({ratios[0]:.2f} to {ratios[-1]:.2f}, "
                f"{len(ratios)} turns)",
                flush=True,
            )


def _in_turns(
    first: Callable[[], Any], second: Callable[[], Any], turns: int = 7
) -> list[tuple[float, float]]:
    def once(call: Callable[[], Any]) -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    with torch.inference_mode():
        first(), second()
        return [(once(first), once(second)) for _ in range(turns)]


def networks(work: Path) -> None:
    """Every named network exported at two sizes; the export refuses more than 1e-4."""
    for name, usual in NETWORKS.items():
        for size in sorted({96, usual}):
            began = time.perf_counter()
            model = _exported(name, size, work)
            parameters = count_parameters(model)["parameters"] / 1e6
            print(
                f"networks: {name} at {size} px: {parameters:.1f} million parameters; ONNX agrees to 1e-4; "
                f"{time.perf_counter() - began:.0f} s",
                flush=True,
            )


def _exported(name: str, size: int, work: Path) -> Classifier:
    torch.manual_seed(0)
    model = Classifier(build(name), 15, ClassifierSettings(name, "scratch"))
    # The statistics of a network that has seen pictures: without them values die out in 50 layers.
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(8, 3, size, size))
    folder = work / f"{name}-{size}"
    folder.mkdir(parents=True)
    card = TrainedCard(
        name=name,
        job="classifier",
        architecture=name,
        file="",
        sha256="",
        input=cards.contract(size),
        heads=(Head("subject", "classes", tuple(map(str, range(15)))),),
        data=TrainedData(digest=""),
    )
    export(model, card, RunFolder(folder, "benchmark", ""))
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("features", "noise", "onnx", "networks")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="kept; default: a folder that goes afterwards")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        work = args.work or Path(scratch)
        chosen = args.parts or parts
        needs_people = {"features", "noise"} & set(chosen)
        manifest = people(args.data, work) if needs_people else None
        for part in chosen:
            run: Any = {"features": features, "noise": noise}.get(part)
            if run is not None:
                run(manifest, work)
            else:
                {"onnx": onnx, "networks": networks}[part](work)


if __name__ == "__main__":
    main()
