"""A small folder a person, made of the sample photos at a size that is quick to search."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from lineament.io import images
from lineament.types import UInt8

SAMPLES = Path(__file__).parents[2] / "samples"


def photo(name: str, height: int = 420) -> UInt8:
    """A sample photo, shrunk to so many pixels of height."""
    file = next(SAMPLES.glob(f"{name}.*"))
    pixels = images.load(file).pixels
    width = round(pixels.shape[1] * height / pixels.shape[0])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def varied(pixels: UInt8, number: int) -> UInt8:
    """The photo in another light, tilt and place: a different picture of the same face."""
    h, w = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(
        (w / 2, h / 2), 7 * (-1) ** number * (1 + number // 2), 1 - 0.05 * number
    )
    moved = cv2.warpAffine(pixels, turn, (w, h), borderMode=cv2.BORDER_REPLICATE)
    light = np.linspace(0.5 + 0.1 * number, 1.2, w)[None, :, None]
    return np.asarray(np.clip(moved * light, 0, 255), np.uint8)


def beside(*pictures: UInt8) -> UInt8:
    """Pictures side by side on black, each as high as the highest."""
    height = max(p.shape[0] for p in pictures)
    return np.concatenate([np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0))) for p in pictures], axis=1)


def empty(size: int = 200) -> UInt8:
    """A picture without a face: one colour running into another."""
    ramp = np.linspace(0, 1, size)[:, None, None]
    return np.broadcast_to(40 + ramp * [150, 90, 60], (size, size, 3)).astype(np.uint8)


def people(folder: Path) -> Path:
    """Obama 3 photos and a group, Biden 2, Collins 1 and one without a face, a broken file."""
    written = {
        "Obama/a.jpg": photo("obama_2012_portrait"),
        "Obama/b.jpg": photo("obama_2009_congress"),
        "Obama/c.jpg": photo("obama_2010_white_house", 600),
        "Obama/group.jpg": beside(photo("biden_2013_portrait"), photo("obama_2012_portrait", 300), empty()),
        "Biden/a.jpg": photo("biden_2013_portrait"),
        "Biden/b.jpg": photo("biden_2010_white_house", 600),
        "Collins/a.png": photo("collins_nasa"),
        "Collins/none.jpg": empty(),
    }
    for name, pixels in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        images.save(folder / name, pixels, quality=95)
    (folder / "Biden" / "broken.jpg").write_bytes((folder / "Biden" / "a.jpg").read_bytes()[:900])
    return folder
