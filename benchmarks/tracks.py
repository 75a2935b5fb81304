"""Following and naming people in videos: identities, and one decision a track against votes of looks.

``python -m benchmarks.tracks --data DIR`` reads LFW (``DIR/lfw/images``):

- ``follow``: scenes of LFW faces that wander, cross, hide each other, turn (other photos of the person
  come) and blur, half of them of strangers, with cuts between them: IDF1, identity switches, and names
  told right and wrong, at strides 1, 3 and 5.
- ``names``: people of LFW as tracks of looks of uneven quality. One decision a track on the fused looks,
  against a vote of decisions on each look, both at the threshold of equal FPIR on half of the strangers and
  measured on the others; and the card's threshold, applied to either.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lineament.analyzer import Analyzer
from lineament.embedders.sface import SFace
from lineament.gallery.gallery import Gallery
from lineament.gallery.searching import measured_threshold
from lineament.geometry.boxes import iou
from lineament.io import images
from lineament.io.video import Frame
from lineament.scoring.tracks import IdentityScores
from lineament.types import Float32, Image, UInt8
from lineament.watching import Appearance, VideoSource, Watch, WatchSettings
from lineament.watching.looks import View, assessed, look

WIDTH, HEIGHT, RATE = 640, 360, 25


@dataclass(frozen=True)
class Person:
    """A person of LFW: the photo that is enrolled, those that are seen, and whether it is enrolled."""

    name: str
    photos: list[Path]
    enrolled: bool


def people_of(data: Path, least: int) -> list[Person]:
    """Those with enough photos, every second one enrolled."""
    folders = [p for p in sorted((data / "lfw" / "images").iterdir()) if p.is_dir()]
    chosen = [(p.name, sorted(p.glob("*.jpg"))) for p in folders]
    found = [(name, photos) for name, photos in chosen if len(photos) >= least]
    return [Person(name, photos, i % 2 == 0) for i, (name, photos) in enumerate(found)]


def follow(data: Path, scenes: int) -> None:
    """Scenes of four people each."""
    analyzer = Analyzer("yunet", workers=1)
    people = people_of(data, 4)
    np.random.default_rng(0).shuffle(people)  # type: ignore[arg-type]
    cast = people[: 4 * scenes]
    gallery = Gallery("memory:", analyzer)
    for person in cast:
        if person.enrolled:
            gallery.enrol(person.name, person.photos[:1], largest=True)
    film, truth = _film(cast)
    enrolled = {person.name for person in cast if person.enrolled}
    print(f"{scenes} scenes of 6 s, 4 people each, {gallery.people} of {len(cast)} enrolled by one photo")
    for every in (1, 3, 5):
        watch = Watch(
            VideoSource("made", lambda: iter(film)), analyzer, gallery, WatchSettings(every=every)
        )
        told = list(watch)
        scores, right = _followed(told, truth, every, enrolled)
        names = [one.subject for one in told if one.subject is not None]
        wrong = sum(not right[one.track.number] for one in told if one.subject is not None)
        print(
            f"  every {every}: IDF1 {scores.idf1:.3f}, {scores.switches} switches, {len(told)} tracks; "
            f"named right {len(names) - wrong}, wrong {wrong}, people named "
            f"{len(set(names) & enrolled)} of {len(enrolled)}; {watch.counts.looks} looks at "
            f"{watch.counts.faces} faces; cuts {watch.counts.cuts} of {scenes - 1}"
        )


def _followed(
    told: list[Appearance], truth: list[dict[str, Float32]], every: int, enrolled: set[str]
) -> tuple[IdentityScores, dict[int, bool]]:
    """Scores over the frames searched, and whether each track's name is of who it mostly covers."""
    scores, covers = IdentityScores(), {one.track.number: dict[str, int]() for one in told}
    for i in range(0, len(truth), every):
        there = truth[i]
        boxes = {one.track.number: box for one in told if (box := one.track.box_at(i / RATE)) is not None}
        overlap = iou(
            np.array(list(there.values()), np.float32).reshape(-1, 4),
            np.array(list(boxes.values()), np.float32).reshape(-1, 4),
        )
        scores.add(list(there), list(boxes), overlap)
        for row, name in enumerate(there):
            for column, number in enumerate(boxes):
                if overlap[row, column] >= 0.3:
                    covers[number][name] = covers[number].get(name, 0) + 1
    right = {}
    for one in told:
        seen = covers[one.track.number]
        right[one.track.number] = bool(seen) and one.subject == max(seen, key=lambda name: seen[name])
    return scores, right


