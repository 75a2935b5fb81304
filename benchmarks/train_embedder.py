"""An embedder trained on LFW people, measured on people it never saw, beside SFace.

    python -m benchmarks.train_embedder --data DIR --work DIR [--config FILE] [--set KEY=VALUE ...]
    python -m benchmarks.train_embedder --centres

DIR of ``--data`` has ``images/`` (a folder a person) and ``pairs.csv`` (fold,image1,image2,same). People in
the pairs of folds 1 and 2 are trained on, but for every sixth by a hash, who pick the best epoch; people in
the pairs of fold 3 are the test. Nobody is in two of these. ``--centres`` needs no data: memory and time of
a step with up to 100,000 people, whole, sampled and sharded.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from lineament.cli.train.options import settings_from
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.manifest import Manifest
from lineament.registry import embedders
from lineament.scoring import operating_points
from lineament.scoring.similarity import normalise
from lineament.scoring.verification import auc, eer

RATES = (1e-2, 1e-3, 1e-4)
BATCH, DIMENSION = 256, 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    parser.add_argument("--name", default="run")
    parser.add_argument("--centres", action="store_true")
    parser.add_argument("--one-step", nargs=2, metavar=("PEOPLE", "SHARE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one_step:
        one_step(int(args.one_step[0]), float(args.one_step[1]))
    elif args.centres:
        centres()
    elif args.data is None or args.work is None:
        parser.error("--data and --work, or --centres")
    else:
        train(args)


def train(args: argparse.Namespace) -> None:
    from lineament.training.recognition.settings import EmbedderSettings
    from lineament.training.recognition.trainer import train_embedder

    crops = args.work / "crops"
    if not (crops / "manifest.jsonl").is_file():
        style = CropStyle(112, None, True)
        extract(open_dataset(args.data / "images"), crops, ExtractSettings(style=style), workers=1)
    with (args.data / "pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    manifest = by_fold(open_dataset(crops), pairs)
    settings = settings_from(EmbedderSettings, args.config, args.sets)
    began = time.perf_counter()
    result = train_embedder(manifest, args.work / args.name, settings)
    print(
        f"{result.architecture}, {result.loss}, from {result.trained_from or 'random weights'}: "
        f"{result.photos['train']} photos of {result.people['train']} people, "
        f"{result.epochs} epochs, best {result.best_epoch}, {time.perf_counter() - began:.0f} s, "
        f"seed {settings.loop.seed}\n"
    )
    test = Manifest(tuple(r for r in manifest if r.split == "test" and r.outcome == "ok"), (), crops)
    pixels = np.stack([images.load(test.file(row)).pixels for row in test])
    subjects = [row.subject for row in test]
    fold = [pair for pair in pairs if pair["fold"] == "3"]
    print(
        f"Test: {len(test)} photos of {len(set(subjects))} people, all comparisons; {len(fold)} pairs of "
        "fold 3\n"
    )
    print("| embedder | FMR <= | FNMR, 95 % | mated | non-mated | AUC of the pairs | EER of the pairs |")
    print("|---|---|---|---|---|---|---|")
    for name, spec in (("trained here", str(args.work / args.name)), ("SFace", "sface")):
        vectors = normalise(embedders.create(spec).embed(pixels))
        mated, nonmated = listed(vectors, test, fold)
        area, equal = f"{auc(mated, nonmated):.4f}", f"{eer(mated, nonmated):.4f}"
        for point in operating_points.from_samples(vectors, subjects, RATES):
            if point.supported:
                n = f"{point.fnmr.comparisons:,} | {point.fmr.comparisons:,}"
                print(f"| {name} | {point.target_rate:g} | {point.fnmr.rate} | {n} | {area} | {equal} |")


def by_fold(manifest: Manifest, pairs: list[dict[str, str]]) -> Manifest:
    """Folds 1 and 2 to train and val, fold 3 to test, people without a pair to nothing."""
    folds = {
        name.partition("/")[0]: pair["fold"] for pair in pairs for name in (pair["image1"], pair["image2"])
    }

    def split(subject: str | None) -> str | None:
        fold = folds.get(subject or "")
        if fold not in ("1", "2"):
            return "test" if fold == "3" else None
        return "val" if hashlib.sha256(str(subject).encode()).digest()[0] % 6 == 0 else "train"

    return manifest.with_rows(
        (replace(row, split=split(row.subject) if row.outcome == "ok" else None) for row in manifest),
        step="split",
        by="fold",
    )


def listed(
    vectors: np.ndarray, test: Manifest, pairs: list[dict[str, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the listed mated and non-mated pairs; a pair without a crop is a non-match."""
    at = {Path(row.path).stem.split("~")[0]: i for i, row in enumerate(test)}
    scores: tuple[list[float], list[float]] = ([], [])
    for pair in pairs:
        ends = [at.get(Path(pair[key]).stem) for key in ("image1", "image2")]
        score = -np.inf if None in ends else float(vectors[ends[0]] @ vectors[ends[1]])
        scores[0 if pair["same"] == "1" else 1].append(score)
    return np.array(scores[0]), np.array(scores[1])


def centres() -> None:
    """Each case in a process (or two) of its own, so that its peak memory is its own."""
    print(f"Batch {BATCH}, {DIMENSION} dimensions, ArcFace, one thread; memory beyond an idle process's.\n")
    print("| people | share a step | processes | memory a process | processor time a step |")
    print("|---|---|---|---|---|")
    for people, share, world in (
        (1_000, 1.0, 1),
        (100_000, 1.0, 1),
        (100_000, 0.1, 1),
        (100_000, 1.0, 2),
        (100_000, 0.1, 2),
    ):
        launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(world)] if world > 1 else []
        command = [sys.executable, *launch, __file__, "--one-step", str(people), str(share)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        memory, seconds = done.stdout.split()[-2:]
        print(f"| {people:,} | {share:g} | {world} | {memory} MB | {seconds} s |", flush=True)


def one_step(people: int, share: float) -> None:
    import resource

    import torch

    from lineament.training import distributed
    from lineament.training.recognition.centres import Centres
    from lineament.training.recognition.losses import ArcFace
    from lineament.training.recognition.settings import CentreSettings

    torch.set_num_threads(1)
    with distributed.joined() as place:
        # What the libraries need anyway is used up first.
        warm = Centres(64, DIMENSION, ArcFace())
        rows = BATCH // place.world
        warm.loss(torch.randn(rows, DIMENSION, requires_grad=True), torch.arange(rows) % 64).backward()
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = Centres(people, DIMENSION, ArcFace(), settings=CentreSettings(share=share))
        times = []
        for number in range(4):
            torch.manual_seed(number)
            began = time.process_time()
            embeddings = torch.randn(rows, DIMENSION, requires_grad=True)
            found.loss(embeddings, torch.randint(people, (rows,))).backward()
            found.step(1.0)
            times.append(time.process_time() - began)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if place.first:
            print(f"{(peak - idle) / 1024:.0f} {sorted(times)[len(times) // 2]:.2f}")


if __name__ == "__main__":
    main()
