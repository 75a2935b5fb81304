"""Films made of the sample photos, with known truth: people who enter, leave, cross, blur, and cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.gallery.gallery import Gallery
from lineament.io import images
from lineament.types import Float32, UInt8

av = pytest.importorskip("av", reason="not installed: av (pip install 'lineament[video]')")

SAMPLES = Path(__file__).parents[2] / "samples"
WIDTH, HEIGHT, RATE = 480, 270, 25
ENROLLED = {"Obama": "obama_2012_portrait.jpg", "Biden": "biden_2013_portrait.jpg"}
SEEN = {
    "Obama": "obama_2009_congress.jpg",
    "Biden": "biden_2010_white_house.jpg",
    "stranger": "collins_nasa.png",
}


@cache
def analyzer() -> Analyzer:
    """One for all tests: networks are loaded once."""
    return Analyzer("yunet", workers=1)


@cache
def cut_out(name: str) -> tuple[UInt8, float]:
    """The head of a sample, 128 pixels wide, and which share of that the face's box is."""
    image = images.load(SAMPLES / name)
    faces = analyzer().detector.detect([image])[0]
    box = max(faces.boxes, key=lambda b: float((b[2] - b[0]) * (b[3] - b[1])))
    (x, y), side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
    half = 0.9 * side
    left, top = max(0, round(x - half)), max(0, round(y - half))
    head = image.pixels[top : round(y + half), left : round(x + half)]
    scale = 128 / head.shape[1]
    return cv2.resize(head, (128, round(head.shape[0] * scale)), interpolation=cv2.INTER_AREA), scale


@dataclass
class Film:
    """Frames and, for each, who is where; ``draw`` adds people in the order of their distance."""

    frames: list[UInt8] = field(default_factory=list)
    truth: list[dict[str, Float32]] = field(default_factory=list)

    def scene(
        self,
        seconds: float,
        paths: dict[str, Callable[[float], tuple[float, float] | None]],
        *,
        background: int = 0,
        blurred: Callable[[float], float] = lambda _: 0.0,
    ) -> Film:
        """Add a scene: for each person, where the middle of the head is at a time in it, None: nowhere.

        ``blurred`` gives the blur of all in it, a standard deviation in pixels.
        """
        room = np.random.default_rng(background).integers(40, 200, (6, 10, 3), np.uint8)
        wall = cv2.resize(room, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        for i in range(round(seconds * RATE)):
            frame, there = wall.copy(), {}
            for name, path in paths.items():
                at = path(i / RATE)
                if at is None:
                    continue
                head, _ = cut_out(SEEN[name])
                there[name] = _paste(frame, head, at)
            if blurred(i / RATE) > 0:
                frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), blurred(i / RATE)), np.uint8)
            self.frames.append(frame)
            self.truth.append({name: box for name, box in there.items() if box is not None})
        return self

    def write(self, path: Path, *, sound: str | None = None, codec: str = "libx264") -> Path:
        """The film as a file; with a tone of that kind for sound."""
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=RATE)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.options = {"preset": "ultrafast", "crf": "18"} if codec == "libx264" else {}
            heard = container.add_stream(sound, rate=16_000, layout="mono") if sound else None
            for frame in self.frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
            if heard is not None:
                wave = np.sin(np.arange(round(len(self.frames) / RATE * 16_000)) / 8).astype(np.float32)
                for at in range(0, len(wave), 1024):
                    tone = av.AudioFrame.from_ndarray(
                        *_heard(wave[None, at : at + 1024], heard.format.name), "mono"
                    )
                    tone.sample_rate, tone.pts = 16_000, at
                    container.mux(heard.encode(tone))
                container.mux(heard.encode(None))
        return path


def _heard(wave: Float32, kind: str) -> tuple[np.ndarray, str]:
    """A tone as an encoder wants it."""
    return (wave, kind) if kind == "fltp" else ((wave * 30_000).astype(np.int16), kind)


def _paste(frame: UInt8, head: UInt8, at: tuple[float, float]) -> Float32 | None:
    """Put a head into a frame, cut at its edges; the box of its face while most of it is to be seen."""
    height, width = head.shape[:2]
    left, top = round(at[0] - width / 2), round(at[1] - height / 2)
    x1, y1 = max(0, left), max(0, top)
    x2, y2 = min(WIDTH, left + width), min(HEIGHT, top + height)
    if x1 >= x2 or y1 >= y2:
        return None
    frame[y1:y2, x1:x2] = head[y1 - top : y2 - top, x1 - left : x2 - left]
    if (x2 - x1) * (y2 - y1) < 0.8 * width * height:
        return None
    side = width / 1.8
    return np.array([at[0] - side / 2, at[1] - side / 2, at[0] + side / 2, at[1] + side / 2], np.float32)


def gallery() -> Gallery:
    """A gallery of two people, by other photos than those that the films are made of."""
    opened = Gallery("memory:", analyzer())
    for name, photo in ENROLLED.items():
        [done] = opened.enrol(name, [SAMPLES / photo])
        assert done.error is None
    return opened


def still(x: float = 240, y: float = 135) -> Callable[[float], tuple[float, float]]:
    return lambda _: (x, y)


def passing(start: float, end: float, seconds: float, y: float) -> Callable[[float], tuple[float, float]]:
    return lambda t: (start + (end - start) * t / seconds, y)


def coming_and_going(t: float) -> tuple[float, float]:
    """In from the left within a second, and out again from second 1.6 on."""
    return -70 + 250 * min(t, 1.0) - 300 * max(0.0, t - 1.6), 135


def street() -> Film:
    """Five seconds: Biden and a stranger cross, then Obama comes, is blurred for a while, and goes."""
    crossing = {"stranger": passing(70, 410, 2.6, 125), "Biden": passing(410, 70, 2.6, 145)}
    return (
        Film()
        .scene(2.6, crossing)
        .scene(
            2.4,
            {"Obama": coming_and_going},
            background=1,
            blurred=lambda t: 6.0 if 1.1 < t < 1.5 else 0.0,
        )
    )
