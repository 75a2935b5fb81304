"""Import the real data sets, then take each through every label format that suits it and back.

    python benchmarks/label_formats.py --data DIR

Prints what was imported and what was wrong, then per export the seconds and the loss report.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from lineament.datasets.exporting import export_labels
from lineament.datasets.importing.labels import import_labels, summary

SETS = {
    "scenes_masked": None,
    "wider_416": None,
    "lfw": None,
    "lfw/emotion_labels.csv": None,
    "utkface": None,
    "fer2013": "imagefolder:label=emotion",
    "orl": None,
    "bbt/faces": None,
}
BOXED = (
    "coco",
    "yolo",
    "voc",
    "labelme",
    "wider",
    "csv",
    "roboflow",
    "roboflow:flavour=yolo",
    "webdataset",
)
PLAIN = ("csv", "webdataset", "coco")
PEOPLE = ("imagefolder", "lfw")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    for name, format in SETS.items():
        started = time.perf_counter()
        found = import_labels(data / name, format)
        took = time.perf_counter() - started
        counts = summary(found)
        print(f"{name}: {counts} problems {found.problems.counts()} in {took:.1f} s")
        targets = BOXED if counts["faces"] else PLAIN + (PEOPLE if counts["subjects"] else ())
        for target in (*targets, *([format] if format else [])):
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                done = export_labels(found.manifest, Path(folder) / "out", target)
                took = time.perf_counter() - started
            lost = {
                field: tally.count
                if tally.worst_px is None
                else f"{tally.count} (<= {tally.worst_px:.2g} px)"
                for field, tally in done.losses
            }
            print(
                f"    -> {target}: {done.rows} of {len(found.manifest)} rows in {took:.1f} s; lost {lost}"
            )


if __name__ == "__main__":
    main()
