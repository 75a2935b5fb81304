"""The whole way of a data set, collect to audit, with faults planted in LFW and counted at every step.

``python -m benchmarks.dataset_journey --data DIR --out DIR`` takes the people of
``DIR/lfw/seed_people_20plus.txt``, up to ``--photos`` (25) photos each, and plants, with a fixed seed:
wrong faces (5 % of each folder, half of strangers, half of others of these people), copies (exact, resized,
recompressed, flipped), rotated pictures (within +-90 degrees) and pictures without a face.
``planted.json`` says what was planted where. Then it runs the commands as a user would, prints what they
say, and compares it with what was planted. Last it plants a leak, which the audit must refuse. It ends
with 1 when a leak-free set fails the audit or a leaky one passes. With ``--plant`` it stops after planting.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np

from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.types import UInt8

SHARE = {"wrong face": 0.05, "copy": 0.05, "rotated": 0.10}
COPIES = ("exact", "resized", "recompressed", "flipped")


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted file: its ``folder`` and ``name``, what it shows and what it was made from."""

    folder: str
    name: str
    kind: str
    shows: str = ""
    of: str = ""
    degrees: float = 0.0


def _rotated(pixels: UInt8, degrees: float) -> UInt8:
    h, w = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(pixels, turn, (w, h)), np.uint8)


def _copied(file: Path, kind: str, target: Path, rng: random.Random) -> None:
    pixels = images.load(file).pixels
    if kind == "exact":
        target.write_bytes(file.read_bytes())
    elif kind == "resized":
        scale = rng.uniform(0.5, 1.6)
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        images.save(target, np.asarray(small, np.uint8), quality=93)
    elif kind == "recompressed":
        images.save(target, pixels, quality=rng.randint(30, 60))
    else:
        images.save(target, np.ascontiguousarray(pixels[:, ::-1]), quality=93)


def plant(lfw: Path, out: Path, most: int, rng: random.Random) -> list[Fault]:
    """Write a folder a person with its faults; returns these."""
    names = (lfw / "seed_people_20plus.txt").read_text(encoding="utf-8").split()
    people = {name: sorted((lfw / "images" / name).glob("*.jpg")) for name in names}
    singles = [
        own[0]
        for folder in sorted((lfw / "images").iterdir())
        if len(own := sorted(folder.glob("*.jpg"))) == 1
    ]
    rng.shuffle(singles)
    faults: list[Fault] = []
    for number, (name, own) in enumerate(people.items()):
        folder = out / name
        folder.mkdir(parents=True)
        chosen, spare = own[:most], [f for other in names if other != name for f in people[other][most:]]
        for file in chosen:
            (folder / file.name).write_bytes(file.read_bytes())
        drawn = rng.sample(chosen, len(chosen))
        for file in (drawn.pop() for _ in range(round(SHARE["rotated"] * len(chosen)))):
            degrees = rng.uniform(-90, 90)
            images.save(folder / file.name, _rotated(images.load(file).pixels, degrees), quality=93)
            faults.append(Fault(name, file.name, "rotated", shows=name, degrees=round(degrees, 1)))
        for i in range(max(1, round(SHARE["copy"] * len(chosen)))):
            file, kind = drawn.pop(), COPIES[(number + i) % len(COPIES)]
            _copied(file, kind, folder / f"copy_{i}.jpg", rng)
            faults.append(Fault(name, f"copy_{i}.jpg", kind, shows=name, of=file.name))
        for i in range(max(1, round(SHARE["wrong face"] * len(chosen)))):
            file = rng.choice(spare) if spare and (number + i) % 2 else singles.pop()
            spare = [other for other in spare if other != file]
            (folder / f"wrong_{i}.jpg").write_bytes(file.read_bytes())
            faults.append(Fault(name, f"wrong_{i}.jpg", "wrong face", shows=file.parent.name))
        if number % 4 == 0:
            strip = images.load(singles.pop()).pixels[:40]
            images.save(folder / "faceless.jpg", np.asarray(cv2.resize(strip, (250, 160)), np.uint8))
            faults.append(Fault(name, "faceless.jpg", "no face"))
    return faults


