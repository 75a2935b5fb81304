"""What the test of a page lays down in place of the reader's pictures; a script for the page's comments.

stand_ins.py people FOLDER --people 3 --photos 8      a folder a person, the sample photos, bent and relit
stand_ins.py strangers FOLDER --photos 6              photos of somebody who is not of the first two people
stand_ins.py faces FOLDER --photos 24                 photos with a face, and labels.csv: image, gender, age
stand_ins.py scenes FOLDER --photos 24                squares with one face or none, with LabelMe's files
stand_ins.py video FILE --seconds 6                   somebody before a camera, then nobody
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from lineament.io import images
from lineament.registry import detectors
from lineament.types import Image, UInt8

SAMPLES = Path(__file__).parents[2] / "samples"
PEOPLE = {
    "Obama": ("obama_2009_congress", "obama_2010_white_house", "obama_2012_portrait"),
    "Biden": ("biden_2010_white_house", "biden_2013_portrait"),
    "Collins": ("collins_nasa",),
}


def photo(name: str, height: int = 420) -> UInt8:
    """A sample photo, shrunk to so many pixels of height."""
    pixels = images.load(next(SAMPLES.glob(f"{name}.*"))).pixels
    width = round(pixels.shape[1] * height / pixels.shape[0])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def varied(pixels: UInt8, number: int) -> UInt8:
    """The photo bent, tilted and lit from another side, until it is no longer the same picture."""
    h, w = pixels.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    side = 1 - 2 * (number % 2)
    bent = x + side * 0.035 * w * np.sin(2 * np.pi * (y / h * 2 + number / 3))
    lifted = y + 0.03 * h * np.sin(2 * np.pi * (x / w * 2 + number / 5))
    warped = cv2.remap(pixels, bent, lifted, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), side * (4 + 3 * number), 1.0)
    warped = cv2.warpAffine(warped, turn, (w, h), borderMode=cv2.BORDER_REFLECT)
    light = np.linspace(0.5, 1.3, w)[None, ::side, None]
    return np.asarray(np.clip(warped * light, 0, 255), np.uint8)


def people(folder: Path, people: int, photos: int) -> None:
    """A folder a person with so many photos each."""
    for name in list(PEOPLE)[:people]:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(photos):
            source = PEOPLE[name][number % len(PEOPLE[name])]
            pixels = photo(source, 600 if "white_house" in source else 420)
            images.save(
                folder / name / f"{number}.jpg", varied(pixels, number // len(PEOPLE[name])), quality=95
            )


def strangers(folder: Path, photos: int) -> None:
    """Photos of the last person of `PEOPLE`, whom ``people --people 2`` leaves out."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(photos):
        images.save(folder / f"{number}.jpg", varied(photo(PEOPLE["Collins"][0]), number), quality=95)


def faces(folder: Path, photos: int) -> None:
    """Photos with one face each, and a table that says of each a gender and an age; one cell is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"Obama": ("male", 48), "Biden": ("male", 70), "Collins": ("female", 38)}
    named = [(name, who) for who, names in PEOPLE.items() for name in names]
    lines = ["image,gender,age"]
    for number in range(photos):
        name, who = named[number % len(named)]
        gender, age = told[who]
        pixels = photo(name, 600 if "white_house" in name else 420)
        images.save(folder / f"{number:03}.jpg", varied(pixels, number // len(named)), quality=95)
        lines.append(f"{number:03}.jpg,{gender},{age if number else ''}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def scenes(folder: Path, photos: int, side: int = 96) -> None:
    """Squares, every second with a face somewhere in it, whose box stands in a LabelMe file beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    finder = detectors.create("yunet")
    names = [name for names in PEOPLE.values() for name in names]
    rng = np.random.default_rng(0)
    for number in range(photos):
        pixels = varied(photo(names[number % len(names)], 300), number // len(names) % 4)
        (faces,) = finder.detect([Image.from_array(pixels, order="rgb")])
        x1, y1, x2, y2 = faces.boxes[0]
        h, w = pixels.shape[:2]
        if number % 2:
            least = int(min(max(x2 - x1, y2 - y1) * 1.2, h, w))
            length = int(rng.integers(least, max(least + 1, min(h, w))))
            left = int(np.clip(rng.uniform(x2 - length, x1), 0, w - length))
            top = int(np.clip(rng.uniform(y2 - length, y1), 0, h - length))
        else:
            length = int(min(h - y2, h * 0.4))
            left, top = int(rng.integers(0, w - length)), h - length
        square = pixels[top : top + length, left : left + length]
        path = folder / f"{number:04}.jpg"
        shrunk = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
        images.save(path, np.asarray(shrunk, np.uint8), quality=95)
        if number % 2:
            scale = side / length
            box = np.array([[x1 - left, y1 - top], [x2 - left, y2 - top]]) * scale
            _labelme(path, box.clip(0, side), side)


def _labelme(path: Path, corners: np.ndarray, side: int) -> None:
    shape = {
        "label": "face",
        "points": corners.tolist(),
        "group_id": None,
        "shape_type": "rectangle",
        "flags": {},
    }
    told = {"version": "5.4.1", "flags": {}, "shapes": [shape], "imagePath": path.name, "imageData": None}
    size = {"imageHeight": side, "imageWidth": side}
    path.with_suffix(".json").write_text(json.dumps({**told, **size}), encoding="utf-8")


def video(file: Path, seconds: int, rate: int = 5) -> None:
    """An MP4 of a face that moves for the first two thirds, and of an empty wall."""
    import av

    base = photo("obama_2012_portrait", 240)
    h, w = (side // 2 * 2 for side in base.shape[:2])
    wall = np.broadcast_to(np.linspace(60, 190, w)[None, :, None], (h, w, 3)).astype(np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as film:
        stream = film.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
        for number in range(seconds * rate):
            shown = varied(base, number)[:h, :w] if number < seconds * rate * 2 / 3 else wall
            for packet in stream.encode(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="rgb24")
            ):
                film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=("people", "strangers", "faces", "scenes", "video"))
    parser.add_argument("target", type=Path)
    for name, default in (("people", 3), ("photos", 8), ("seconds", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    written: dict[str, Callable[[], None]] = {
        "people": lambda: people(args.target, args.people, args.photos),
        "strangers": lambda: strangers(args.target, args.photos),
        "faces": lambda: faces(args.target, args.photos),
        "scenes": lambda: scenes(args.target, args.photos),
        "video": lambda: video(args.target, args.seconds),
    }
    written[args.kind]()


if __name__ == "__main__":
    main()
