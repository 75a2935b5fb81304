"""The named pipelines: how often each errs, what tilts and small faces do to it, and what it costs.

    python -m benchmarks.pipelines --data DIR [--keep DIR] [--pipeline NAME ...] [--part NAME ...]

``DIR`` holds ``lfw/images`` and ``lfw/pairs.csv``. Each pipeline runs whole, as an `Analyzer` in float32.
Parts: ``rates``, FNMR over all comparisons with intervals over people, differences to the first pipeline
paired by person, and rank-1; ``tilts``, the listed mated pairs again with one photo turned; ``small``, the
listed pairs with both photos shrunk; ``levers``, the mirror image summed, and several photos of a person
weighted by quality; ``cost``, processor time a stage beside SFace's. ``--keep`` stores embeddings there,
and reads them on the next run. Prints Markdown tables; percent, 95 % intervals over people.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from benchmarks.landmarks import each_alike, missed, of_people, percent
from benchmarks.rotation import turned

from lineament import pipelines
from lineament.analyzer import Analyzer, central_face
from lineament.embedders._mirrored import mirrored
from lineament.embedders.sface import SFace, SFaceConfig
from lineament.errors import FaceError, PictureError
from lineament.evaluation import all_comparisons, pairs, people, verification
from lineament.evaluation.capture import Captures, rate_key
from lineament.geometry.choosing import choose
from lineament.geometry.crops import cut_aligned
from lineament.io import images
from lineament.registry import detectors
from lineament.scoring.paired import paired
from lineament.types import Faces, Float32, Image, ModelId, Outcome

PARTS = ("rates", "tilts", "small", "levers", "cost")
RATES = (1e-3, 1e-4, 1e-5)
TILTS = (30, 45)
SIDES = (28, 20)
GALLERY_PHOTOS = 3
Change = Callable[[Image], Image]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One row a picture: unit vectors ``(N, D)``, lengths and qualities ``(N,)``; NaN without a face."""

    vectors: Float32
    lengths: Float32
    qualities: Float32


class Systems:
    """Pipelines by name; ``NAME+mirror`` sums each face and its mirror image."""

    def __init__(self, names: Sequence[str], keep: Path | None) -> None:
        self.names, self.keep = tuple(names), keep

    def analyzer(self, name: str) -> Analyzer:
        own, _, mirror = name.partition("+")
        return Analyzer(pipeline=own, precision="exact", flip=bool(mirror))

    def model(self, name: str) -> ModelId:
        own, _, mirror = name.partition("+")
        model = pipelines.card(own).model_id
        return mirrored(model) if mirror else model

    def seen(self, name: str, what: str, paths: Sequence[Path], change: Change | None = None) -> Seen:
        """Every picture, changed or as it is; NaN where no face was found."""
        file = None if self.keep is None else self.keep / f"{name.replace(':', '-')}-{what}.npz"
        if file is not None and file.exists():
            kept = np.load(file)
            return Seen(kept["vectors"], kept["lengths"], kept["qualities"])
        vectors, lengths, qualities = [], [], []
        with self.analyzer(name) as analyzer:
            for outcome in analyzer.analyze(_pictures(paths, change)):
                vector, length, quality = _row(outcome)
                vectors.append(vector)
                lengths.append(length)
                qualities.append(quality)
        size = max(len(v) for v in vectors)
        rows = np.array([v if len(v) else np.full(size, np.nan) for v in vectors], np.float32)
        found = Seen(rows, np.array(lengths, np.float32), np.array(qualities, np.float32))
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, vectors=found.vectors, lengths=found.lengths, qualities=found.qualities)
        return found


def _pictures(paths: Sequence[Path], change: Change | None) -> Iterator[object]:
    for path in paths:
        yield str(path) if change is None else change(images.load(path))


