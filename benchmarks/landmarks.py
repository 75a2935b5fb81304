"""Better landmarks before alignment: what do they give the embedder, and what do they cost?

    python -m benchmarks.landmarks --data DIR [--keep DIR] [--spec NAME ...] [--part NAME ...]

``DIR`` holds ``lfw/images``, ``lfw/pairs.csv`` and ``scenes_masked``. YuNet finds each face once; every
landmarker refines that face, SFace embeds it. Parts: ``rates``, FNMR over all comparisons, pooled and as
mean of people, with the differences to the detector's points paired by person; ``tilts``, the listed mated
pairs again with one photo turned; ``small``, the listed pairs with both photos shrunk; ``profiles``, FNMR
by yaw; ``masks``, what becomes of faces of ``scenes_masked``; ``cost``, processor time beside SFace's.
``--keep`` stores embeddings there, and reads them on the next run. Prints Markdown tables; percent, 95 %
intervals over people.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from benchmarks.rotation import turned
from scipy import stats

from lineament.embedders.sface import SFace, SFaceConfig
from lineament.engines.threads import Threads
from lineament.evaluation import all_comparisons, pairs, people, verification
from lineament.evaluation.capture import Captures, rate_key
from lineament.geometry.choosing import choose
from lineament.geometry.crops import cut_aligned
from lineament.geometry.landmarks import roll
from lineament.geometry.placing import place
from lineament.io import images
from lineament.quality.pose import head_pose
from lineament.registry import detectors, landmarkers
from lineament.scoring.paired import Counts, paired
from lineament.scoring.rate import Rate
from lineament.scoring.verification import cross_validated_accuracy
from lineament.types import Faces, Float32, Image, UInt8

DETECTOR = "detector"
SPECS = (DETECTOR, "mesh", "mean:mesh", "regression0009", "mean:regression0009", "mesh:regression0009")
PARTS = ("rates", "tilts", "small", "profiles", "masks", "cost")
RATES = (1e-3, 1e-4, 1e-5)
TILTS = (15, 30, 45, 60)
SIDES = (28, 20)
Change = Callable[[Image], Image]


class Systems:
    """One detector and embedder, and the landmarkers between them."""

    def __init__(self, specs: Sequence[str], keep: Path | None) -> None:
        self.specs, self.keep = tuple(specs), keep
        self.detector = detectors.create("yunet")
        self.embedder = SFace(SFaceConfig("exact"))
        self.refiners = {spec: landmarkers.create(spec) for spec in specs if spec != DETECTOR}

    def found(self, batch: Sequence[Image]) -> list[Faces]:
        """The one face of each picture that is meant, or none."""
        chosen = []
        for image, faces in zip(batch, self.detector.detect(batch), strict=True):
            rows = [choose(faces.boxes, image.size_wh).row] if len(faces) else []
            chosen.append(faces[rows])
        return chosen

    def refined(self, spec: str, batch: Sequence[Image], faces: Sequence[Faces]) -> list[Faces]:
        return list(faces) if spec == DETECTOR else self.refiners[spec].refine(batch, faces)

    def embedded(
        self, what: str, paths: Sequence[Path], change: Change | None = None
    ) -> dict[str, Float32]:
        """By system, float32 ``(N, 128)`` of every picture; NaN where no face was found."""
        kept = {spec: self._file(what, spec) for spec in self.specs}
        missing = [spec for spec, file in kept.items() if file is None or not file.exists()]
        rows: dict[str, list[Float32]] = {spec: [] for spec in missing}

        def stage(batch: Sequence[Path]) -> list[dict[str, Float32]]:
            pictures = [images.load(path) for path in batch]
            pictures = [change(one) for one in pictures] if change else pictures
            faces = self.found(pictures)
            done = {spec: self._vectors(spec, pictures, faces) for spec in missing}
            return [{spec: done[spec][i] for spec in missing} for i in range(len(batch))]

        if missing:
            engine = Threads(None, ahead=1, name="landmarks")
            for row in engine.map_batches(stage, paths, size=8):
                for spec in missing:
                    rows[spec].append(row[spec])
            engine.close()
        for spec in missing:
            file = kept[spec]
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.save(file, np.stack(rows[spec]))
        return {
            spec: np.stack(rows[spec]) if spec in rows else np.load(str(kept[spec])) for spec in self.specs
        }

    def _file(self, what: str, spec: str) -> Path | None:
        return None if self.keep is None else self.keep / f"{what}-{spec.replace(':', '-')}.npy"

    def _vectors(self, spec: str, pictures: Sequence[Image], faces: Sequence[Faces]) -> Float32:
        vectors = np.full((len(pictures), 128), np.nan, np.float32)
        there = [i for i, one in enumerate(faces) if len(one)]
        if there:
            crops = aligned([pictures[i] for i in there], self.refined(spec, pictures, faces), there)
            found = self.embedder.embed(crops)
            vectors[there] = found / np.linalg.norm(found, axis=1, keepdims=True)
        return vectors


def aligned(pictures: Sequence[Image], faces: Sequence[Faces], rows: Sequence[int]) -> UInt8:
    crops = []
    for image, row in zip(pictures, rows, strict=True):
        points = faces[row].landmarks
        assert points is not None
        crops.append(cut_aligned(image.pixels, points, 112))
    return np.concatenate(crops)


def percent(rate: Rate) -> str:
    return f"{rate.value * 100:.2f} ({rate.low * 100:.2f} to {rate.high * 100:.2f})"


def of_people(shares: Sequence[float]) -> str:
    """The mean of people with its interval."""
    values = np.asarray(shares) * 100
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.2f} ({values.mean() - half:.2f} to {values.mean() + half:.2f})"


def each_alike(counts: Counts) -> Counts:
    """People as clusters of one weight, however many comparisons there are of each."""
    return {name: (wrong / n, 1.0) for name, (wrong, n) in counts.items()}


def rates(systems: Systems, lfw: people.LabelledPictures) -> dict[str, float]:
    """The table of error rates; returns each system's threshold at FMR 1e-3."""
    reports = {
        spec: all_comparisons.score(lfw, Captures(vectors, (), systems.embedder.model), rates=RATES)
        for spec, vectors in systems.embedded("plain", lfw.pictures).items()
    }
    first = next(iter(reports.values()))
    print(f"\n{len(first.found.mated):,} mated and {first.found.total:,} non-mated comparisons\n")
    print("| points | FMR | threshold | FNMR pooled | mean of people |\n" + "| --- " * 5 + "|")
    for spec, report in reports.items():
        counts = report.clusters()
        for point in report.points:
            at = counts[f"fnmr_at_fmr.{rate_key(point.target_rate)}"]
            own = of_people([wrong / n for wrong, n in at.values()])
            told = f"{point.target_rate:g} | {point.threshold:.4f} | {percent(point.fnmr.rate)} | {own}"
            print(f"| {spec} | {told} |")
    print("\nDifference to the detector's points, paired by person, percentage points\n")
    print("| points | FMR | pooled | mean of people |\n" + "| --- " * 4 + "|")
    for spec, report in reports.items():
        for key in [f"fnmr_at_fmr.{rate_key(rate)}" for rate in RATES] if spec != DETECTOR else ():
            base, own = reports[DETECTOR].clusters()[key], report.clusters()[key]
            told = [paired(base, own), paired(each_alike(base), each_alike(own))]
            cells = [f"{d.value * 100:+.2f} ({d.low * 100:+.2f} to {d.high * 100:+.2f})" for d in told]
            print(f"| {spec} | {key.rpartition('.')[2]} | {' | '.join(cells)} |")
    return {spec: report.points[0].threshold for spec, report in reports.items()}


