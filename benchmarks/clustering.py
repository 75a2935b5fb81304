"""How well faces are grouped by person, and how fast: this tool against five other methods.

    python benchmarks/clustering.py LFW --strangers UTKFACE --cache DIR [--infomap PYTHON]
    python benchmarks/clustering.py --scale 100000

``LFW`` is the folder with ``images/PERSON/*.jpg`` and ``pairs.csv``. Settings of the other methods are
chosen on the people of folds 1 and 2, for each figure and each mark anew; everything is measured on the
people of fold 3. This tool has one setting for all (`lineament.albums.evidence.MEASURED`), chosen once on
folds 1 and 2. The marks: every photo as it is; half of the photos shrunk to 16-35 %, blurred and
recompressed; the same among 2,000 faces of strangers (UTKFace), of 16 years and more, and of all ages.
Infomap is GPL, so it runs in an environment of its own, named by its Python.
"""

from __future__ import annotations

import argparse
import csv
import io
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter

from lineament.albums.arranging import SMALL_CHILD_YEARS
from lineament.albums.clustering import Rules, agglomerate
from lineament.albums.evidence import MEASURED, Evidence
from lineament.albums.neighbours import graph
from lineament.analyzer import Analyzer, central_face
from lineament.errors import FaceError, PictureError
from lineament.scoring.resampling import draws

SEED = 0
STRANGERS = 2000
Labels = NDArray[np.intp]


class Marked(NamedTuple):
    """Faces with the person of each: ``vectors`` ``(N, D)``, ``lengths``, ``ages``, ``people`` ``(N,)``."""

    vectors: NDArray[np.float32]
    lengths: NDArray[np.float32]
    ages: NDArray[np.float32]
    people: Labels


# Faces


def made_bad(photo: Path) -> bytes:
    """The photo shrunk to 16-35 %, blurred, recompressed, and shown at its old size again."""
    random = np.random.default_rng(zlib.crc32(photo.name.encode()))
    picture = PillowImage.open(photo).convert("RGB")
    size, share = picture.size, random.uniform(0.16, 0.35)
    small = picture.resize(
        (round(size[0] * share), round(size[1] * share)), PillowImage.Resampling.BILINEAR
    )
    small = small.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 0.9)))
    poor = io.BytesIO()
    small.save(poor, "JPEG", quality=int(random.integers(30, 60)))
    large = PillowImage.open(poor).convert("RGB").resize(size, PillowImage.Resampling.BICUBIC)
    shown = io.BytesIO()
    large.save(shown, "JPEG", quality=85)
    return shown.getvalue()


def faces(name: str, photos: Sequence[Path], make: Callable[[Path], Any], cache: Path) -> dict[str, Any]:
    """The central face of each photo, from the cache where it is there."""
    kept = cache / f"{name}.npz"
    if not kept.exists():
        keys, vectors, lengths, ages = [], [], [], []
        with Analyzer(attributes=["age"], workers=1) as analyzer:
            for photo, outcome in zip(photos, analyzer.analyze(map(make, photos)), strict=True):
                try:
                    face = central_face(outcome)
                except (FaceError, PictureError) as error:
                    print(f"{photo}: {error}", file=sys.stderr)
                    continue
                assert face.embedding is not None
                keys.append(f"{photo.parent.name}/{photo.name}")
                vectors.append(face.embedding.vector)
                lengths.append(face.embedding.length)
                ages.append(float(face.attributes["age"]))
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, keys=keys, vec=vectors, length=lengths, age=ages)
    with np.load(kept) as values:
        return {key: values[key] for key in ("keys", "vec", "length", "age")}