def _row(outcome: Outcome) -> tuple[Float32, float, float]:
    try:
        face = central_face(outcome)
    except (FaceError, PictureError):
        return np.zeros(0, np.float32), np.nan, np.nan
    assert face.embedding is not None and face.quality is not None
    return face.embedding.vector, face.embedding.length, face.quality.score


def rates(systems: Systems, lfw: people.LabelledPictures) -> dict[str, float]:
    """The table of error rates; returns each system's threshold at FMR 1e-3."""
    reports = {}
    for name in systems.names:
        vectors = systems.seen(name, "plain", lfw.pictures).vectors
        reports[name] = all_comparisons.score(lfw, Captures(vectors, (), systems.model(name)), rates=RATES)
    first = next(iter(reports.values()))
    print(f"\n{len(first.found.mated):,} mated and {first.found.total:,} non-mated comparisons\n")
    print("| pipeline | FMR | threshold | FNMR pooled | mean of people |\n" + "| --- " * 5 + "|")
    for name, report in reports.items():
        for point in report.points:
            counts = report.clusters()[f"fnmr_at_fmr.{rate_key(point.target_rate)}"]
            own = of_people([wrong / n for wrong, n in counts.values()])
            rate = percent(point.fnmr.rate)
            print(f"| {name} | {point.target_rate:g} | {point.threshold:.4f} | {rate} | {own} |")
    differences(reports)
    print("\nRank-1: one photo a person is enrolled, all others are searched\n")
    print("| pipeline | found first | searches | no face |\n" + "| --- " * 4 + "|")
    for name in systems.names:
        print(f"| {name} | {rank_one(systems.seen(name, 'plain', lfw.pictures).vectors, lfw.subjects)} |")
    return {name: report.points[0].threshold for name, report in reports.items()}


def differences(reports: dict[str, all_comparisons.AllComparisonsReport]) -> None:
    base_name, *others = reports
    print(f"\nDifference to {base_name}, paired by person, percentage points\n")
    print("| pipeline | FMR | pooled | mean of people |\n" + "| --- " * 4 + "|")
    for name in others:
        for key in (f"fnmr_at_fmr.{rate_key(rate)}" for rate in RATES):
            base, own = reports[base_name].clusters()[key], reports[name].clusters()[key]
            told = [paired(base, own), paired(each_alike(base), each_alike(own))]
            cells = [f"{d.value * 100:+.2f} ({d.low * 100:+.2f} to {d.high * 100:+.2f})" for d in told]
            print(f"| {name} | {key.rpartition('.')[2]} | {' | '.join(cells)} |")


def rank_one(vectors: Float32, subjects: Sequence[str]) -> str:
    names = np.array(subjects)
    _, first = np.unique(names, return_index=True)
    probes = np.setdiff1d(np.arange(len(names)), first)
    scores = np.nan_to_num(vectors[probes], nan=0.0) @ np.nan_to_num(vectors[first], nan=0.0).T
    right = names[first][scores.argmax(axis=1)] == names[probes]
    failed = int(np.isnan(vectors).any(axis=1).sum())
    return f"{right.mean() * 100:.2f} | {len(probes):,} | {failed}"


def tilts(
    systems: Systems, lfw: people.LabelledPictures, listed: pairs.PairList, least: dict[str, float]
) -> None:
    place = {name: row for row, name in enumerate(lfw.names)}
    ones = [place[listed.pictures[i]] for i in listed.first[listed.same]]
    others = [place[listed.pictures[i]] for i in listed.second[listed.same]]
    paths = [lfw.pictures[i] for i in others]
    print(f"\n{len(ones)} listed mated pairs, one photo turned: percent lost at FMR 0.1 %\n")
    print("| pipeline | " + " | ".join(map(str, TILTS)) + " |\n" + "| --- " * (1 + len(TILTS)) + "|")
    for name in systems.names:
        plain, cells = systems.seen(name, "plain", lfw.pictures).vectors, []
        for degrees in TILTS:

            def turn(image: Image, degrees: int = degrees) -> Image:
                return Image(turned(image.pixels, degrees)[0])

            found = systems.seen(name, f"turned-{degrees}", paths, turn).vectors
            cells.append(f"{missed(plain[ones], found, least[name]) * 100:.1f}")
        print(f"| {name} | {' | '.join(cells)} |")