def tilts(
    systems: Systems, lfw: people.LabelledPictures, listed: pairs.PairList, least: dict[str, float]
) -> None:
    place = {name: row for row, name in enumerate(lfw.names)}
    ones = [place[listed.pictures[i]] for i in listed.first[listed.same]]
    others = [place[listed.pictures[i]] for i in listed.second[listed.same]]
    plain = systems.embedded("plain", lfw.pictures)
    print(
        f"\n{len(ones)} listed mated pairs, one photo turned: percent lost at the threshold for FMR 0.1 %\n"
    )
    print("| points | 0 | " + " | ".join(map(str, TILTS)) + " |\n" + "| --- " * (2 + len(TILTS)) + "|")
    lost = {spec: [missed(v[ones], v[others], least[spec])] for spec, v in plain.items()}
    for degrees in TILTS:

        def turn(image: Image, degrees: int = degrees) -> Image:
            return Image(turned(image.pixels, degrees)[0])

        for spec, v in systems.embedded(
            f"turned-{degrees}", [lfw.pictures[i] for i in others], turn
        ).items():
            lost[spec].append(missed(plain[spec][ones], v, least[spec]))
    for spec, shares in lost.items():
        print(f"| {spec} | " + " | ".join(f"{share * 100:.1f}" for share in shares) + " |")


def missed(first: Float32, second: Float32, threshold: float) -> float:
    return float((~((first * second).sum(axis=1) >= threshold)).mean())


