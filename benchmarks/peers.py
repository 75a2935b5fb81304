"""Other libraries on the same pairs: face_recognition (dlib) and DeepFace beside ours.

    python -m benchmarks.peers --data LFW_IMAGES --pairs pairs.txt [--fold 1] [--keep DIR]

``lineament`` is YuNet + SFace in float32; ``face_recognition`` its defaults (HOG detector, dlib's network),
compared by Euclidean distance; ``deepface`` its own pipeline (``DeepFace.represent``) with the same YuNet
and SFace weights as ours. Each needs its package; one that is missing is left out, and said. For every
system the face nearest the picture's centre counts. A picture without a face is a failure to acquire: its
pairs are non-matches in FMR and FNMR and errors in the accuracy. ``--keep`` stores embeddings there, and
reads them on the next run. ``--fold`` takes one fold alone, divided in two, because the accuracy of each
part needs a threshold from another; embeddings kept for one list of pairs do not serve another.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer
from lineament.evaluation import pairs
from lineament.evaluation.capture import capture
from lineament.io import assets, catalog, images
from lineament.io.folding import fold
from lineament.scoring import equal_error, intervals, operating_points
from lineament.scoring.rate import Rate
from lineament.scoring.verification import cross_validated_accuracy

Embed = Callable[[Path], np.ndarray | None]


@dataclass(frozen=True, slots=True)
class System:
    """``embed`` gives the vector of the central face or None; from ``default`` on it says match."""

    embed: Embed | None
    euclidean: bool
    default: float
    told: str


def nearest_centre(boxes: Sequence[tuple[float, float, float, float]], width: int, height: int) -> int:
    """The index of the box (x, y, w, h) whose middle is nearest the picture's."""
    return int(
        np.argmin([(x + w / 2 - width / 2) ** 2 + (y + h / 2 - height / 2) ** 2 for x, y, w, h in boxes])
    )


def with_face_recognition() -> System:
    """Locations and encodings with its defaults: HOG detector, five points, network of 128 numbers."""
    import face_recognition

    def embed(path: Path) -> np.ndarray | None:
        pixels = np.ascontiguousarray(images.load(path).pixels)
        places = face_recognition.face_locations(pixels)
        if not places:
            return None
        corners = [(left, top, right - left, bottom - top) for top, right, bottom, left in places]
        place = places[nearest_centre(corners, pixels.shape[1], pixels.shape[0])]
        return np.array(face_recognition.face_encodings(pixels, [place])[0])

    return System(embed, True, -0.6, "distance 0.6 (`tolerance`)")


def with_deepface() -> System:
    """It looks for weights in a folder of its own: ours are put there under the names it asks for."""
    home = Path(tempfile.mkdtemp())
    weights = home / ".deepface" / "weights"
    weights.mkdir(parents=True)
    shutil.copy(assets.fetch(catalog.card("yunet")), weights / "face_detection_yunet_2023mar.onnx")
    # Its own file is float32; ours is block-quantised, and onnxruntime opens it only once it is folded.
    fold(assets.fetch(catalog.card("sface")), weights / "face_recognition_sface_2021dec.onnx")
    os.environ["DEEPFACE_HOME"] = str(home)
    from deepface import DeepFace
    from deepface.modules.verification import find_threshold

    def embed(path: Path) -> np.ndarray | None:
        try:
            found = DeepFace.represent(str(path), model_name="SFace", detector_backend="yunet")
        except ValueError as error:  # its way to say that there is no face; anything else ends the run
            if "could not be detected" not in str(error):
                raise
            return None
        areas = [one["facial_area"] for one in found]
        height, width = images.load(path).pixels.shape[:2]
        picked = nearest_centre([(a["x"], a["y"], a["w"], a["h"]) for a in areas], width, height)
        return np.array(found[picked]["embedding"])

    threshold = 1 - float(find_threshold("SFace", "cosine"))
    return System(embed, False, threshold, f"cosine distance {1 - threshold:g}")


def ours() -> System:
    row = catalog.card("sface").threshold(1e-3)
    return System(None, False, row.value, f"similarity {row.value:.4f}, card, FMR 1e-3")


SYSTEMS: dict[str, Callable[[], System]] = {
    "lineament": ours,
    "face_recognition": with_face_recognition,
    "deepface": with_deepface,
}


