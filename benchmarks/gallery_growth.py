"""What an enrolment and a search cost at 100 and at 100,000 people: the search itself, and the rest.

    python benchmarks/gallery_growth.py

Both galleries are measured in turn in one run, so that the ratios hold on a busy machine too. The search
itself is what the store's `search` takes, which has to look at everybody; the rest is names, samples,
disputes, templates and the write. Vectors are random, and the analyzer gives faces at once. Half the names
are not ASCII, and one person in ten has a dispute.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from lineament.gallery.gallery import Gallery
from lineament.records import Bound, Changes, Hit, Record, RecordKind, Where
from lineament.stores.gallery_store import SAMPLES, GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.fakes import MODEL, FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors
from lineament.types import Float32

DIMENSION = 128
REPEATS = 25


class Timed(GalleryStore):
    """A store that notes how long its searches take."""

    searching = 0.0

    def search(self, queries: Float32, k: int, where: Where = SAMPLES) -> list[list[Hit]]:
        start = time.perf_counter()
        try:
            return super().search(queries, k, where)
        finally:
            self.searching += time.perf_counter() - start


def people(count: int) -> list[Record]:
    """A sample and a template of so many people, and a dispute of every tenth."""
    vectors = unit_vectors(2 * count, 1, DIMENSION)
    records = []
    for i in range(count):
        name = f"{'Zoë' if i % 2 else 'Ann'} {i:06d}"
        kinds = (RecordKind.SAMPLE, RecordKind.TEMPLATE)
        records += [Record(f"{i:07d}-{kind}", name, vectors[i], kind) for kind in kinds]
        if i % 10 == 0:
            records.append(Record(f"{i:07d}-d", name, vectors[count + i], RecordKind.DISPUTE))
    return records


def main(sizes: list[int]) -> None:
    """Print medians in milliseconds of each size, and the ratio of the largest to the smallest."""
    new = unit_vectors(2 * REPEATS, 7, DIMENSION)
    faces = {f"new{i}": new[i : i + 1] for i in range(len(new))}
    times: dict[tuple[str, str], dict[int, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        galleries = {}
        for size in sizes:
            store = Timed(SqliteLedger(Path(folder) / f"{size}.db"))
            store.commit(Changes(bind=Bound(MODEL, DIMENSION)))
            store.commit(Changes(put=people(size)))
            galleries[size] = Gallery(store, FakeAnalyzer(faces), threshold=threshold(0.9))
            galleries[size].enrol("warm", picture(f"new{len(new) - 1}"))
        for repeat in range(REPEATS):
            for size, gallery in galleries.items():
                store = gallery.store
                assert isinstance(store, Timed)
                photo = picture(f"new{repeat}")
                calls = {
                    "enrol": lambda g=gallery, p=photo, r=repeat: g.enrol(f"Renée {r}", p),
                    "identify": lambda g=gallery, p=photo: list(g.identify(p)),
                    "verify": lambda g=gallery, p=photo: g.verify(p, "Zoë 000001"),
                }
                for name, call in calls.items():
                    store.searching, start = 0.0, time.perf_counter()
                    call()
                    whole = time.perf_counter() - start
                    for part, taken in (("search", store.searching), ("rest", whole - store.searching)):
                        times.setdefault((name, part), {}).setdefault(size, []).append(taken * 1e3)
        for gallery in galleries.values():
            gallery.close()
    print("call      part    " + "".join(f"{size:>12,}" for size in sizes) + "     ratio")
    for (name, part), by_size in times.items():
        medians = [statistics.median(by_size[size]) for size in sizes]
        if not np.any(medians):
            continue
        print(
            f"{name:<10}{part:<8}"
            + "".join(f"{median:>9.3f} ms" for median in medians)
            + f"{medians[-1] / medians[0]:>10.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, nargs="+", default=[100, 100_000])
    main(parser.parse_args().people)
