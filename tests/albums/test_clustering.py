"""Grouping faces: an exact graph, average linkage over it, and rules that no similarity breaks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from lineament.albums.clustering import Rules, agglomerate, parts
from lineament.albums.evidence import Evidence, Linkage, linkage_of
from lineament.albums.neighbours import graph
from lineament.errors import InsufficientData
from lineament.io import catalog
from lineament.testing.fakes import MODEL
from lineament.types import Float32

AVERAGE = Linkage(value=0.4, power=0.0, twice=0.1)


def people(counts: list[int], noise: float = 0.6, seed: int = 0) -> tuple[Float32, np.ndarray]:
    """Unit rows around one direction a person, and whose they are."""
    random = np.random.default_rng(seed)
    whose = np.repeat(np.arange(len(counts)), counts)
    rows = random.standard_normal((len(counts), 128))[whose] + noise * random.standard_normal(
        (len(whose), 128)
    )
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32), whose


def grouped(vectors: Float32, rules: Rules | None = None, how: Linkage = AVERAGE) -> np.ndarray:
    lengths = np.full(len(vectors), 12, np.float32)
    near = graph(vectors, floor=-1, nearest=len(vectors))
    return agglomerate(Evidence(vectors, lengths, how), near, rules or Rules.none(len(vectors))).labels


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a[:, None] == a[None], b[:, None] == b[None])


def two_alike(cosine: float, dimension: int = 8) -> Float32:
    rows = np.zeros((2, dimension), np.float32)
    rows[:, 0] = 1, cosine
    rows[1, 1] = np.sqrt(1 - cosine**2)
    return rows


@pytest.mark.parametrize("nearest", [1, 5, 400])
def test_the_graph_is_what_a_full_sort_gives(nearest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of any size give the pairs that comparing everything with everything gives."""
    vectors, _ = people([7] * 30)
    monkeypatch.setattr("lineament.albums.neighbours.BLOCK", 32)
    monkeypatch.setattr("lineament.albums.neighbours._COLUMNS", 50)
    found = graph(vectors, floor=0.2, nearest=nearest)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -1)
    expected = set()
    for i, row in enumerate(scores):
        best = [j for j in np.argsort(-row)[:nearest].tolist() if row[j] >= 0.2]
        expected |= {(min(i, j), max(i, j)) for j in best}
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("seed", range(3))
def test_power_0_is_average_linkage(seed: int) -> None:
    """Over the whole graph the groups are those of scipy's average linkage at the same similarity."""
    vectors, _ = people([1, 2, 3, 5, 8, 13, 21], noise=1.1, seed=seed)
    apart = np.clip(1 - vectors @ vectors.T, 0, 2)[np.triu_indices(len(vectors), 1)]
    expected = fcluster(linkage(apart.astype(np.float64), "average"), 1 - AVERAGE.value, "distance")
    assert alike(grouped(vectors), expected)


def test_people_are_found() -> None:
    """Faces around clear directions are grouped by person, and a lone one stays alone."""
    vectors, whose = people([1, 1, 4, 30, 9])
    assert alike(grouped(vectors, how=linkage_of(catalog.card("sface").model_id)), whose)


def test_a_group_is_compared_as_a_whole() -> None:
    """What noise adds to each face averages out: at power 0.3 groups join that at power 0 stay apart."""
    vectors, _ = people([20], noise=1.35)
    at_0, at_3 = (grouped(vectors, how=Linkage(0.4, power)) for power in (0.0, 0.3))
    assert len(parts(at_3, range(20))[0]) >= 19 > len(parts(at_0, range(20))[0])


def test_bad_faces_need_more() -> None:
    """A cosine that joins two faces with long embeddings does not join two with short ones."""
    vectors, how = two_alike(0.45), Linkage(0.4, 0.0, poor=0.2, usable=9)
    near = graph(vectors, floor=0)
    for length, groups in ((10, 1), (3, 2)):
        lengths = np.full(2, length, np.float32)
        found = agglomerate(Evidence(vectors, lengths, how), near, Rules.none(2))
        assert len(set(found.labels.tolist())) == groups


def test_clusters_that_are_there_are_never_joined() -> None:
    """Two clusters held stay two, however alike; that they are alike is told."""
    vectors, _ = people([6])
    rules = Rules(np.array([1, 1, 2, 2, -1, -1]), np.arange(6), np.zeros(6, bool))
    near = graph(vectors, floor=0)
    found = agglomerate(Evidence(vectors, np.full(6, 12, np.float32), AVERAGE), near, rules)
    first, second = found.labels[0], found.labels[2]
    assert found.labels[1] == first != second == found.labels[3]
    assert set(found.labels.tolist()) == {first, second}
    assert {frozenset(pair[:2]) for pair in found.open} == {frozenset((first, second))}


def test_faces_alone_join_nobody() -> None:
    """A face marked alone is joined with no equal face, and the pair is left open for a person."""
    vectors = two_alike(0.99)
    rules = Rules(np.array([-1, -1]), np.arange(2), np.array([True, False]))
    near = graph(vectors, floor=0)
    found = agglomerate(Evidence(vectors, np.full(2, 12, np.float32), AVERAGE), near, rules)
    assert found.labels.tolist() == [0, 1]
    assert [pair[:2] for pair in found.open] == [(0, 1)]


def test_faces_of_two_people_stay_apart() -> None:
    """Faces said to be apart are in two groups, also when a third is like both; nothing is left open."""
    vectors, _ = people([5], noise=0.3)
    rules = Rules(np.full(5, -1), np.arange(5), np.zeros(5, bool), [(0, 3)])
    near = graph(vectors, floor=0)
    found = agglomerate(Evidence(vectors, np.full(5, 12, np.float32), AVERAGE), near, rules)
    assert found.labels[0] != found.labels[3]
    assert len(set(found.labels.tolist())) == 2
    assert not found.open


def test_twice_in_one_photo_takes_more() -> None:
    """Two faces of one photo join only where they are likelier than two of two photos: mirrors exist."""
    for cosine, photos, groups in ((0.45, [0, 1], 1), (0.45, [0, 0], 2), (0.55, [0, 0], 1)):
        rules = Rules(np.full(2, -1), np.array(photos), np.zeros(2, bool))
        assert len(set(grouped(two_alike(cosine), rules).tolist())) == groups


def test_parts_are_the_largest_first() -> None:
    """The rows of each group, the largest group first, equal ones by their first row."""
    assert parts(np.array([4, 1, 4, 1, 0, 1]), range(6)) == [[1, 3, 5], [0, 2], [4]]


def test_an_embedder_nobody_measured_is_refused_by_name() -> None:
    """Without a measured similarity nothing is grouped: a guess would join strangers."""
    with pytest.raises(InsufficientData, match="fake"):
        linkage_of(MODEL)