class Shell:
    """Runs the commands in ``folder`` and keeps what they print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str, expect: int = 0, show: int = 12) -> list[dict[str, Any]]:
        """Run ``lineament dataset WORDS``; its JSON lines. Ends the benchmark at another exit status."""
        answer = self.folder / ".answer.json"
        print(f"\n$ lineament dataset {shlex.join(words)}", flush=True)
        began = time.perf_counter()
        ran = subprocess.run(
            [sys.executable, "-m", "lineament", "dataset", *words, "--json", answer.name],
            cwd=self.folder,
            text=True,
            capture_output=True,
            check=False,
        )
        said = [line for line in ran.stdout.splitlines() if line.strip()]
        if len(said) > show:
            print(f"... ({len(said) - show} lines)")
        print("\n".join(said[-show:]))
        print(f"[exit status {ran.returncode}, {time.perf_counter() - began:.0f} s]", flush=True)
        if ran.returncode != expect:
            raise SystemExit(f"exit status {ran.returncode}, not {expect}: {ran.stderr}")
        return [json.loads(line) for line in answer.read_text(encoding="utf-8").splitlines()]


class Truth:
    """What the rows of a manifest truly are, by where their photo came from."""

    def __init__(self, photos: Manifest, faults: Iterable[Fault]) -> None:
        self.faults = {(fault.folder, fault.name): fault for fault in faults}
        self._origin = {row.id: self._from(row) for row in photos}

    @staticmethod
    def _from(row: ManifestRow) -> tuple[str, str]:
        path = Path(unquote(urlsplit(row.provenance.url or "").path))
        return path.parent.name, path.name

    def origin(self, row: ManifestRow) -> tuple[str, str]:
        """The folder and name under which the row's photo was planted."""
        return self._origin[row.parent if row.parent is not None else row.id]

    def fault(self, row: ManifestRow) -> Fault | None:
        return self.faults.get(self.origin(row))

    def shows(self, row: ManifestRow) -> str:
        fault = self.fault(row)
        return fault.shows if fault else self.origin(row)[0]

    def picture(self, row: ManifestRow) -> tuple[str, str]:
        """What copies of one picture have in common."""
        fault, origin = self.fault(row), self.origin(row)
        return (origin[0], fault.of) if fault and fault.of else origin


def figures(hits: int, false: int, planted: int) -> str:
    """Precision, recall and F1 as one text."""
    precision = hits / (hits + false) if hits + false else 1.0
    recall = hits / planted if planted else 1.0
    f1 = 2 * hits / (hits + false + planted) if planted else 1.0
    counts = f"{hits} of {planted} found, {false} false"
    return f"{counts}: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}"


def _collected(truth: Truth, lines: Sequence[Mapping[str, Any]]) -> None:
    refused = [line for line in lines if line.get("outcome") == "DuplicatePicture"]
    origins = {(Path(line["origin"]).parent.name, Path(line["origin"]).name) for line in refused}
    exact = {key for key, fault in truth.faults.items() if fault.kind == "exact"}
    partners = {(folder, truth.faults[folder, name].of) for folder, name in exact}
    hits = len(origins & (exact | partners))
    print(f"-> exact copies refused while collecting: {figures(hits, len(origins) - hits, len(exact))}")


def _extracted(truth: Truth, photos: Manifest, crops: Manifest) -> None:
    got = {row.parent for row in crops if row.outcome == "ok"}
    for kind in ("rotated", "no face"):
        planted = [row for row in photos if (f := truth.fault(row)) and f.kind == kind]
        print(f"-> {kind}: a face in {sum(row.id in got for row in planted)} of {len(planted)} pictures")
    faces = [row for row in photos if (f := truth.fault(row)) is None or f.kind != "no face"]
    print(f"-> all pictures with a face: found in {sum(row.id in got for row in faces)} of {len(faces)}")


def _copies(truth: Truth, manifest: Manifest, lines: Sequence[Mapping[str, Any]]) -> None:
    rows, by_path = {row.id: row for row in manifest}, {row.path: row for row in manifest}
    groups = Counter(truth.picture(row) for row in manifest if row.outcome == "ok")
    doubled = {picture for picture, count in groups.items() if count > 1}
    hits, false = set(), []
    for line in lines:
        if line["reason"] in ("exact duplicate", "near duplicate") and line["action"] == "remove":
            a, b = rows[line["id"]], by_path[line["of"]]
            if truth.picture(a) == truth.picture(b):
                hits.add(truth.picture(a))
            else:
                false.append((truth.origin(a), truth.origin(b)))
    print(f"-> copies: {figures(len(hits), len(false), len(doubled))}")
    for one, other in false:
        print(f"   not planted: {'/'.join(one)} and {'/'.join(other)}")


def _proposed(truth: Truth, crops: Manifest, lines: Sequence[Mapping[str, Any]]) -> None:
    rows = {row.id: row for row in crops}
    wrong = {row.id for row in crops if row.outcome == "ok" and truth.shows(row) != row.subject}
    named = [line for line in lines if line["reason"] == "wrong person" and line["action"] != "review"]
    accused = {line["id"] for line in named}
    print(f"-> wrong faces: {figures(len(accused & wrong), len(accused - wrong), len(wrong))}")
    home = [rows[i] for i in wrong if truth.shows(rows[i]) in {row.subject for row in crops}]
    moved = {line["id"]: line["to"] for line in named if line["action"] == "move"}
    right = sum(moved.get(row.id) == truth.shows(row) for row in home)
    print(f"   of {len(home)} whose own folder is here {right} are sent to it")
    _copies(truth, crops, lines)
    others = Counter(
        (line["action"], line["reason"])
        for line in lines
        if line["action"] == "review" or line["reason"] in ("not a face", "poor quality", "refused")
    )
    for (action, reason), count in sorted(others.items()):
        print(f"   {count} to {action}: {reason}")