def vectors(name: str, system: System, paths: Sequence[Path], keep: Path | None) -> np.ndarray:
    """One row a picture, NaN without a face."""
    file = None if keep is None else keep / f"{name}.npy"
    if file is not None and file.exists():
        return np.asarray(np.load(file))
    if system.embed is None:
        with Analyzer(precision="exact", quality=False, pipeline="classic") as analyzer:
            rows = capture(analyzer, paths).embeddings
    else:
        found = [system.embed(path) for path in paths]
        size = next(len(one) for one in found if one is not None)
        rows = np.stack([np.full(size, np.nan) if one is None else one for one in found])
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, rows)
    return rows


def scores_of(rows: np.ndarray, listed: pairs.PairList, euclidean: bool) -> np.ndarray:
    """Cosine similarity or minus the distance of each pair, -inf where a picture gave no face."""
    a, b = rows[listed.first], rows[listed.second]
    if euclidean:
        values = -np.linalg.norm(a - b, axis=1)
    else:
        values = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return np.where(np.isnan(values), -np.inf, values)


def table_row(
    name: str, system: System, rows: np.ndarray, listed: pairs.PairList
) -> tuple[str, np.ndarray]:
    scores = scores_of(rows, listed, system.euclidean)
    failed = np.isneginf(scores)
    same, who = listed.same, (listed.subjects[listed.first], listed.subjects[listed.second])
    accuracy = cross_validated_accuracy(scores, same, listed.folds, failed)
    errors = intervals.estimate(intervals.by_subjects(accuracy.wrong, *who)).rate.complement()
    mated, others, whose = scores[same], scores[~same], (who[0][~same], who[1][~same])
    [point] = operating_points.from_scores(mated, who[0][same], others, *whose, rates=(1e-2,))
    missed = intervals.estimate(intervals.by_subject(mated < system.default, who[0][same])).rate
    passed = intervals.estimate(intervals.by_subjects(others >= system.default, *whose)).rate
    cells = [
        name,
        f"{int(np.isnan(rows).any(axis=1).sum())} in {int(failed.sum())} pairs",
        told(replace(errors, value=accuracy.mean)),
        told(equal_error.listed(mated, who[0][same], others, *whose)),
        told(point.fnmr.rate),
        system.told,
        told(passed),
        told(missed),
    ]
    return "| " + " | ".join(cells) + " |", accuracy.wrong


def halves(listed: pairs.PairList, fold: int) -> pairs.PairList:
    """One fold alone as two: every other mated and every other non-mated pair."""
    rows = np.flatnonzero(listed.folds == fold)
    used, places = np.unique((listed.first[rows], listed.second[rows]), return_inverse=True)
    first, second = places.reshape(2, -1)
    same = listed.same[rows]
    half = np.where(same, np.cumsum(same), np.cumsum(~same)) % 2 + 1
    names = tuple(listed.pictures[i] for i in used)
    return pairs.PairList(names, first, second, same, half, listed.subjects[used])


def told(rate: Rate) -> str:
    return f"{rate.value * 100:.2f} ({rate.low * 100:.2f} to {rate.high * 100:.2f})"


COLUMNS = (
    "system",
    "failures to acquire",
    "accuracy",
    "EER",
    "FNMR at FMR 1 %",
    "its own threshold",
    "FMR there",
    "FNMR there",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--system", action="append", choices=SYSTEMS)
    parser.add_argument("--fold", type=int, help="only this fold, in two halves")
    args = parser.parse_args()
    listed = pairs.read_pairs(args.pairs)
    if args.fold is not None:
        listed = halves(listed, args.fold)
    paths = [args.data / name for name in listed.pictures]
    print(
        f"{len(listed):,} pairs of {len(paths):,} pictures, {len(set(listed.folds))} folds; percent, 95 %\n"
    )
    lines, wrong, left_out = [], {}, []
    for name in args.system or SYSTEMS:
        try:
            system = SYSTEMS[name]()
        except ImportError as error:
            left_out.append(f"{name} left out: {error}")
            continue
        line, wrong[name] = table_row(name, system, vectors(name, system, paths, args.keep), listed)
        lines.append(line)
    print("| " + " | ".join(COLUMNS) + " |\n" + "| --- " * len(COLUMNS) + "|")
    print("\n".join(lines))
    mine = wrong.pop("lineament", None)
    for name, theirs in wrong.items() if mine is not None else ():
        print(f"\nwrong pairs: lineament {mine.sum()}, {name} {theirs.sum()}, both {(mine & theirs).sum()}")
    print("\n".join(left_out))


if __name__ == "__main__":
    main()
