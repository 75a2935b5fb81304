"""A search groups by subject, decides by a measured threshold, and follows the number of people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lineament.errors import ConfigError, InsufficientData, ModelMismatch, UsageError
from lineament.gallery.fusion import KIND, mean_direction
from lineament.gallery.gallery import Gallery
from lineament.gallery.searching import search_threshold, strangers_matched
from lineament.io import catalog
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors
from lineament.types import Decision, Embedding, Faces, ModelId

SFACE = catalog.card("sface").model_id
VECTORS = unit_vectors(60, 1, 32)


def filled(fusion: str) -> tuple[Gallery, dict[str, list[int]]]:
    """Twelve subjects with five random samples each."""
    analyzer = FakeAnalyzer({f"p{i}": VECTORS[i : i + 1] for i in range(60)})
    gallery = Gallery("memory:", analyzer, threshold=threshold(0.99), fusion=fusion)  # type: ignore[arg-type]
    rows = {f"s{s:02d}": list(range(5 * s, 5 * s + 5)) for s in range(12)}
    for subject, numbers in rows.items():
        gallery.enrol(subject, [picture(f"p{i}") for i in numbers], allow=["other-subject"])
    return gallery, rows


@pytest.mark.parametrize("fusion", list(KIND))
@pytest.mark.parametrize("k", [1, 3, 12, 40])
def test_grouping(fusion: str, k: int) -> None:
    """The k best subjects are those of a plain computation, each once, ranked from 1."""
    gallery, rows = filled(fusion)
    probes = unit_vectors(7, 9, 32)
    faces = Faces(
        np.zeros((7, 4), np.float32),
        np.ones(7, np.float32),
        embeddings=probes,
        model=FakeAnalyzer({}).model,
    )
    for probe, match in zip(probes, gallery.identify_faces(faces, k), strict=True):
        scores = {}
        for subject, numbers in rows.items():
            if fusion == "best":
                scores[subject] = max(float(VECTORS[i] @ probe) for i in numbers)
            else:
                scores[subject] = float(mean_direction(VECTORS[numbers]) @ probe)
        want = sorted(scores.items(), key=lambda item: -item[1])[:k]
        assert [c.subject for c in match.candidates] == [subject for subject, _ in want]
        assert [c.similarity for c in match.candidates] == pytest.approx([s for _, s in want], abs=1e-5)
        assert [c.rank for c in match.candidates] == list(range(1, len(want) + 1))


def test_opposite_samples_have_a_template() -> None:
    """Samples that cancel out give no NaN: the first stands for all."""
    pair = np.stack([VECTORS[0], -VECTORS[0]])
    assert np.array_equal(mean_direction(pair), VECTORS[0])


def test_empty_gallery() -> None:
    """Nobody enrolled: no candidates, no match, and no error."""
    gallery = Gallery("memory:", FakeAnalyzer({"p": VECTORS[:1]}), threshold=threshold(0.5))
    [found] = gallery.identify([picture("p")])
    assert found.matches[0].candidates == ()
    assert found.matches[0].decision is Decision.NO_MATCH


def test_unreadable_probe() -> None:
    """A probe that cannot be read is a refused outcome without matches; the rest goes on."""
    gallery = Gallery("memory:", FakeAnalyzer({"p": VECTORS[:1]}), threshold=threshold(0.5))
    first, second = gallery.identify([picture("missing"), picture("p")])
    assert (first.outcome.status, first.matches) == ("refused", ())
    assert len(second.matches) == 1


@pytest.mark.parametrize(("people", "rate"), [(0, 1e-3), (10, 1e-3), (11, 1e-4), (100, 1e-4), (101, 1e-5)])
def test_threshold_follows_the_number_of_people(people: int, rate: float) -> None:
    """The rate taken is the highest measured, up to 0.001, at which under 1 % of strangers match."""
    assert search_threshold(SFACE, people).target_rate == pytest.approx(rate)


def test_very_many_people() -> None:
    """Where no measured rate is low enough the lowest is taken."""
    lowest = min(row.target_rate for row in catalog.card("sface").thresholds)
    assert search_threshold(SFACE, 10**9).target_rate == lowest


def test_strangers_matched() -> None:
    """Among N people a stranger matches somebody with probability 1 - (1 - FMR)^N."""
    assert strangers_matched(0.001, 0) == 0
    assert strangers_matched(0.001, 1) == pytest.approx(0.001)
    assert strangers_matched(0.001, 1000) == pytest.approx(1 - 0.999**1000)


def test_rate_asked_for() -> None:
    """A target FMR decides whatever the number of people, for 1:1 too; one never measured is refused."""
    gallery = Gallery("memory:", target_fmr=1e-2)
    assert gallery.threshold(SFACE).target_rate == 1e-2
    with pytest.raises(InsufficientData, match="measured:"):
        Gallery("memory:", target_fmr=0.05).threshold(SFACE)


def test_threshold_of_another_model() -> None:
    """A threshold measured with other weights never decides."""
    other = ModelId("sface", "0" * 64)
    for gallery in (
        Gallery("memory:"),
        Gallery("memory:", target_fmr=1e-3),
        Gallery("memory:", threshold=threshold(0.5)),
    ):
        with pytest.raises(ModelMismatch):
            gallery.threshold(other)


def test_verification_does_not_follow_the_number_of_people() -> None:
    """A 1:1 comparison is decided at FMR 0.001, however many people there are."""
    rows = unit_vectors(30, 4, 128)
    analyzer = FakeAnalyzer({f"p{i}": rows[i : i + 1] for i in range(30)}, model=SFACE)
    gallery = Gallery("memory:", analyzer)
    for i in range(30):
        gallery.enrol(f"s{i}", [picture(f"p{i}")], allow=["other-subject"])
    answer = gallery.verify_embedding(Embedding(rows[3], SFACE), "s3")
    assert answer.decision is Decision.MATCH
    assert answer.similarity == pytest.approx(1)
    assert answer.threshold.target_rate == pytest.approx(1e-3)
    [found] = gallery.identify([picture("p3")])
    assert found.matches[0].threshold.target_rate == pytest.approx(1e-4)


def test_a_threshold_for_searches_verifies_nobody() -> None:
    """One calibrated for an FPIR decides searches; asked 1:1 the gallery refuses by name."""
    rows = unit_vectors(2, 4, 128)
    analyzer = FakeAnalyzer({f"p{i}": rows[i : i + 1] for i in range(2)})
    gallery = Gallery("memory:", analyzer, threshold=replace(threshold(0.5), kind="FPIR", enrolled=2))
    gallery.enrol("s0", [picture("p0")])
    with pytest.raises(UsageError, match="FPIR"):
        gallery.verify_embedding(Embedding(rows[0], analyzer.model), "s0")
    with pytest.raises(UsageError, match="FPIR"):
        gallery.verify(picture("p0"), "s0")
    [found] = gallery.identify([picture("p0")])
    assert found.matches[0].decision is Decision.MATCH


def test_unknown_fusion() -> None:
    """A misspelt fusion is answered with those there are."""
    with pytest.raises(ConfigError, match="did you mean 'mean'"):
        Gallery("memory:", fusion="meen")  # type: ignore[arg-type]
