"""Extraction: pictures a second by workers, memory, reduced decoding, and what a run is worth after kills.

``python -m benchmarks.extract --data DIR`` extracts faces of LFW photos (``DIR/lfw/images``, linked under
as many names as ``--photos`` asks for):

- speed with one and two workers, in turns, each run in a process of its own, from before the models are
  loaded until the manifest is written. On Linux the CPU time that other processes took meanwhile is told,
  and the ratio is of the turns in which they took little, when there are any,
- memory of all processes after every tenth of the photos,
- a photo enlarged to 12 megapixels, with the reduced first look and without,
- with ``--kills``: the run is killed that many times (SIGKILL, after a random number of photos), goes on
  each time, and is compared byte for byte with a run that was left alone.

``--photos 20000 --kills 20`` is the size of the promise; the default is a tenth.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lineament.datasets.extraction import extract_photo
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset

_QUIET = 0.1
"""Cores that other processes may take while a speed is measured."""


def child(source: Path, out: Path, workers: int, kill_after: int, memory: bool) -> None:
    """One run; kills itself after ``kill_after`` photos that were not done before, when that is not 0."""
    manifest = open_dataset(source)
    done, fresh, total = 0, -1, len(manifest)

    def advance(count: int) -> None:
        nonlocal done, fresh
        before, done = done, done + count
        fresh = 0 if fresh < 0 else fresh + count  # the first call tells of photos done before
        if kill_after and fresh >= kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if memory and before * 10 // total != done * 10 // total:
            print(f"  {done:6} photos: {_resident_mb():6.0f} MB", flush=True)

    start = time.perf_counter()
    result = extract(manifest, out, ExtractSettings(), workers=workers, advance=advance)
    print(f"RESULT {result.photos / (time.perf_counter() - start):.2f} {result.to_json()}")


def _resident_mb() -> float:
    """Megabytes of this process and its workers; what they share is counted for each."""
    pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if os.getpid() in (parent, int(stat.parent.name)):
                pages += int((stat.parent / "statm").read_text().split()[1])
        except OSError:  # it ended meanwhile
            continue
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def run(source: Path, out: Path, workers: int, kill_after: int = 0, memory: bool = False) -> str:
    """A run in a process of its own; its last line, or nothing when it was killed."""
    command = [sys.executable, "-m", "benchmarks.extract", "--child", str(source), str(out)]
    command += [str(workers), str(kill_after), str(int(memory))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(done.stderr)
    if memory:
        print(done.stdout.rpartition("RESULT")[0], end="")
    return done.stdout.rpartition("RESULT ")[2]


def digest(folder: Path) -> tuple[int, str]:
    """Number of files and SHA-256 over their names and bytes."""
    total = hashlib.sha256()
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for path in files:
        total.update(f"{path.relative_to(folder)}\0".encode("utf-8", "surrogateescape"))
        total.update(path.read_bytes())
    return len(files), total.hexdigest()


def link(photos: list[Path], count: int, folder: Path) -> Path:
    for number in range(count):
        original = photos[number % len(photos)]
        target = folder / f"{original.parent.name}-{number // len(photos)}" / original.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(original.resolve())
    return folder


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        source, out, workers, kill_after, memory = sys.argv[2:]
        child(Path(source), Path(out), int(workers), int(kill_after), bool(int(memory)))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--speed-photos", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    photos = sorted((args.data / "lfw" / "images").rglob("*.jpg"))
    random.Random(3).shuffle(photos)
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        if args.turns:
            _speed(link(photos, args.speed_photos, base / "some"), base, args.turns)
            _reduced(photos[0], base)
        if args.photos:
            _kills(link(photos, args.photos, base / "all"), base, args.photos, args.kills)


def _speed(source: Path, base: Path, turns: int) -> None:
    ratios, quiet = [], []
    for turn in range(turns):
        rates, others = [], []
        for workers in (1, 2):
            clock, before, own = time.perf_counter(), _busy_seconds(), _children_seconds()
            rates.append(float(run(source, base / f"speed-{workers}-{turn}", workers).split()[0]))
            clock = time.perf_counter() - clock
            others.append((_busy_seconds() - before - _children_seconds() + own) / clock)
        ratios.append(rates[1] / rates[0])
        if max(others) < _QUIET:
            quiet.append(ratios[-1])
        print(
            f"1 worker {rates[0]:.1f}, 2 workers {rates[1]:.1f} photos a second, ratio {ratios[-1]:.2f}; "
            f"others took {others[0]:.2f} and {others[1]:.2f} cores",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.2f} of {turns} turns (goal 1.8)")
    if quiet:
        print(f"median ratio {statistics.median(quiet):.2f} of {len(quiet)} turns with others < {_QUIET}")


def _busy_seconds() -> float:
    """CPU time all processes of the machine took so far; not a number where the system does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return float("nan")
    user, nice, system, _idle, _wait, irq, softirq = map(int, stat.read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _reduced(photo: Path, base: Path) -> None:
    import cv2
    import numpy as np

    from lineament.io import images

    large = cv2.resize(images.load(photo).pixels, (3464, 3464), interpolation=cv2.INTER_CUBIC)
    for number in range(12):
        target = base / "large" / "a" / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        images.save(target, np.asarray(large, np.uint8), quality=90)
    manifest = open_dataset(base / "large")
    kept = extract_photo.LOOK_SIDE
    for side in (kept, 10**6):
        extract_photo.LOOK_SIDE = side
        start = time.perf_counter()
        result = extract(manifest, base / f"large-{side}", workers=1)
        rate = result.photos / (time.perf_counter() - start)
        what = "a reduced first look" if side == kept else "whole photos only"
        print(f"12 megapixels, {what}: {rate:.1f} photos a second, {result.faces} faces of 12")
    extract_photo.LOOK_SIDE = kept


def _kills(source: Path, base: Path, photos: int, kills: int) -> None:
    print(f"{photos} photos left alone:")
    print(" ", run(source, base / "alone", 2, memory=True).strip())
    rng = random.Random(9)
    landed = 0
    for _ in range(kills):
        landed += (
            run(source, base / "killed", 2, kill_after=rng.randint(1, 2 * photos // (kills + 1))) == ""
        )
    print(f"killed {landed} times:", run(source, base / "killed", 2).strip())
    alone, killed = digest(base / "alone"), digest(base / "killed")
    print(f"{alone[0]} files, {'equal' if alone == killed else 'NOT EQUAL'} byte for byte")
    if alone != killed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