def _after(truth: Truth, reviewed: Manifest) -> None:
    usable = [row for row in reviewed if row.outcome == "ok"]
    wrong = [row for row in usable if truth.shows(row) != row.subject]
    pictures = Counter(truth.picture(row) for row in usable)
    print(
        f"-> left in the data set: {len(usable)} faces, {len(wrong)} under a wrong name, "
        f"{sum(count - 1 for count in pictures.values())} planted copies"
    )


def _split_up(truth: Truth, split: Manifest) -> None:
    """What only the list of planted faults can tell: copies that nothing recognised may part."""
    places: dict[tuple[str, str], set[str | None]] = {}
    for row in split:
        if row.outcome == "ok":
            places.setdefault(truth.picture(row), set()).add(row.split)
    parted = sum(len(splits) > 1 for splits in places.values())
    print(f"-> planted copies that lie in two splits: {parted}")


def leak(folder: Path, manifest: Manifest) -> Path:
    """The manifest with one training picture, saved anew, put into test."""
    row = min((r for r in manifest if r.split == "train" and r.step != "augment"), key=lambda r: r.id)
    target = folder / "leaked.jpg"
    images.save(target, images.load(manifest.file(row)).pixels, quality=70)
    digest = sha256_of(target)
    twin = replace(row, id=row_id(digest, target.name), path=target.name, sha256=digest, split="test")
    path = folder / "leaky.jsonl"
    manifest.with_rows([*manifest, replace(twin, parent=None, box=None, landmarks=None)], "leak").save(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="A new folder.")
    parser.add_argument("--photos", type=int, default=25)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--plant", action="store_true", help="Plant and stop: for walking by hand.")
    args = parser.parse_args()
    out: Path = args.out
    out.mkdir(parents=True)
    faults = plant(args.data / "lfw", out / "found", args.photos, random.Random(args.seed))
    (out / "planted.json").write_text(json.dumps([asdict(f) for f in faults], indent=1), encoding="utf-8")
    people = sorted(folder.name for folder in (out / "found").iterdir())
    (out / "names.txt").write_text("\n".join(people) + "\n", encoding="utf-8")
    total = sum(1 for _ in (out / "found").glob("*/*.jpg"))
    kinds = Counter(fault.kind for fault in faults)
    print(f"{total} pictures of {len(people)} people; planted: {dict(sorted(kinds.items()))}")
    if not args.plant:
        walk(Shell(out), out, faults)


def walk(run: Shell, out: Path, faults: Sequence[Fault]) -> None:
    """Every step, and after each what it found of what was planted."""
    source = ("--source", "folder", "--from", "found", "--purpose", "measure cleaning")
    lines = run("collect", "names.txt", *source, "--out", "photos", "--licence", "LFW, research", show=3)
    photos = Manifest.load(out / "photos" / "manifest.jsonl")
    truth = Truth(photos, faults)
    _collected(truth, lines)

    lines = run("duplicates", "photos", "--out", "photos/copies.jsonl", show=2)
    _copies(truth, photos, lines)
    unique = "photos/unique.jsonl"
    run("review", "photos", "--proposals", "photos/copies.jsonl", "--auto", "0.9", "--apply", unique)

    # From all photos, not from the unique ones, so that cleaning has copies to find.
    run("extract", "photos", "crops", "--detector", "retry:yunet")
    crops = Manifest.load(out / "crops" / "manifest.jsonl")
    _extracted(truth, photos, crops)

    lines = run("clean", "crops", "--out", "crops/proposals.jsonl", show=8)
    _proposed(truth, crops, lines)

    run("review", "crops", "--auto", "0.8", "--apply", "crops/reviewed.jsonl")
    _after(truth, Manifest.load(out / "crops" / "reviewed.jsonl"))

    run("split", "crops/reviewed.jsonl", "70/20/10")
    _split_up(truth, Manifest.load(out / "crops" / "split.jsonl"))
    run("balance", "crops/split.jsonl", "--at-least", "10", "--subjects", "0", "--per-subject", "15")
    run("augment", "crops/balanced.jsonl", "--factor", "3", "--preview", "sheet.png", "--seed", "7")
    [answer] = run("audit", "crops/augmented.jsonl", "--out", "audit.html")
    print(f"-> leaks: {len(answer['leaks'])}")

    leak(out / "crops", Manifest.load(out / "crops" / "split.jsonl"))
    [answer] = run("audit", "crops/leaky.jsonl", "--out", "leaky.html", "--no-experiment", expect=1)
    print(f"-> leaks after one was planted: {[found['kind'] for found in answer['leaks']]}")


if __name__ == "__main__":
    main()
