"""Pictures a second of the whole pipeline against a plain OpenCV loop with the same weights.

    python benchmarks/pipeline.py --data DIR [--rounds 5] [--pictures 500] [--no-accuracy]

DIR holds ``photos/`` (pictures of any size) and ``lfw/images/`` with ``lfw/pairs.csv``. Every system reads
the same files and detects, aligns and embeds every face. The systems take turns round by round, so a busy
machine slows all of them; medians and ratios are printed, on the clock and by processor time. Then: are the
embeddings the same, what does each precision cost in accuracy, where does the time go, and how far is the
total from the bare kernels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np

from lineament import steps
from lineament.analyzer import Analyzer
from lineament.evaluation import pairs, verification
from lineament.geometry.boxes import iou
from lineament.io import assets, catalog, images
from lineament.io.onnx import Precision, cores
from lineament.types import Faces

CORES = cores()
SCORE = 0.6


def opencv_loop(paths: Sequence[Path]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What one writes with OpenCV alone: boxes and embeddings of each picture."""
    cv2.setNumThreads(CORES)
    for path in paths:
        picture = cv2.imread(str(path))
        if picture is None:
            yield np.zeros((0, 4)), np.zeros((0, 128))
            continue
        OPENCV["detector"].setInputSize((picture.shape[1], picture.shape[0]))
        found = OPENCV["detector"].detect(picture)[1]
        rows = np.zeros((0, 15), np.float32) if found is None else found
        recogniser = OPENCV["recogniser"]
        vectors = [recogniser.feature(recogniser.alignCrop(picture, row)).copy() for row in rows]
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        yield boxes, np.concatenate(vectors) if vectors else np.zeros((0, 128))


OPENCV: dict[str, Any] = {}


def open_opencv() -> None:
    detector = str(assets.fetch(catalog.card("yunet")))
    OPENCV["detector"] = cv2.FaceDetectorYN.create(detector, "", (320, 320), SCORE, 0.3, 5000)
    OPENCV["recogniser"] = cv2.FaceRecognizerSF.create(str(assets.fetch(catalog.card("sface"))), "")


def with_face_recognition(paths: Sequence[Path]) -> Callable[[], int]:
    """dlib's HOG detector, 5 points and ResNet, as the package face_recognition uses them."""
    import dlib
    import face_recognition_models as weights

    detector = dlib.get_frontal_face_detector()
    points = dlib.shape_predictor(weights.pose_predictor_five_point_model_location())
    network = dlib.face_recognition_model_v1(weights.face_recognition_model_location())

    def run() -> int:
        faces = 0
        for path in paths:
            picture = images.load(path).pixels
            for box in detector(picture, 1):
                network.compute_face_descriptor(picture, points(picture, box), 1)
                faces += 1
        return faces

    return run


def with_deepface(paths: Sequence[Path]) -> Callable[[], int]:
    """DeepFace with the same detector and embedder; it looks for their files in its own folder."""
    from deepface import DeepFace

    def run() -> int:
        return sum(
            len(
                DeepFace.represent(
                    str(path), model_name="SFace", detector_backend="yunet", enforce_detection=False
                )
            )
            for path in paths
        )

    return run


def turns(systems: dict[str, Callable[[], int]], rounds: int, pictures: int) -> dict[str, float]:
    """Median pictures a second of each system over interleaved rounds."""
    seconds: dict[str, list[float]] = defaultdict(list)
    busy: dict[str, list[float]] = defaultdict(list)
    faces: dict[str, int] = {}
    for _ in range(rounds):
        for name, run in systems.items():
            start, used = time.perf_counter(), time.process_time()
            faces[name] = run()
            seconds[name].append(time.perf_counter() - start)
            busy[name].append(time.process_time() - used)
    speeds = {name: pictures / statistics.median(s) for name, s in seconds.items()}
    base = statistics.median(seconds["OpenCV loop"])
    base_busy = statistics.median(busy["OpenCV loop"])
    print(f"| system | faces | pictures/s | x the OpenCV loop (rounds) | processor time |\n|{'---|' * 5}")
    for name, values in seconds.items():
        ratios = [a / b for a, b in zip(seconds["OpenCV loop"], values, strict=True)]
        spread = f"{base / statistics.median(values):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        by_processor = base_busy / statistics.median(busy[name])
        print(f"| {name} | {faces[name]} | {speeds[name]:.1f} | {spread} | {by_processor:.2f} |")
    return speeds


