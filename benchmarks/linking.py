"""Linking near-duplicates: processor time for many pictures, and the groups of different files found.

``python -m benchmarks.linking --data DIR --pictures 10000`` takes pictures from anywhere below ``DIR``, in
the order of a hash of their paths, so that every kind is there in its share. Where there are fewer than
``--pictures``, the rest are cuts of 85 % of a side at a random place of the same pictures: further pictures
of the same kinds, most of them too far from their original to be a copy. Printed are the processor time of
all threads, the groups of the pictures themselves, and the pictures tied by them; ``--sheet FILE`` draws a
line a group, for somebody has to look whether they are copies.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lineament.datasets.cleaning.linking import linked
from lineament.errors import PictureError
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.plots.contact_sheet import contact_sheet

_SUFFIXES = {".jpg", ".jpeg", ".png", ".pgm", ".bmp", ".webp"}
_SHOWN = 6
_SHARE = 0.85


def pictures_below(data: Path, count: int) -> list[Path]:
    """At most ``count`` pictures below ``data``, chosen by a hash of their paths."""
    found = [file for file in data.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file()]
    return sorted(found, key=lambda file: _hash(file.relative_to(data).as_posix()))[:count]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _add_cuts(files: Sequence[Path], folder: Path, count: int) -> list[Path]:
    rng, made = random.Random(5), list[Path]()
    while len(made) < count:
        begun = len(made)
        for file in files[: count - len(made)]:
            try:
                pixels = images.load(file).pixels
            except PictureError:
                continue
            h, w = pixels.shape[:2]
            th, tw = int(h * _SHARE), int(w * _SHARE)
            y, x = rng.randint(0, h - th), rng.randint(0, w - tw)
            target = folder / f"cut-{len(made)}.jpg"
            images.save(target, np.ascontiguousarray(pixels[y : y + th, x : x + tw]), quality=90)
            made.append(target)
        if len(made) == begun:
            break
    return made


def manifest_of(root: Path, files: Sequence[Path]) -> Manifest:
    """A row a file, with paths below ``root`` and nothing known of the pictures but their bytes."""
    rows = []
    for file in files:
        path, digest = file.relative_to(root).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()
        rows.append(ManifestRow(row_id(digest, path), path, digest))
    return Manifest(tuple(sorted(rows, key=lambda row: row.id)), folder=root)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--sheet", type=Path, default=None)
    parser.add_argument("--workers", type=int, default=None)
    args = parser.parse_args()
    files = pictures_below(args.data, args.pictures)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "data").symlink_to(args.data.resolve(), target_is_directory=True)
        (root / "cuts").mkdir()
        there = [root / "data" / file.relative_to(args.data) for file in files]
        cuts = _add_cuts(there, root / "cuts", args.pictures - len(there))
        manifest = manifest_of(root, [*there, *cuts])
        start, own = time.perf_counter(), time.process_time()
        found = linked(manifest, workers=args.workers)
        spent, own = time.perf_counter() - start, time.process_time() - own
        rows = {row.id: row for row in manifest}
        groups = []
        for ids in found:
            originals = sorted(rows[i].path for i in ids if rows[i].path.startswith("data/"))
            if len(originals) > 1 and len({rows[i].sha256 for i in ids if rows[i].path in originals}) > 1:
                groups.append(originals)
        groups.sort()
        print(
            f"{len(manifest):,} pictures ({len(there):,} of {args.data}, {len(cuts):,} cuts of them): "
            f"{own:.0f} s of CPU, {spent:.0f} s by the clock"
        )
        print(f"{len(groups)} groups of different files hold {sum(map(len, groups))} pictures")
        for group in groups:
            print("  linked:", " and ".join(path.removeprefix("data/") for path in group[:_SHOWN]))
        if args.sheet is not None and groups:
            lines = {str(n): [root / path for path in group[:_SHOWN]] for n, group in enumerate(groups)}
            images.save(args.sheet, contact_sheet(lines))


if __name__ == "__main__":
    main()