def _film(cast: list[Person]) -> tuple[list[Frame], list[dict[str, Float32]]]:
    """Frames and who is where; who is hidden by more than a third is not there."""
    draw = np.random.default_rng(1)
    frames: list[Frame] = []
    truth: list[dict[str, Float32]] = []
    for first in range(0, len(cast), 4):
        room = draw.integers(30, 220, (5, 9, 3), np.uint8)
        wall = cv2.resize(room, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        party = cast[first : first + 4]
        heads = [[images.load(p).pixels[40:210, 50:200] for p in person.photos[1:4]] for person in party]
        sides = draw.uniform(60, 100, 4)
        order = np.argsort(sides)
        x = draw.uniform(60, WIDTH - 60, (4, 2))
        y = draw.uniform(90, HEIGHT - 90, (4, 2))
        pace, phase = draw.uniform(2.5, 5, 4), draw.uniform(0, 6.3, 4)
        for i in range(6 * RATE):
            now, frame, there = i / RATE, wall.copy(), dict[str, Float32]()
            for who in order:
                share = 0.5 - 0.5 * np.cos(2 * np.pi * now / pace[who] + phase[who])
                at = (
                    x[who, 0] + (x[who, 1] - x[who, 0]) * share,
                    y[who, 0] + (y[who, 1] - y[who, 0]) * share,
                )
                # One person turns after the other, and fades from photo to photo in a third of a second.
                turn = (now + 0.25 * who) / 1.0
                here, after = (heads[who][(int(turn) + k) % len(heads[who])] for k in (0, 1))
                fade = float(np.clip((turn % 1 - 0.67) / 0.33, 0, 1))
                head = np.asarray(here * (1 - fade) + after * fade, np.uint8)
                wide = round(sides[who] * 1.5)
                head = cv2.resize(head, (wide, round(wide * 170 / 150)), interpolation=cv2.INTER_AREA)
                if (now + who) % 3 < 0.4:
                    head = cv2.GaussianBlur(head, (0, 0), 3)
                _paste(frame, head, at)
                half = sides[who] * 0.42
                box = np.array(
                    [at[0] - half, at[1] - 1.2 * half, at[0] + half, at[1] + 1.2 * half], np.float32
                )
                there = {name: other for name, other in there.items() if _hidden(other, at, head) < 0.34}
                there[party[who].name] = box
            frames.append(Frame(len(frames) / RATE, "made", frame))
            truth.append(there)
    return frames, truth


def _paste(frame: UInt8, head: UInt8, at: tuple[float, float]) -> None:
    height, width = head.shape[:2]
    left, top = round(at[0] - width / 2), round(at[1] - height / 2)
    x1, y1, x2, y2 = max(0, left), max(0, top), min(WIDTH, left + width), min(HEIGHT, top + height)
    if x1 < x2 and y1 < y2:
        frame[y1:y2, x1:x2] = head[y1 - top : y2 - top, x1 - left : x2 - left]


def _hidden(box: Float32, at: tuple[float, float], head: UInt8) -> float:
    height, width = head.shape[:2]
    x = min(box[2], at[0] + width / 2) - max(box[0], at[0] - width / 2)
    y = min(box[3], at[1] + height / 2) - max(box[1], at[1] - height / 2)
    return float(max(0, x) * max(0, y) / ((box[2] - box[0]) * (box[3] - box[1])))


def names(data: Path, most: int) -> None:
    """Tracks of five looks each, of photos as a camera might have taken them."""
    analyzer, embedder = Analyzer("yunet", workers=1), SFace()
    draw = np.random.default_rng(2)
    templates: list[Float32] = []
    tracks: list[tuple[int, Float32, np.ndarray]] = []
    similar: list[float] = []
    for person in people_of(data, 2)[:most]:
        seen = person.photos[1:4]
        looks, weights = [], []
        for number in range(5):
            view = _view(analyzer, _taken(images.load(seen[number % len(seen)]), number, draw))
            if view is not None:
                [one] = look([view], embedder)
                looks.append(one.embedding.vector)
                weights.append(one.quality)
        if len(looks) < 2:
            continue
        owner = -1
        if person.enrolled:
            first = _view(analyzer, images.load(person.photos[0]))
            if first is None:
                continue
            owner = len(templates)
            templates.append(look([first], embedder)[0].embedding.vector)
        vectors = np.stack(looks)
        tracks.append((owner, vectors, np.array(weights)))
        similar += [float(vectors[i] @ vectors[j]) for i in range(len(looks)) for j in range(i)]
    enrolled = np.stack(templates)
    fused = np.stack([_fused(vectors, weights) for _, vectors, weights in tracks])
    print(f"{len(templates)} enrolled, {sum(o < 0 for o, *_ in tracks)} strangers, up to 5 looks a track")
    print(f"looks of one track: similarity {np.mean(similar):.2f} +- {np.std(similar):.2f}")
    across = [float(fused[i] @ fused[i + 1]) for i in range(len(fused) - 1)]
    print(f"two people: similarity {np.mean(across):.2f} +- {np.std(across):.2f}")
    by_fused = [
        (owner, *_best(enrolled @ vector)) for (owner, *_), vector in zip(tracks, fused, strict=True)
    ]
    by_vote = [(owner, *_voted(enrolled, vectors)) for owner, vectors, _ in tracks]
    by_any = [(owner, *_best((enrolled @ vectors.T).max(axis=1))) for owner, vectors, _ in tracks]
    by_first = [(owner, *_best(enrolled @ vectors[0])) for owner, vectors, _ in tracks]
    card = measured_threshold(embedder.model, 1e-4).value
    for name, found in (
        ("fused", by_fused),
        ("vote", by_vote),
        ("best look", by_any),
        ("first look", by_first),
    ):
        strangers = np.array([score for owner, _, score in found if owner < 0])
        chosen, checked = strangers[::2], strangers[1::2]
        line = f"  {name:10}"
        for rate in (0.01, 0.05):
            value = np.sort(chosen)[::-1][int(rate * len(chosen))] + 1e-6
            line += (
                f" | FPIR {rate:g}: threshold {value:.3f}, measured FPIR {np.mean(checked >= value):.3f}, "
                f"FNIR {_fnir(found, value):.3f}"
            )
        print(
            line + f" | at the card's {card:.3f}: FPIR {np.mean(strangers >= card):.3f}, "
            f"FNIR {_fnir(found, card):.3f}"
        )


def _fnir(found: list[tuple[int, int, float]], threshold: float) -> float:
    mated = [(owner, who, score) for owner, who, score in found if owner >= 0]
    return float(np.mean([not (who == owner and score >= threshold) for owner, who, score in mated]))


def _best(similarities: Float32) -> tuple[int, float]:
    who = int(np.argmax(similarities))
    return who, float(similarities[who])


def _voted(enrolled: Float32, vectors: Float32) -> tuple[int, float]:
    """Who is nearest in most looks, and the highest threshold at which most looks name them."""
    scores = enrolled @ vectors.T
    nearest = scores.argmax(axis=0)
    who = int(np.bincount(nearest).argmax())
    values = np.sort(np.where(nearest == who, scores[who], -1.0))[::-1]
    return who, float(values[len(values) // 2])


def _fused(vectors: Float32, weights: np.ndarray) -> Float32:
    total = (vectors * weights[:, None]).sum(axis=0)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def _taken(image: Image, number: int, draw: np.random.Generator) -> Image:
    """As a video camera takes it: smaller, moved, darker, with noise."""
    pixels = image.pixels
    small = float(draw.uniform(0.25, 0.8))
    size = max(1, round(250 * small))
    pixels = cv2.resize(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), (250, 250))
    if number % 2:
        smear = int(draw.integers(3, 9))
        pixels = cv2.blur(pixels, (smear, 1) if draw.random() < 0.5 else (1, smear))
    light = draw.uniform(0.5, 1.2) * pixels + draw.normal(0, draw.uniform(2, 12), pixels.shape)
    return Image(np.clip(light, 0, 255).astype(np.uint8), image.source)


def _view(analyzer: Analyzer, image: Image) -> View | None:
    faces = analyzer.detector.detect([image])[0]
    if not len(faces):
        return None
    middle = np.abs((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - 125).sum(axis=1).argmin()
    face = assessed(faces[[int(middle)]], image)
    assert face.quality is not None
    return View(Frame(0.0, image.source, image.pixels), face, face.quality[0].score)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=["follow", "names"])
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--people", type=int, default=400)
    asked = parser.parse_args()
    wanted = asked.only or ["follow", "names"]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if "follow" in wanted:
        follow(asked.data, asked.scenes)
    if "names" in wanted:
        names(asked.data, asked.people)


if __name__ == "__main__":
    main()