def small(systems: Systems, lfw: people.LabelledPictures, listed: pairs.PairList) -> None:
    place = {name: row for row, name in enumerate(lfw.names)}
    paths = [lfw.pictures[place[name]] for name in listed.pictures]
    judge = detectors.create("yunet")
    print(f"\n{len(listed)} listed pairs, faces so long: accuracy, percent, and photos without a face\n")
    print("| pipeline | " + " | ".join(f"{s} px" for s in SIDES) + " |\n" + "| --- " * 3 + "|")
    for name in systems.names:
        cells = []
        for side in SIDES:

            def shrink(image: Image, side: int = side) -> Image:
                """The picture with its face as long as ``side``, by area, measured by YuNet for all."""
                (faces,) = judge.detect([image])
                row = [choose(faces.boxes, image.size_wh).row] if len(faces) else []
                boxes = faces.boxes[row]
                longer = float((boxes[:, 2:] - boxes[:, :2]).max(initial=side))
                w, h = (max(8, round(edge * side / longer)) for edge in image.size_wh)
                pixels = cv2.resize(image.pixels, (w, h), interpolation=cv2.INTER_AREA)
                return Image(np.asarray(pixels, np.uint8))

            vectors = systems.seen(name, f"side-{side}", paths, shrink).vectors
            failed = int(np.isnan(vectors).any(axis=1).sum())
            report = verification.score(listed, Captures(vectors, (), systems.model(name)))
            cells.append(f"{percent(report.accuracy_rate)}, {failed}")
        print(f"| {name} | {' | '.join(cells)} |")


def levers(systems: Systems, lfw: people.LabelledPictures) -> None:
    """What more could be done with the same networks."""
    for name in systems.names:
        reports = {}
        for one in (name, f"{name}+mirror"):
            vectors = systems.seen(one, "plain", lfw.pictures).vectors
            captures = Captures(vectors, (), systems.model(one))
            reports[one] = all_comparisons.score(lfw, captures, rates=RATES)
        differences(reports)
        weighted(systems.seen(name, "plain", lfw.pictures), np.array(lfw.subjects), name)


def weighted(seen: Seen, subjects: np.ndarray, name: str) -> None:
    """Templates of `GALLERY_PHOTOS` photos against the others: the plain mean, and weighted ones."""
    weights = {
        "alike": np.ones(len(subjects)),
        "length": seen.lengths,
        "quality": seen.qualities,
        "quality squared": seen.qualities**2,
    }
    usable = ~np.isnan(seen.vectors).any(axis=1)
    known = [s for s in np.unique(subjects) if (usable & (subjects == s)).sum() > GALLERY_PHOTOS]
    photos = [np.flatnonzero(usable & (subjects == s)) for s in known]
    probes = np.concatenate([rows[GALLERY_PHOTOS:] for rows in photos])
    owner = np.concatenate([np.full(len(rows) - GALLERY_PHOTOS, i) for i, rows in enumerate(photos)])
    print(f"\n{name}: {len(known)} people of {GALLERY_PHOTOS} photos, {len(probes):,} probes\n")
    print("| weights | FNMR at FMR 0.1 % | 0.01 % | rank-1 |\n" + "| --- " * 4 + "|")
    for told, weight in weights.items():
        templates = np.array(
            [
                (weight[rows[:GALLERY_PHOTOS], None] * seen.vectors[rows[:GALLERY_PHOTOS]]).sum(0)
                for rows in photos
            ]
        )
        templates /= np.linalg.norm(templates, axis=1, keepdims=True)
        scores = seen.vectors[probes] @ templates.T
        mate = scores[np.arange(len(probes)), owner]
        others = np.sort(scores[np.arange(len(known))[None] != owner[:, None]])
        cells = []
        for rate in (1e-3, 1e-4):
            least = others[len(others) - int(rate * len(others)) - 1]
            cells.append(f"{(mate <= least).mean() * 100:.2f}")
        first = (scores.argmax(axis=1) == owner).mean() * 100
        print(f"| {told} | {' | '.join(cells)} | {first:.2f} |")


