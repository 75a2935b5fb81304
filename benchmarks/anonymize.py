"""What is left of masked faces: found by another detector, matched above the threshold, for each method.

``python -m benchmarks.anonymize --data DIR`` reads ``DIR/photos``, LFW (``DIR/lfw/images``) and
``DIR/videos``. Blur is measured beside our methods, to show what the figures say of it.

- ``found``: faces that CenterFace finds in the photo, and of these, those that it finds again once it is
  masked by what YuNet found: missed by YuNet, or seen in the mask.
- ``matched``: faces that YuNet finds in the photo, aligned in the masked one by the landmarks they had (an
  attacker who knows them), compared with their own embedding, at the card's threshold for FMR 0.001; beside
  it, with an empty patch in its place: what the embedder says of anybody.
- ``found and matched``: the same without that knowledge: YuNet looks at the masked photo itself.
- ``videos``: frames in which CenterFace finds a face, before and after `mask_film`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from lineament.analyzer import Analyzer
from lineament.anonymizing import MaskSettings, Method, mask_film, masked
from lineament.cli.anonymize import DETECTOR
from lineament.gallery.searching import measured_threshold
from lineament.geometry.boxes import clip, expand, iou
from lineament.geometry.crops import cut_aligned
from lineament.io.video import frames
from lineament.protocols import Embedder
from lineament.scoring.intervals import wilson
from lineament.types import Faces, Float32, Image, UInt8

Mask = Callable[[UInt8, Float32], UInt8]


def blurred(sigma: float) -> Mask:
    """A blur of the dilated box, its standard deviation a share of the box's width."""

    def mask(pixels: UInt8, boxes: Float32) -> UInt8:
        out, (height, width) = pixels.copy(), pixels.shape[:2]
        for x1, y1, x2, y2 in clip(expand(boxes, 1.3), (width, height)).astype(int):
            if x2 > x1 and y2 > y1:
                out[y1:y2, x1:x2] = cv2.GaussianBlur(out[y1:y2, x1:x2], (0, 0), sigma * (x2 - x1))
        return out

    return mask


METHODS: dict[str, Mask] = {
    **{method.value: (lambda p, b, m=method: masked(p, b, MaskSettings(m))) for method in Method},
    "blur 4 %": blurred(0.04),
    "blur 10 %": blurred(0.1),
}


def similarities(embedder: Embedder, pixels: UInt8, faces: Faces) -> Float32:
    """Of each face to itself in changed pixels, by the landmarks it had."""
    assert faces.landmarks is not None and faces.embeddings is not None
    size = embedder.crop_size
    vectors = embedder.embed(cut_aligned(pixels, faces.landmarks, size))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray((units * faces.embeddings).sum(axis=1), np.float32)


def photos(name: str, files: Iterable[Path]) -> None:
    """The three measures over some photos."""
    known = Analyzer("yunet", workers=1, keep_images=True)
    other = Analyzer("centerface", None, quality=False, workers=1).detector
    loose = Analyzer(DETECTOR, None, quality=False, workers=1).detector
    embedder = known.embedder
    assert embedder is not None
    threshold = measured_threshold(embedder.model, 1e-3)
    counts: Counter[str] = Counter()
    for file in files:
        outcome = known.analyze_one(file)
        if outcome.image is None:
            counts["refused"] += 1
            continue
        image, faces = outcome.image, outcome.faces
        [seen], [boxes] = other.detect([image]), loose.detect([image])
        counts["pictures"] += 1
        counts["seen"] += len(seen)
        counts["missed"] += int((iou(seen.boxes, boxes.boxes).max(axis=1, initial=0) < 0.1).sum())
        counts["faces"] += len(faces)
        if len(faces):
            empty = similarities(embedder, np.full_like(image.pixels, 128), faces)
            counts["grey patch matched"] += int((empty >= threshold.value).sum())
        for method, mask in METHODS.items():
            hidden = Image(mask(image.pixels, boxes.boxes), image.source)
            [again] = other.detect([hidden])
            counts[f"{method} found"] += int(
                (iou(seen.boxes, again.boxes).max(axis=1, initial=0) >= 0.3).sum()
            )
            if not len(faces):
                continue
            same = similarities(embedder, hidden.pixels, faces)
            counts[f"{method} matched"] += int((same >= threshold.value).sum())
            left = known.analyze_one(hidden).faces
            if left.embeddings is not None and len(left):
                near = iou(faces.boxes, left.boxes) >= 0.3
                alike = faces.embeddings @ left.embeddings.T >= threshold.value
                counts[f"{method} both"] += int((near & alike).any(axis=1).sum())
    seen_, faces_ = counts["seen"], counts["faces"]
    print(
        f"{name}: {counts['pictures']} pictures ({counts['refused']} refused); CenterFace finds {seen_} "
        f"faces, {counts['missed']} of them not masked; YuNet {faces_}; an empty patch matches "
        f"{_share(counts['grey patch matched'], faces_)}"
    )
    for method in METHODS:
        print(
            f"  {method:10} found {_share(counts[f'{method} found'], seen_)}, matched "
            f"{_share(counts[f'{method} matched'], faces_)}, found and matched "
            f"{_share(counts[f'{method} both'], faces_)}"
        )


def videos(films: Iterable[Path], most: int) -> None:
    """Frames with a face for CenterFace, before and after."""
    other = Analyzer("centerface", None, quality=False, workers=1).detector
    for film in films:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "masked.mp4"
            done = mask_film(film, target, DETECTOR)
            step = max(1, done.frames // most)
            before, after = (
                [len(other.detect([image])[0]) for i, image in enumerate(frames(path)) if i % step == 0]
                for path in (film, target)
            )
        print(
            f"{film.name}: {done}; of {len(before)} frames looked at, a face in "
            f"{sum(n > 0 for n in before)} before, {sum(n > 0 for n in after)} after; "
            f"{sum(before)} and {sum(after)} faces",
            flush=True,
        )


def _share(count: int, of: int) -> str:
    if not of:
        return "-"
    interval = wilson(count / of, of)
    return f"{count}/{of} ({100 * count / of:.1f} %, {100 * interval.low:.1f} to {100 * interval.high:.1f})"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lfw", type=int, default=200, help="photos of LFW, one a person")
    parser.add_argument("--frames", type=int, default=60, help="frames of a video that are looked at")
    parser.add_argument("--only", choices=["photos", "lfw", "videos"])
    given = parser.parse_args()
    if given.only in (None, "photos"):
        photos("photos", sorted(p for p in (given.data / "photos").iterdir() if p.is_file()))
    if given.only in (None, "lfw"):
        people = sorted(p for p in (given.data / "lfw" / "images").iterdir() if p.is_dir())
        chosen = people[:: max(1, len(people) // given.lfw)][: given.lfw]
        photos("LFW", [min(person.glob("*.jpg")) for person in chosen])
    if given.only in (None, "videos"):
        videos(sorted((given.data / "videos").iterdir()), given.frames)


if __name__ == "__main__":
    main()
