"""Resident memory while 10,000 pictures go through the analyzer: it must stay flat.

    python benchmarks/memory.py --data DIR [--pictures 10000] [--attributes]

DIR is any folder of pictures; its files are taken again and again until the number is reached.
Prints a row every twentieth of the way, then the growth over the second half.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import cycle, islice
from pathlib import Path

from lineament.analyzer import Analyzer
from lineament.io import sources


def resident_mb() -> float:
    """Megabytes of this process in memory now (Linux), or at most so far (elsewhere)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--attributes", action="store_true", help="age and gender too")
    args = parser.parse_args()

    files = list(sources.expand([args.data]))
    attributes = ("age", "gender") if args.attributes else ()
    every = max(1, args.pictures // 20)
    rows: list[float] = []
    faces = refused = 0
    start = time.perf_counter()
    print("| pictures | faces | refused | resident MB | seconds |\n|---|---|---|---|---|")
    with Analyzer(attributes=attributes) as analyzer:
        outcomes = analyzer.analyze(islice(cycle(files), args.pictures))
        for number, outcome in enumerate(outcomes, 1):
            faces += len(outcome.faces)
            refused += outcome.error is not None
            if number % every == 0:
                rows.append(resident_mb())
                seconds = time.perf_counter() - start
                print(f"| {number} | {faces} | {refused} | {rows[-1]:.0f} | {seconds:.0f} |", flush=True)
    half = rows[len(rows) // 2 :]
    print(f"\nGrowth over the second half: {half[-1] - half[0]:+.1f} MB, peak {max(rows):.0f} MB")


if __name__ == "__main__":
    main()