def marks(lfw: Path, strangers: Path, cache: Path) -> Iterator[tuple[str, Marked, Marked]]:
    """Each mark with what settings are chosen on (folds 1-2) and what is measured (fold 3)."""
    photos = sorted((lfw / "images").rglob("*.jpg"))
    good = faces("clean", photos, str, cache)
    bad = faces("bad", photos, made_bad, cache)
    others = faces("utk", sorted(strangers.rglob("*.jpg")), str, cache)
    fold = {
        row[side].split("/")[-2]: int(row["fold"])
        for row in csv.DictReader((lfw / "pairs.csv").open())
        for side in ("image1", "image2")
    }
    of_bad = {key: i for i, key in enumerate(bad["keys"])}

    def chosen(folds: set[int], share: float, strange: Labels) -> Marked:
        random = np.random.default_rng(SEED)
        rows: list[tuple[Any, int]] = []
        people: list[str] = []
        for i, key in enumerate(good["keys"]):
            worse = random.random() < share
            person = key.split("/")[-2]
            if fold.get(person) not in folds or (worse and key not in of_bad):
                continue
            source, row = (bad, of_bad[key]) if worse else (good, i)
            rows.append((source, row))
            people.append(person)
        rows += [(others, int(row)) for row in strange]
        people += [f"stranger {row}" for row in strange]
        columns = (np.array([d[key][i] for d, i in rows], np.float32) for key in ("vec", "length", "age"))
        return Marked(*columns, np.unique(people, return_inverse=True)[1])

    # UTKFace calls its files AGE_GENDER_....
    ages = np.array([int(key.split("/")[-1].split("_")[0]) for key in others["keys"]])
    of_age = np.flatnonzero(ages >= 16)
    everybody = np.arange(len(ages))
    yield "as they are", chosen({1, 2}, 0, everybody[:0]), chosen({3}, 0, everybody[:0])
    yield "half made bad", chosen({1, 2}, 0.5, everybody[:0]), chosen({3}, 0.5, everybody[:0])
    for who, strange in (("of 16 years and more", of_age), ("of all ages", everybody)):
        yield (
            f"half made bad, among {STRANGERS:,} strangers {who}",
            chosen({1, 2}, 0.5, strange[STRANGERS:]),
            chosen({3}, 0.5, strange[:STRANGERS]),
        )


# Methods: each gives groups by setting


def own(marked: Marked, *, children: bool) -> Labels:
    """Groups by this tool; without ``children`` small children are joined with nobody, as in albums."""
    linkage = MEASURED["sface"]
    near = graph(marked.vectors, floor=linkage.floor)
    evidence = Evidence(marked.vectors, marked.lengths, linkage)
    rules = Rules.none(len(marked.vectors))
    if not children:
        rules = Rules(rules.held, rules.photos, marked.ages < SMALL_CHILD_YEARS)
    return agglomerate(evidence, near, rules).labels


THRESHOLDS = (0.28, 0.3, 0.32, 0.34, 0.36, 0.38, 0.4, 0.42, 0.44, 0.46, 0.5, 0.54)


def average(marked: Marked, settings: Sequence[Any]) -> dict[Any, Labels]:
    """Average linkage over every pair."""
    from scipy.cluster.hierarchy import fcluster, linkage

    upper = np.triu_indices(len(marked.vectors), 1)
    tree = linkage(np.clip(1 - (marked.vectors @ marked.vectors.T)[upper], 0, 2), "average")
    return {t: fcluster(tree, 1 - t, "distance").astype(np.intp) for t in settings}


def whispers(marked: Marked, settings: Sequence[Any]) -> dict[Any, Labels]:
    """Chinese whispers (Biemann 2006): each face takes the label that weighs most among its neighbours."""
    similar = marked.vectors @ marked.vectors.T
    np.fill_diagonal(similar, -1)
    found = {}
    for threshold in settings:
        random = np.random.default_rng(SEED)
        labels = np.arange(len(similar))
        near = [np.flatnonzero(row >= threshold) for row in similar]
        for _ in range(20):
            before = labels.copy()
            for i in random.permutation(len(similar)):
                if len(near[i]):
                    weights = np.bincount(labels[near[i]], similar[i, near[i]])
                    labels[i] = int(weights.argmax())
            if np.array_equal(before, labels):
                break
        found[threshold] = labels
    return found