def count(analyzer: Analyzer, paths: Sequence[Path]) -> Callable[[], int]:
    return lambda: sum(len(outcome.faces) for outcome in analyzer.analyze(paths))


def optional(name: str, make: Callable[[Sequence[Path]], Callable[[], int]], paths: Sequence[Path]) -> Any:
    try:
        run = make(paths)
        run()
    except Exception as error:
        print(f"- {name}: skipped: {type(error).__name__}: {str(error).splitlines()[0]}")
        return None
    return run


def compare_embeddings(paths: Sequence[Path], label: str, precision: str, longest: int) -> None:
    """Cosine between our embedding and the loop's, for faces that both find."""
    with Analyzer(
        f"yunet:score={SCORE}", quality=False, precision=precision, pipeline="classic"
    ) as analyzer:
        ours = [o.faces for o in analyzer.analyze(paths)]
    cosines: dict[bool, list[float]] = {True: [], False: []}
    only = 0
    for path, faces, (boxes, vectors) in zip(paths, ours, opencv_loop(paths), strict=True):
        small = max(cv2.imread(str(path)).shape[:2]) <= longest if len(boxes) else True
        unmatched, matched = match(faces, boxes, vectors)
        only += unmatched
        cosines[small] += matched
    for small, values in cosines.items():
        if values:
            what = f"sides up to {longest} px" if small else "larger pictures (seen shrunk and in tiles)"
            print(
                f"- {label}, {precision}, {what}: {len(values)} common faces, cosine min {min(values):.6f} "
                f"median {statistics.median(values):.6f}"
            )
    print(f"- {label}, {precision}: {only} faces that only one of the two found")


def match(faces: Faces, boxes: np.ndarray, vectors: np.ndarray) -> tuple[int, list[float]]:
    if not len(faces) or not len(boxes):
        return len(faces) + len(boxes), []
    overlap = iou(faces.boxes, boxes.astype(np.float32))
    best = overlap.argmax(axis=1)
    rows = np.flatnonzero(overlap.max(axis=1) > 0.5)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert faces.embeddings is not None
    same = (faces.embeddings[rows] * units[best[rows]]).sum(axis=1)
    return len(faces) + len(boxes) - 2 * len(rows), [float(v) for v in same]