def cost(systems: Systems, paths: Sequence[Path]) -> None:
    """Processor time of this thread a photo with one face, least of five rounds, eight photos at a time."""
    pictures = [images.load(path) for path in paths]
    batches = [pictures[i : i + 8] for i in range(0, len(pictures), 8)]
    analyzers = {name: systems.analyzer(name) for name in systems.names}
    sface = SFace(SFaceConfig("exact"))
    stages: dict[tuple[str, str], Callable[[int], object]] = {}
    crops: list[np.ndarray] = []
    for name, analyzer in analyzers.items():
        found = [_largest(analyzer.detector.detect(batch), batch) for batch in batches]
        crops = crops or [_crops(b, f) for b, f in zip(batches, found, strict=True)]
        stages[name, "detector"] = lambda i, a=analyzer: a.detector.detect(batches[i])  # type: ignore[misc]
        if analyzer.landmarker is not None:
            stages[name, "landmarks"] = lambda i, a=analyzer, f=found: a.landmarker.refine(  # type: ignore[misc]
                batches[i], f[i]
            )
        stages[name, "embedder"] = lambda i, a=analyzer, c=crops: a.embedder.embed(c[i])  # type: ignore[misc]
    stages["", "SFace"] = lambda i: sface.embed(crops[i])
    spent = {key: [0.0] * 5 for key in stages}
    for turn in range(-1, 5):
        for i in range(len(batches)):
            for key, call in stages.items():
                start = time.thread_time()
                call(i)
                spent[key][max(turn, 0)] += (time.thread_time() - start) * (turn >= 0)
    least = {key: min(values) / len(pictures) for key, values in spent.items()}
    unit = least.pop(("", "SFace"))
    print(f"\nProcessor time a photo of 250 x 250 px; SFace {unit * 1e3:.2f} ms a face\n")
    print("| pipeline | detector | landmarks | embedder | total |\n" + "| --- " * 5 + "|")
    for name in systems.names:
        parts = [least.get((name, stage), 0.0) / unit for stage in ("detector", "landmarks", "embedder")]
        print(f"| {name} | " + " | ".join(f"{part:.2f}" for part in [*parts, sum(parts)]) + " |")


def _largest(found: Sequence[Faces], batch: Sequence[Image]) -> list[Faces]:
    return [
        faces[[choose(faces.boxes, image.size_wh).row] if len(faces) else []]
        for faces, image in zip(found, batch, strict=True)
    ]


def _crops(batch: Sequence[Image], found: Sequence[Faces]) -> np.ndarray:
    crops = []
    for image, faces in zip(batch, found, strict=True):
        assert faces.landmarks is not None
        crops.append(cut_aligned(image.pixels, faces.landmarks, 112))
    return np.concatenate(crops)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--pipeline", action="append", choices=list(pipelines.cards()))
    parser.add_argument("--part", action="append", choices=PARTS)
    args = parser.parse_args()
    parts = args.part or PARTS
    systems = Systems(args.pipeline or ["classic", "light", "accurate", "thorough"], args.keep)
    lfw = people.open_people(args.data / "lfw" / "images")
    listed = pairs.read_pairs(args.data / "lfw" / "pairs.csv")
    if {"rates", "tilts"} & set(parts):
        least = rates(systems, lfw)
    if "tilts" in parts:
        tilts(systems, lfw, listed, least)
    if "small" in parts:
        small(systems, lfw, listed)
    if "levers" in parts:
        levers(systems, lfw)
    if "cost" in parts:
        cost(systems, lfw.pictures[:64])


if __name__ == "__main__":
    main()