def dbscan(marked: Marked, settings: Sequence[Any]) -> dict[Any, Labels]:
    """DBSCAN; noise is a face by itself."""
    from sklearn.cluster import DBSCAN

    apart = np.clip(1 - marked.vectors @ marked.vectors.T, 0, 2)
    return {
        (t, least): _without_noise(
            DBSCAN(eps=1 - t, min_samples=least, metric="precomputed").fit_predict(apart)
        )
        for t in settings
        for least in (1, 2, 3)
    }


def hdbscan(marked: Marked, settings: Sequence[Any]) -> dict[Any, Labels]:
    """HDBSCAN; noise is a face by itself. ``settings`` of the others mean nothing to it."""
    from sklearn.cluster import HDBSCAN

    apart = np.clip(1 - marked.vectors @ marked.vectors.T, 0, 2).astype(np.float64)
    return {
        (least, how): _without_noise(
            HDBSCAN(
                min_cluster_size=2,
                min_samples=least,
                cluster_selection_method=how,
                metric="precomputed",
                copy=True,
            ).fit_predict(apart)
        )
        for least in (1, 2)
        for how in ("eom", "leaf")
    }


_INFOMAP = """
import sys, numpy as np
from infomap import Infomap
with np.load(sys.argv[1]) as given:
    i, j, w, labels = given["i"], given["j"], given["w"], given["labels"]
network = Infomap("--two-level --silent --seed 1")
for a, b, weight in zip(i.tolist(), j.tolist(), w.tolist()):
    network.add_link(a, b, weight)
if len(i):
    network.run()
    for node in network.nodes:
        labels[node.node_id] = node.module_id
np.save(sys.argv[2], labels)
"""


def infomap(python: str) -> Callable[[Marked, Sequence[Any]], dict[Any, Labels]]:
    """Infomap over the pairs above a threshold, in the environment of ``python``."""

    def grouped(marked: Marked, settings: Sequence[Any]) -> dict[Any, Labels]:
        similar = marked.vectors @ marked.vectors.T
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            given, taken = f"{folder}/given.npz", f"{folder}/taken.npy"
            for threshold in settings:
                i, j = np.nonzero(np.triu(similar, 1) >= threshold)
                np.savez(given, i=i, j=j, w=similar[i, j], labels=len(similar) + np.arange(len(similar)))
                subprocess.run([python, "-W", "ignore", "-c", _INFOMAP, given, taken], check=True)
                found[threshold] = np.load(taken)
        return found

    return grouped


def _without_noise(labels: Labels) -> Labels:
    noise = labels < 0
    labels = labels.copy()
    labels[noise] = labels.max() + 1 + np.arange(noise.sum())
    return labels


# Figures


FIGURES = ("pairwise F", "precision", "recall", "BCubed F", "precision", "recall")


