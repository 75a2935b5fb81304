"""Fusion measured on LFW, and the SQLite store's speed: the figures of docs/howto/gallery.md.

    python benchmarks/gallery.py fusion --data FOLDER    (FOLDER/images holds a folder a person)
    python benchmarks/gallery.py speed

Fusion: of people with at least four photos some are enrolled and the rest are mated probes; people with one
photo are non-mated probes. Repeated over random choices of the photos enrolled.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer, central_face
from lineament.errors import LineamentError
from lineament.gallery.fusion import mean_direction
from lineament.io import catalog
from lineament.records import Bound, Changes, Record
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import MODEL, unit_vectors
from lineament.types import Float32

REPEATS = 5


def embed(folder: Path) -> tuple[dict[str, list[Float32]], int]:
    """The central face of every photo by person, and how many photos gave none."""
    files = sorted(folder.rglob("*.jpg"))
    people: dict[str, list[Float32]] = defaultdict(list)
    failures = 0
    for file, outcome in zip(files, Analyzer().analyze([str(f) for f in files]), strict=True):
        try:
            embedding = central_face(outcome).embedding
        except LineamentError:
            failures += 1
            continue
        assert embedding is not None
        people[file.parent.name].append(embedding.vector)
    return people, failures


def fusion(data: Path) -> None:
    """FNIR and FPIR of both fusions, with one and with three photos enrolled."""
    people, failures = embed(data / "images")
    mated = [photos for photos in people.values() if len(photos) >= 4]
    strangers = np.stack([photos[0] for photos in people.values() if len(photos) == 1])
    print(
        f"{len(mated)} people enrolled, {len(strangers)} non-mated probes, {failures} failures to acquire"
    )
    thresholds = {rate: catalog.card("sface").threshold(rate).value for rate in (1e-3, 1e-4, 1e-5)}
    for enrolled in (1, 3):
        rows: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for seed in range(REPEATS):
            for name, scores in split(mated, enrolled, np.random.default_rng(seed)).items():
                probes = np.concatenate([np.stack(p) for p in scores[1]])
                truth = np.repeat(np.arange(len(mated)), [len(p) for p in scores[1]])
                non, all_scores = scores[0](strangers).max(axis=1), scores[0](probes)
                own = all_scores[np.arange(len(truth)), truth]
                hit = all_scores.argmax(axis=1) == truth
                at = np.nextafter(np.sort(non)[::-1][int(0.01 * len(non))], np.inf)
                cuts = {"FPIR 1 %": at} | {f"FMR {rate:g}": value for rate, value in thresholds.items()}
                for label, cut in cuts.items():
                    rows[name, label].append(
                        (float((non >= cut).mean()), 1 - float((hit & (own >= cut)).mean()))
                    )
        for (name, label), values in rows.items():
            (fpir, fnir), (_, spread) = np.mean(values, axis=0), np.std(values, axis=0)
            print(
                f"{enrolled} enrolled, {name}, {label}: FPIR {fpir:.2%}, FNIR {fnir:.2%} (sd {spread:.2%})"
            )


Scorer = Callable[[Float32], Float32]


def split(
    mated: list[list[Float32]], enrolled: int, rng: np.random.Generator
) -> dict[str, tuple[Scorer, list[list[Float32]]]]:
    """Each fusion's scorer over random enrolled photos, with the probes left."""
    chosen = [[photos[i] for i in rng.permutation(len(photos))] for photos in mated]
    samples = np.concatenate([np.stack(photos[:enrolled]) for photos in chosen])
    templates = np.stack([mean_direction(np.stack(photos[:enrolled])) for photos in chosen])
    probes = [photos[enrolled:] for photos in chosen]
    return {
        "mean": (lambda x: x @ templates.T, probes),
        "best": (lambda x: (x @ samples.T).reshape(len(x), -1, enrolled).max(axis=2), probes),
    }


def speed(count: int) -> None:
    """Times of the SQLite store, and of a bare matrix product beside its search."""
    vectors, queries = unit_vectors(count, 0, 128), unit_vectors(256, 1, 128)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.db"
        store = GalleryStore(SqliteLedger(path))
        store.commit(Changes(bind=Bound(MODEL, 128)))
        records = [Record(f"{i:024x}", f"subject {i // 2}", row) for i, row in enumerate(vectors)]
        clock("write", lambda: store.commit(Changes(put=records)), 1)
        print(f"file: {path.stat().st_size / 1e6:.0f} MB")
        clock("first search, which loads", lambda: store.search(queries[:1], 5), 1)
        for batch in (1, 256):
            searched = clock(f"search of {batch}", lambda b=batch: store.search(queries[:b], 5), 9)
            bare = clock(f"bare product of {batch}", lambda b=batch: vectors @ queries[:b].T, 9)
            print(f"  ratio {searched / bare:.1f}")
        clock("erasure of one subject", lambda: store.commit(Changes(erase=["subject 7"])), 1)
        clock("next search, which loads again", lambda: store.search(queries[:1], 5), 1)
        store.close()


def clock(what: str, call: Callable[[], object], repeats: int) -> float:
    """The shortest time of a call, printed in milliseconds."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    print(f"{what}: {best * 1e3:.2f} ms")
    return float(best)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["fusion", "speed"])
    parser.add_argument("--data", type=Path, help="folder with images/PERSON/*.jpg")
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    if options.what == "fusion":
        if options.data is None:
            parser.error("fusion needs --data")
        fusion(options.data)
    else:
        speed(options.records)
