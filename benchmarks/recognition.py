"""Recognition on folders of people: listed pairs, all comparisons and open set, for several systems.

    python -m benchmarks.recognition --data LFW_IMAGES --pairs pairs.txt [--keep DIR] [--system NAME ...]
        [--records DIR]

Systems: ``yunet`` (detector) + SFace; ``flip``, which sums face and mirror image; ``centerface``, another
detector; ``unaligned``, where the crop is the square around YuNet's box, neither turned nor shifted to the
landmarks; ``dlib``, face_recognition's detector and embedder where dlib and its models are installed.
All float32. Prints Markdown tables. ``--keep`` stores embeddings there, and reads them on the next run.
``--records`` saves all comparisons of each system there, for ``lineament evaluate compare``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer
from lineament.answers import plain
from lineament.evaluation import all_comparisons, gallery_split, identification, pairs, people, verification
from lineament.evaluation.capture import Captures, Failure, capture, rate_key
from lineament.evaluation.record import EvaluationRecord
from lineament.geometry.alignment import ARCFACE_112
from lineament.registry import detectors
from lineament.scoring.rate import Rate
from lineament.types import Faces, Image, ModelId

SYSTEMS = ("yunet", "flip", "centerface", "unaligned", "dlib")
HELD_BACK = 200


class Unaligned:
    """A detector whose landmarks are where they would lie in an upright, centred face of the box."""

    gives_landmarks = True

    def __init__(self, base: str) -> None:
        self._base = detectors.create(base)

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        return [self._straight(faces) for faces in self._base.detect(images)]

    def _straight(self, faces: Faces) -> Faces:
        boxes = faces.boxes
        side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        points = centre[:, None] + (ARCFACE_112 - 56)[None] * (side / 112)[:, None, None]
        return replace(faces, landmarks=points.astype(np.float32))


def captured(system: str, pictures: people.LabelledPictures, keep: Path | None) -> Captures | None:
    file = None if keep is None else keep / f"{system}.npz"
    if file is not None and file.exists():
        kept = np.load(file)
        failures = tuple(Failure(str(name), "failed", "", False) for name in kept["failed"])
        return Captures(kept["embeddings"], failures, ModelId(str(kept["name"]), str(kept["sha256"])))
    if system == "dlib":
        found = dlib_captures(pictures)
        if found is None:
            return None
    else:
        detector = {"centerface": "centerface", "unaligned": Unaligned("yunet")}.get(system, "yunet")
        flip = system == "flip"
        with Analyzer(detector, "sface", precision="exact", quality=False, flip=flip) as analyzer:
            found = capture(analyzer, pictures.pictures)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        failed = np.array([failure.source for failure in found.failures], str)
        np.savez(
            file,
            embeddings=found.embeddings,
            failed=failed,
            name=found.model.name,
            sha256=found.model.sha256,
        )
    return found


def dlib_captures(pictures: people.LabelledPictures) -> Captures | None:
    """face_recognition's pipeline (HOG detector, 5 points, ResNet of 128), written with dlib itself."""
    try:
        import dlib
        import face_recognition_models as models
    except ImportError as error:
        print(f"(dlib left out: {error})\n")
        return None
    from lineament.io import images

    detect = dlib.get_frontal_face_detector()
    place = dlib.shape_predictor(models.pose_predictor_five_point_model_location())
    network = dlib.face_recognition_model_v1(models.face_recognition_model_location())
    rows = np.full((len(pictures), 128), np.nan, np.float32)
    failures = []
    for row, path in enumerate(pictures.pictures):
        pixels = np.ascontiguousarray(images.load(path).pixels)
        height, width = pixels.shape[:2]
        boxes = detect(pixels, 1)
        if not boxes:
            failures.append(Failure(str(path), "NoFaceFound", "", False))
            continue

        def off_centre(box: object, middle: tuple[float, float] = (width / 2, height / 2)) -> float:
            centre = box.center()  # type: ignore[attr-defined]
            return (centre.x - middle[0]) ** 2 + (centre.y - middle[1]) ** 2

        vector = np.array(
            network.compute_face_descriptor(pixels, place(pixels, min(boxes, key=off_centre)))
        )
        # It compares by Euclidean distance: a cosine after scaling to unit length is nearly the same order.
        rows[row] = vector / np.linalg.norm(vector)
    return Captures(rows, tuple(failures), ModelId("dlib", "0" * 64))


def cell(rate: Rate | None, percent: int = 2) -> str:
    if rate is None:
        return "-"
    return f"{rate.value * 100:.{percent}f} ({rate.low * 100:.{percent}f} to {rate.high * 100:.{percent}f})"


