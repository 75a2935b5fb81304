"""Splitting: which copies stay together, what a split by hash moves, and what a leaky order flatters.

``python -m benchmarks.splitting --data DIR`` takes the people of ``DIR/lfw/seed_people_20plus.txt``:

- 200 copies are planted among their photos, 40 each of equal bytes, resized to 60 %, JPEG quality 40,
  mirrored, and cut by 5 % at two edges. Linked is a copy that `lineament.datasets.cleaning.linking` puts
  together with its original; every other link between different photos is wrong,
- half of the photos are split, then all of them: how many of the first half changed sides?
- the shares a split by hash and an exact one give, and the subjects that miss a split,
- the audit's experiment, both orders, on up to 150 of the photos,
- the search for near-duplicates among the aligned faces of ``DIR/utkface``, which are all alike: its
  time and what it links. Nobody planted copies there, so look at the pairs it names.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from lineament.datasets.audit.flattery import Accuracy, measure
from lineament.datasets.cleaning.linking import linked
from lineament.datasets.opening import from_people, open_dataset
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.io import images
from lineament.io.manifest import Manifest
from lineament.types import UInt8


def _small(pixels: UInt8) -> UInt8:
    return np.asarray(cv2.resize(pixels, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), np.uint8)


def _cut(pixels: UInt8) -> UInt8:
    h, w = pixels.shape[:2]
    return np.ascontiguousarray(pixels[h // 20 :, : w - w // 20])


COPIES: dict[str, tuple[Callable[[UInt8], UInt8] | None, int]] = {
    "equal bytes": (None, 0),
    "resized to 60 %": (_small, 92),
    "JPEG quality 40": (lambda pixels: pixels, 40),
    "mirrored": (lambda pixels: np.ascontiguousarray(pixels[:, ::-1]), 92),
    "cut by 5 % at two edges": (_cut, 92),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--planted", type=int, default=200)
    parser.add_argument("--workers", type=int, default=None)
    args = parser.parse_args()
    lfw = args.data / "lfw"
    names = (lfw / "seed_people_20plus.txt").read_text(encoding="utf-8").split()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in names:
            (base / name).mkdir()
            for file in sorted((lfw / "images" / name).glob("*.jpg")):
                (base / name / file.name).write_bytes(file.read_bytes())
        plain = from_people(base)
        print(f"{len(plain)} photos of {len(names)} people")
        _orders(plain)
        _splits(plain)
        _links(base, plain, args.planted, args.workers)
    _aligned(args.data / "utkface", args.workers)


def _orders(plain: Manifest) -> None:
    done = measure(plain)
    assert done.subjects is not None
    for what, both in (("random labels", done.noise), ("subjects as labels", done.subjects)):
        print(
            f"{what}, {done.pictures} pictures: augment, then split {_told(both.leaky)}; "
            f"split, then augment {_told(both.honest)}"
        )


def _told(accuracy: Accuracy) -> str:
    return f"{accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%}, n = {accuracy.decisions:,})"


def _splits(plain: Manifest) -> None:
    shares = parse_shares("70/20/10")
    plan = Plan(shares)
    half = split(replace(plain, rows=plain.rows[::2]), plan).manifest
    whole = {row.id: row.split for row in split(plain, plan).manifest}
    moved = sum(whole[row.id] != row.split for row in half)
    print(f"split by hash: {moved} of {len(half)} photos moved when {len(plain) - len(half)} were added")
    for what, chosen in (("by hash", plan), ("exact", Plan(shares, exact=True))):
        done = split(plain, chosen)
        sizes = Counter(row.split or "" for row in done.manifest)
        told = ", ".join(f"{name} {sizes[name] / len(plain):.1%}" for name in shares)
        missing = sum(map(len, done.missing.values()))
        print(f"70/20/10 {what}: {told}; subjects missing in a split: {missing}")


def _links(base: Path, plain: Manifest, planted: int, workers: int | None) -> None:
    before = _wrong(linked(plain, workers=workers), {row.id: row.path for row in plain})
    print(f"linked among {len(plain)} photos without planted copies: {len(before)} pairs")
    rng = random.Random(6)
    kinds: dict[str, tuple[str, str]] = {}
    for number, row in enumerate(rng.sample(list(plain.rows), planted)):
        kind = list(COPIES)[number % len(COPIES)]
        change, quality = COPIES[kind]
        source = plain.file(row)
        copy = source.with_name(f"copy-{number}.jpg")
        if change is None:
            copy.write_bytes(source.read_bytes())
        else:
            images.save(copy, change(images.load(source).pixels), quality=quality)
        kinds[copy.relative_to(base).as_posix()] = (kind, row.path)
    manifest = from_people(base)
    paths = {row.id: row.path for row in manifest}
    start, own = time.perf_counter(), time.process_time()
    groups = linked(manifest, workers=workers)
    spent, own = time.perf_counter() - start, time.process_time() - own
    together = {paths[i]: number for number, group in enumerate(groups) for i in group}
    total, found = Counter[str](), Counter[str]()
    for copy_path, (kind, original) in kinds.items():
        total[kind] += 1
        found[kind] += copy_path in together and together[copy_path] == together.get(original)
    for kind in COPIES:
        print(f"{kind:24} {found[kind]:4} of {total[kind]}")
    print(f"{'all':24} {found.total():4} of {total.total()}")
    stands_for = {path: original for path, (_, original) in kinds.items()}
    wrong = _wrong(groups, {i: stands_for.get(path, path) for i, path in paths.items()}) - before
    print(f"linked wrongly: {len(wrong)}; {len(manifest)} pictures in {spent:.0f} s, {own:.0f} s of CPU")
    for pair in sorted(map(sorted, before | wrong)):
        print("  linked:", " and ".join(pair))


def _aligned(folder: Path, workers: int | None) -> None:
    manifest = open_dataset(folder)
    paths = {row.id: row.path for row in manifest}
    start, own = time.perf_counter(), time.process_time()
    groups = linked(manifest, workers=workers)
    spent, own = time.perf_counter() - start, time.process_time() - own
    print(f"{len(manifest)} aligned faces: {len(groups)} groups in {spent:.0f} s, {own:.0f} s of CPU")
    for group in groups:
        print("  linked:", " and ".join(sorted(paths[i] for i in group)))


def _wrong(groups: Iterable[set[str]], paths: dict[str, str]) -> set[frozenset[str]]:
    """Different photos in one group, each with the first of the group."""
    pairs = set()
    for group in groups:
        first, *others = sorted({paths[i] for i in group})
        pairs |= {frozenset((first, other)) for other in others}
    return pairs


if __name__ == "__main__":
    main()