class Clock:
    """Adds up the time spent in wrapped functions, one thread only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - start

        return timed


class TimedSession:
    """A session whose runs are timed."""

    def __init__(self, session: Any, clock: Clock, name: str) -> None:
        self.run = clock.around(name, session.run)


@contextmanager
def timed_parts(analyzer: Any, clock: Clock) -> Iterator[None]:
    """Time decoding, warping and the two networks inside an analyzer."""
    load, cut = images.load, steps.cut
    detector, embedder = analyzer.detector, analyzer.embedder
    sessions = detector._session, embedder._session
    images.load = clock.around("decode", load)  # type: ignore[assignment]
    steps.cut = clock.around("align: warp", cut)  # type: ignore[assignment]
    detector._session = TimedSession(sessions[0], clock, "detect: network")
    embedder._session = TimedSession(sessions[1], clock, "embed: network")
    detect, embed = detector.detect, embedder.embed
    detector.detect = clock.around("detect", detect)
    embedder.embed = clock.around("embed", embed)
    try:
        yield
    finally:
        images.load, steps.cut = load, cut  # type: ignore[assignment]
        detector._session, embedder._session = sessions
        del detector.detect, embedder.embed


def stages(paths: Sequence[Path], label: str, precision: str, speed: float) -> None:
    """Where one thread spends its time, and the share of the bare kernels in it."""
    with Analyzer(
        f"yunet:score={SCORE}", quality=False, precision=precision, workers=1, pipeline="classic"
    ) as analyzer:
        list(analyzer.analyze(paths))
        clock = Clock()
        with timed_parts(analyzer, clock):
            start = time.perf_counter()
            list(analyzer.analyze(paths))
            total = time.perf_counter() - start
    s = clock.seconds
    rows = {
        "decode": s["decode"],
        "detect: network": s["detect: network"],
        "detect: tiles, candidates, suppression": s["detect"] - s["detect: network"],
        "align: warp": s["align: warp"],
        "embed: network": s["embed: network"],
        "embed: copies": s["embed"] - s["embed: network"],
    }
    rows["analyzer"] = total - sum(rows.values())
    print(f"\n{label}, {precision}, one thread\n\n| stage | ms a picture | share |\n|---|---|---|")
    for name, seconds in rows.items():
        print(f"| {name} | {1000 * seconds / len(paths):.2f} | {100 * seconds / total:.1f} % |")
    kernels = sum(rows[k] for k in ("decode", "detect: network", "align: warp", "embed: network"))
    bound = CORES * len(paths) / kernels
    print(
        f"\nBare kernels are {100 * kernels / total:.1f} % of one thread's time. All {CORES} cores of bare "
        f"kernels would do {bound:.1f} pictures/s; measured {speed:.1f}, {100 * speed / bound:.0f} %."
    )


def accuracy(data: Path, precision: str) -> None:
    with Analyzer(quality=False, precision=precision, pipeline="classic") as analyzer:
        listed = pairs.read_pairs(data / "pairs.csv")
        report = verification.evaluate(listed, data / "images", analyzer)
    assert report.accuracy is not None
    fnmr = ", ".join(f"{p.fnmr.value:.4f} at FMR {p.target_rate:g}" for p in report.listed if p.supported)
    print(
        f"- {precision}: accuracy {report.accuracy.mean:.4f} (standard error "
        f"{report.accuracy.standard_error:.4f}), FNMR {fnmr}, {len(report.captures.failures)} failures"
    )


PINNED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def unpin() -> None:
    """Start over without OpenBLAS pinned to another processor's kernels: that slows all who use it.

    It is read when NumPy is loaded, so by now it is too late for this process.
    """
    if any(name in os.environ for name in PINNED):
        kept = {name: value for name, value in os.environ.items() if name not in PINNED}
        os.execve(sys.executable, [sys.executable, *sys.argv], kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=500, help="how many of LFW")
    parser.add_argument("--no-accuracy", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    unpin()

    open_opencv()
    photos = [p for p in sorted((args.data / "photos").iterdir()) if cv2.imread(str(p)) is not None]
    lfw = sorted((args.data / "lfw" / "images").rglob("*.jpg"))
    lfw = lfw[:: max(1, len(lfw) // args.pictures)][: args.pictures]
    ours = {
        p: Analyzer(f"yunet:score={SCORE}", quality=False, precision=p, pipeline="classic")
        for p in get_args(Precision)
    }
    quick = Analyzer(f"yunet:score={SCORE},precision=fast", quality=False, pipeline="classic")
    for label, paths in (("photos", photos), (f"{len(lfw)} of LFW", lfw)):
        print(f"\n## {label}: {len(paths)} pictures, {CORES} cores, {args.rounds} rounds\n")
        systems: dict[str, Callable[[], int]] = {
            "OpenCV loop": lambda paths=paths: sum(len(b) for b, _ in opencv_loop(paths)),  # type: ignore[misc]
        } | {f"lineament {p}": count(analyzer, paths) for p, analyzer in ours.items()}
        systems["lineament balanced, detector fast"] = count(quick, paths)
        if not args.no_peers:
            few = paths[:50]
            peers = {"dlib": with_face_recognition, "DeepFace": with_deepface}
            found = {name: optional(name, make, few) for name, make in peers.items()}
            if any(found.values()):
                print(f"\nPeers, on {len(few)} pictures, 1 round:\n")
                few_systems = {
                    "OpenCV loop": lambda few=few: sum(len(b) for b, _ in opencv_loop(few)),
                    "lineament balanced": count(ours["balanced"], few),
                }
                turns(few_systems | {n: r for n, r in found.items() if r}, 1, len(few))
                print()
        for run in systems.values():
            run()
        speeds = turns(systems, args.rounds, len(paths))
        print()
        for precision in ours:
            compare_embeddings(paths, label, precision, 1280)
        for precision in ours:
            stages(paths, label, precision, speeds[f"lineament {precision}"])
    if not args.no_accuracy:
        print("\n## LFW folds of pairs.csv\n")
        for precision in ours:
            accuracy(args.data / "lfw", precision)


if __name__ == "__main__":
    main()