def listed_row(system: str, listed: pairs.PairList, names: Sequence[str], found: Captures) -> None:
    place = {name: row for row, name in enumerate(names)}
    picked = found.embeddings[[place[name] for name in listed.pictures]]
    report = verification.score(listed, Captures(picked, (), found.model))
    failed = int(np.isnan(picked).any(axis=1).sum())
    at = {rate_key(p.target_rate): p.fnmr.rate for p in report.listed}
    print(
        f"| {system} | {failed} | {cell(report.accuracy_rate)} | {cell(report.eer)} | {cell(at['1e-2'])} |",
        flush=True,
    )


def record(system: str, report: all_comparisons.AllComparisonsReport) -> EvaluationRecord:
    """As `lineament evaluate verification --all --save` writes it, without figures."""
    return EvaluationRecord(
        kind="verification",
        title=report.people.title,
        protocol={"data": report.people.digest(), "comparisons": "all"},
        system={"system": system, "embedder": report.captures.model.name, "precision": "exact"},
        answer={**plain(report.to_json()), "failures": {"failures": len(report.captures.failures)}},
        clusters=report.clusters(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--records", type=Path)
    parser.add_argument("--system", action="append", choices=SYSTEMS)
    args = parser.parse_args()
    pictures = people.open_people(args.data)
    listed = pairs.read_pairs(args.pairs)
    systems = {name: captured(name, pictures, args.keep) for name in args.system or SYSTEMS}
    done = {name: found for name, found in systems.items() if found is not None}
    mated = int(listed.same.sum())
    print(f"Listed pairs: {mated} mated, {len(listed) - mated} non-mated; percent, 95 % intervals\n")
    print("| system | failures to acquire | accuracy | EER | FNMR at FMR 1 % |\n" + "| --- " * 5 + "|")
    for name, found in done.items():
        listed_row(name, listed, pictures.names, found)
    print("\nAll comparisons: FNMR in percent at FMR\n")
    reports = {name: all_comparisons.score(pictures, found) for name, found in done.items()}
    for name, report in reports.items() if args.records else ():
        args.records.mkdir(parents=True, exist_ok=True)
        record(name, report).save(args.records / f"{name}.json")
    rates = [p.target_rate for p in next(iter(reports.values())).points]
    print("| system | failures | EER | " + " | ".join(f"{rate:g}" for rate in rates) + " |")
    print("| --- " * (3 + len(rates)) + "|")
    for name, report in reports.items():
        cells = [cell(p.fnmr.rate) for p in report.points]
        print(
            f"| {name} | {len(report.captures.failures)} | {cell(report.eer)} | " + " | ".join(cells) + " |"
        )
    first = next(iter(reports.values()))
    print(f"\n{len(first.found.mated):,} mated and {first.found.total:,} non-mated comparisons")
    for reason in first.unsupported.values():
        print(f"unsupported: {reason}")
    print(f"\nOpen set, {HELD_BACK} people held back: rank 1 (closed set), FNIR at FPIR 10 %, percent\n")
    print(
        "| system | photos enrolled | enrolled | rank 1 | threshold | FPIR | FNIR |\n" + "| --- " * 7 + "|"
    )
    grown = []
    for name, found in done.items():
        for photos in (1, 3):
            parts = gallery_split.split_pictures(pictures, hold_back=HELD_BACK, gallery_photos=photos)
            report_1n = identification.score(parts, found, measured_on="this table")
            point = report_1n.points[0] if report_1n.points else None
            print(
                f"| {name} | {photos} | {len(parts.enrolled)} | {cell(report_1n.rank1.rate)} | "
                + (
                    f"{point.threshold.value:.4f} | {cell(point.fpir.rate)} | {cell(point.fnir.rate)} |"
                    if point
                    else "- | - | - |"
                )
            )
            if name == "yunet":
                grown.append((photos, report_1n))
    for photos, report_1n in grown:
        print(f"\nFPIR over the size of the gallery, yunet, {photos} enrolled a person\n")
        if report_1n.growth is not None:
            print(f"threshold {report_1n.growth.threshold.value:.4f}, FMR {report_1n.growth.fmr:.3g}")
            print("| enrolled | measured, percent | predicted |\n| --- | --- | --- |")
            for step in report_1n.growth.steps:
                print(f"| {step.enrolled} | {cell(step.fpir)} | {step.predicted * 100:.2f} |")
    for reason in grown[0][1].unsupported.values() if grown else ():
        print(f"unsupported: {reason}")


if __name__ == "__main__":
    main()