def small(systems: Systems, lfw: people.LabelledPictures, listed: pairs.PairList) -> None:
    place = {name: row for row, name in enumerate(lfw.names)}
    rows = [place[name] for name in listed.pictures]
    paths = [lfw.pictures[row] for row in rows]
    plain = systems.embedded("plain", lfw.pictures)
    cells: dict[str, list[str]] = {spec: [] for spec in systems.specs}
    for side in SIDES:

        def shrink(image: Image, side: int = side) -> Image:
            """The picture with its face as long as ``side``, by area."""
            (faces,) = systems.found([image])
            longer = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(initial=side)
            w, h = (max(8, round(edge * side / longer)) for edge in image.size_wh)
            return Image(
                np.asarray(cv2.resize(image.pixels, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
            )

        for spec, vectors in systems.embedded(f"side-{side}", paths, shrink).items():
            whole = plain[spec][rows]
            cells[spec].append(of_found(listed, whole[listed.first], vectors[listed.second]))
            cells[spec].append(of_found(listed, vectors[listed.first], vectors[listed.second]))
            rate = verification.score(listed, Captures(vectors, (), systems.embedder.model)).accuracy_rate
            failed = int(np.isnan(vectors).any(axis=1).sum())
            cells[spec].append(f"{percent(rate)}, {failed} photos without a face")
    heads = [f"{what}, {side} px" for side in SIDES for what in ("one photo", "both", "both, all pairs")]
    print(f"\n{len(listed)} listed pairs, faces so long: accuracy in percent, of pairs found and of all\n")
    print("| points | " + " | ".join(heads) + " |\n" + "| --- " * (1 + len(heads)) + "|")
    for spec, row in cells.items():
        print(f"| {spec} | " + " | ".join(row) + " |")


def of_found(listed: pairs.PairList, first: Float32, second: Float32) -> str:
    """Accuracy over the folds of the pairs in which both photos have a face, and their number."""
    scores = (first * second).sum(axis=1)
    there = ~np.isnan(scores)
    none = np.zeros(there.sum(), bool)
    found = cross_validated_accuracy(scores[there], listed.same[there], listed.folds[there], none)
    return f"{found.mean * 100:.2f} ({there.sum():,})"


def profiles(systems: Systems, lfw: people.LabelledPictures, least: dict[str, float]) -> None:
    """FNMR of mated comparisons by the larger yaw of the two photos, as the detector's points show it."""

    def stage(batch: Sequence[Path]) -> list[float]:
        faces = systems.found([images.load(path) for path in batch])
        return [abs(float(head_pose(f.landmarks)[0, 0])) if len(f) else np.nan for f in faces]  # type: ignore[arg-type]

    yaw = np.array(list(Threads(None, ahead=1, name="yaw").map_batches(stage, lfw.pictures, size=8)))
    rows = np.arange(len(lfw))
    same = np.array(lfw.subjects)[:, None] == np.array(lfw.subjects)[None]
    first, second = np.nonzero(same & (rows[:, None] < rows[None]))
    larger = np.fmax(yaw[first], yaw[second])
    print("\nMated comparisons by the larger yaw of the two photos: FNMR in percent at FMR 0.1 %\n")
    bands = [(0, 15), (15, 30), (30, 90)]
    inside = [(larger >= low) & (larger < high) for low, high in bands]
    heads = [
        f"{low} to {high} degrees ({one.sum():,})" for (low, high), one in zip(bands, inside, strict=True)
    ]
    print("| points | " + " | ".join(heads) + " |\n" + "| --- " * (1 + len(bands)) + "|")
    for spec, vectors in systems.embedded("plain", lfw.pictures).items():
        missed = ~((vectors[first] * vectors[second]).sum(axis=1) >= least[spec])
        print(f"| {spec} | " + " | ".join(f"{missed[one].mean() * 100:.2f}" for one in inside) + " |")


def masks(systems: Systems, folder: Path) -> None:
    """Faces of the scenes that YuNet finds where one is labelled, and where their points come to lie."""
    labels = json.loads((folder / "coco.json").read_text())
    names = {one["id"]: one["name"] for one in labels["categories"]}
    rows: dict[tuple[str, str], list[tuple[bool, bool, float]]] = {}
    for picture in labels["images"]:
        marked = [one for one in labels["annotations"] if one["image_id"] == picture["id"]]
        image = images.load(folder / "images" / picture["file_name"])
        (found,) = systems.detector.detect([image])
        boxes = np.array([one["bbox"] for one in marked], np.float32).reshape(-1, 4)
        spots = place(np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1), found.boxes).face
        for spec in systems.specs:
            (faces,) = systems.refined(spec, [image], [found])
            for one, row in zip(marked, spots, strict=True):
                if row >= 0:
                    rows.setdefault((spec, names[one["category_id"]]), []).append(judged(found, faces, row))
    print("\nFaces of scenes_masked: refined, still a face's geometry, and moved, in percent\n")
    print("| points | label | faces | refined | a face's geometry | moved: median | 95th percentile |")
    print("| --- " * 7 + "|")
    for (spec, label), values in sorted(rows.items()):
        used, sane, moved = (np.array(column) for column in zip(*values, strict=True))
        print(
            f"| {spec} | {label} | {len(values)} | {used.mean() * 100:.1f} | {sane.mean() * 100:.1f} | "
            f"{np.median(moved) * 100:.1f} | {np.percentile(moved, 95) * 100:.1f} |"
        )


def judged(found: Faces, faces: Faces, row: int) -> tuple[bool, bool, float]:
    """Whether refined, whether a face's geometry, and how far the points moved, in sides of the box."""
    before, after = found[row], faces[row]
    assert before.landmarks is not None and after.landmarks is not None
    side = float((before.box[2:] - before.box[:2]).max())
    moved = float(np.linalg.norm(after.landmarks - before.landmarks, axis=1).mean()) / side
    return bool(after.refinement and after.refinement.used), is_sane(after.landmarks, before.box), moved


def is_sane(points: Float32, box: Float32) -> bool:
    """Inside the box and a tenth around it; the eyes above nose and mouth, each point on its side."""
    size = box[2:] - box[:2]
    inside = ((points > box[:2] - size / 10) & (points < box[2:] + size / 10)).all()
    angle = float(roll(points))
    upright = points @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    right_eye, left_eye, nose, right_mouth, left_mouth = upright
    apart = (left_eye - right_eye)[0] > size.max() / 8 and left_mouth[0] > right_mouth[0]
    below = max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    return bool(inside and apart and below)


def cost(systems: Systems, paths: Iterable[Path]) -> None:
    """Processor time of this thread a face, least of five rounds over the same faces, eight at a time."""
    pictures = [images.load(path) for path in paths]
    batches = [pictures[i : i + 8] for i in range(0, len(pictures), 8)]
    found = [systems.found(batch) for batch in batches]
    crops = [aligned(b, f, range(len(b))) for b, f in zip(batches, found, strict=True)]
    networks = {"SFace, exact": SFace(SFaceConfig("exact")), "SFace, balanced": SFace()}
    kinds: dict[str, Callable[[int], object]] = {
        name: lambda i, one=one: one.embed(crops[i])  # type: ignore[misc]
        for name, one in networks.items()
    }
    kinds |= {
        spec: lambda i, spec=spec: systems.refined(spec, batches[i], found[i])  # type: ignore[misc]
        for spec in systems.specs
        if spec != DETECTOR
    }
    spent = {name: [0.0] * 5 for name in kinds}
    for turn in range(-1, 5):
        for i in range(len(batches)):
            for name, call in kinds.items():
                start = time.thread_time()
                call(i)
                spent[name][max(turn, 0)] += (time.thread_time() - start) * (turn >= 0)
    least = {name: min(values) / len(pictures) for name, values in spent.items()}
    print(f"\nProcessor time a face, {len(pictures)} faces in batches of 8\n")
    print("| | ms | of SFace exact | of SFace balanced |\n" + "| --- " * 4 + "|")
    for name, value in least.items():
        of = [value / least[f"SFace, {precision}"] for precision in ("exact", "balanced")]
        print(f"| {name} | {value * 1e3:.2f} | {of[0]:.2f} | {of[1]:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--spec", action="append")
    parser.add_argument("--part", action="append", choices=PARTS)
    args = parser.parse_args()
    parts = args.part or PARTS
    systems = Systems(list(dict.fromkeys([DETECTOR, *(args.spec or SPECS)])), args.keep)
    lfw = people.open_people(args.data / "lfw" / "images")
    listed = pairs.read_pairs(args.data / "lfw" / "pairs.csv")
    if {"rates", "tilts", "profiles"} & set(parts):
        least = rates(systems, lfw)
    if "tilts" in parts:
        tilts(systems, lfw, listed, least)
    if "small" in parts:
        small(systems, lfw, listed)
    if "profiles" in parts:
        profiles(systems, lfw, least)
    if "masks" in parts:
        masks(systems, args.data / "scenes_masked")
    if "cost" in parts:
        cost(systems, lfw.pictures[:64])


if __name__ == "__main__":
    main()