def figures(
    people: Labels, labels: Labels, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """`FIGURES` ``(R, 6)`` where each person counts as often as ``weights`` ``(R, P)`` says."""
    groups = np.unique(labels, return_inverse=True)[1]
    cells, counts = np.unique(groups * (people.max() + 1) + people, return_counts=True)
    group, person = np.divmod(cells, people.max() + 1)
    if weights is None:
        weights = np.ones((1, people.max() + 1))
    photos = np.bincount(people).astype(np.float64)
    rows = []
    for each in weights:
        w = each[person]
        pairs = (w * counts * (counts - 1) / 2).sum()
        held = np.bincount(group, w * counts)
        # Drawn twice, a person counts as two of the same faces, never as pairs with itself.
        joined = pairs + ((held**2).sum() - np.bincount(group, (w * counts) ** 2).sum()) / 2
        true = (each * photos * (photos - 1) / 2).sum()
        precision, recall = pairs / max(joined, 1), pairs / max(true, 1)
        total = (each * photos).sum()
        other = held[group] - w * counts
        bcubed_precision = (w * counts * counts / (counts + other)).sum() / total
        bcubed_recall = (w * counts * counts / photos[person]).sum() / total
        rows.append(
            (
                *(_f(precision, recall), precision, recall),
                *(_f(bcubed_precision, bcubed_recall), bcubed_precision, bcubed_recall),
            )
        )
    return np.array(rows)


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def compare(lfw: Path, strangers: Path, cache: Path, python: str | None) -> None:
    """Every mark: each method's figures, and how far this tool lies above it, drawn by people."""
    methods: dict[str, Callable[[Marked, Sequence[Any]], Mapping[Any, Labels]]] = {
        "average linkage": average,
        "Chinese whispers": whispers,
        "DBSCAN": dbscan,
        "HDBSCAN": hdbscan,
    }
    if python is not None:
        methods["Infomap"] = infomap(python)
    for title, known, measured in marks(lfw, strangers, cache):
        people = int(measured.people.max()) + 1
        print(f"\n{title}: {len(measured.people):,} faces of {people:,} people", flush=True)
        weights = np.concatenate(list(draws(people, 500, SEED)))
        alike = own(measured, children=True)
        _row("lineament", "small children joined too", figures(measured.people, alike)[0])
        ours = own(measured, children=False)
        _row("lineament", "", figures(measured.people, ours)[0])
        both = [figures(measured.people, labels, weights) for labels in (alike, ours)]
        for name, method in methods.items():
            tried = method(known, THRESHOLDS)
            scored = {setting: figures(known.people, labels)[0] for setting, labels in tried.items()}
            for column, figure in ((0, "pairwise"), (3, "BCubed")):
                best = max(scored, key=lambda setting: float(scored[setting][column]))
                labels = method(measured, [best] if not isinstance(best, tuple) else THRESHOLDS)[best]
                theirs = figures(measured.people, labels)[0]
                drawn = figures(measured.people, labels, weights)
                above = " and ".join(
                    "{:+.3f} to {:+.3f}".format(*np.percentile((mine - drawn)[:, column], [2.5, 97.5]))
                    for mine in both
                )
                _row(name, f"{figure} at {best}: lineament {above}", theirs)


def _row(name: str, note: str, values: NDArray[np.float64]) -> None:
    print(f"{name:18}" + "".join(f" {value:.3f}" for value in values) + f"  {note}", flush=True)


def scale(size: int) -> None:
    """Time and memory on made-up faces: people with 1 to 60 photos each, as like as LFW's are."""
    random = np.random.default_rng(SEED)
    counts: list[int] = []
    while sum(counts) < size:
        counts.append(int(min(60, random.pareto(1.2) + 1)))
    people = np.repeat(np.arange(len(counts)), counts)[:size]
    centres = random.standard_normal((len(counts), 128)).astype(np.float32)
    vectors = 0.82 * centres[people] + 0.57 * random.standard_normal((size, 128)).astype(np.float32)
    # Real faces have something in common: strangers' mean cosine is 0.09, as LFW's is.
    vectors += 0.31 * random.standard_normal(128).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    linkage = MEASURED["sface"]
    began = time.perf_counter()
    near = graph(vectors, floor=linkage.floor)
    found = time.perf_counter()
    labels = agglomerate(
        Evidence(vectors, np.full(size, 12, np.float32), linkage), near, Rules.none(size)
    ).labels
    ended = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    _row("lineament", "", figures(people, labels)[0])
    print(
        f"{size:,} faces of {len(counts):,} people: {len(near):,} near pairs in {found - began:.0f} s, "
        f"grouped in {ended - found:.0f} s, {memory:.2f} GiB at most"
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lfw", type=Path, nargs="?")
    parser.add_argument("--strangers", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "lineament-clustering")
    parser.add_argument("--infomap", metavar="PYTHON")
    parser.add_argument("--scale", type=int)
    given = parser.parse_args()
    if given.scale:
        scale(given.scale)
    if given.lfw and given.strangers:
        print("", *FIGURES, sep=" | ")
        compare(given.lfw, given.strangers, given.cache, given.infomap)


if __name__ == "__main__":
    main()
