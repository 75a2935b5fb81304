"""Names of tracks: one decision at the end, and what is shown meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import ConfigError
from lineament.gallery.gallery import Gallery
from lineament.gallery.tracks import NamingSettings, TrackNames
from lineament.scoring.probability import Probability
from lineament.testing import FakeAnalyzer, threshold
from lineament.testing.fakes import MODEL
from lineament.types import Embedding, Float32, Track

AXES = np.eye(8, dtype=np.float32)
VALUE = 0.4


def between(**shares: float) -> Embedding:
    """As similar to each person as asked."""
    vector = np.zeros(8, np.float32)
    for name, share in shares.items():
        vector[("anna", "bo").index(name)] = share
    vector[7] = np.sqrt(1 - float(vector @ vector))
    return Embedding(vector, MODEL)


def track(embedding: Embedding | None, looks: int = 5) -> Track:
    return Track(1, np.array([0.0, 1.0]), np.zeros((2, 4), np.float32), embedding, looks)


@pytest.fixture
def gallery() -> Gallery:
    faces: dict[str, Float32 | Exception] = {"a.jpg": AXES[:1], "b.jpg": AXES[1:2]}
    opened = Gallery("memory:", FakeAnalyzer(faces), threshold=threshold(VALUE))
    for name, photo in (("anna", "a.jpg"), ("bo", "b.jpg")):
        assert opened.enrol(name, [photo])[0].error is None
    return opened


@pytest.mark.parametrize(
    ("embedding", "looks", "subject"),
    [
        (between(anna=0.41), 2, "anna"),
        (between(anna=0.39), 9, None),
        (between(anna=0.9), 1, None),
        (between(anna=0.5, bo=0.6), 2, "bo"),
        (None, 0, None),
    ],
)
def test_a_track_that_is_over(
    gallery: Gallery, embedding: Embedding | None, looks: int, subject: str | None
) -> None:
    """Is the nearest person if its fused embedding reaches the gallery's threshold, after two looks; the
    nearest is told either way."""
    naming = TrackNames(gallery).decided(track(embedding, looks))
    assert naming.subject == subject and naming.probability is None
    assert (naming.match is None) == (embedding is None)
    if embedding is not None:
        assert naming.similarity == pytest.approx(float(embedding.vector[:2].max()), abs=1e-5)


def test_what_is_shown_does_not_flicker(gallery: Gallery) -> None:
    """A name takes two looks and the threshold; then it stays down to the slack below it, and another takes
    its place only with a lead. In the end the threshold decides all the same."""
    names = TrackNames(gallery, NamingSettings(slack=0.05))
    shown = []
    for embedding in (
        between(anna=0.5),
        between(anna=0.5),
        between(anna=0.37),
        between(anna=0.5, bo=0.53),
        between(anna=0.5, bo=0.56),
        between(bo=0.34),
        between(bo=0.38),
        between(bo=0.41),
    ):
        names.consider({1: embedding})
        now = names.shown(1)
        shown.append(None if now is None else now[0])
    assert shown == [None, "anna", "anna", "anna", "bo", None, None, "bo"]
    names.consider({1: between(bo=0.37)})
    assert names.shown(1) is not None
    assert names.decided(track(between(bo=0.37))).subject is None and names.shown(1) is None


def test_tracks_are_searched_together(gallery: Gallery) -> None:
    """Each for itself."""
    names = TrackNames(gallery, NamingSettings(least_looks=1))
    names.consider({1: between(anna=0.8), 2: between(bo=0.7), 3: between()})
    assert [names.shown(number) for number in (1, 2, 3)] == [
        ("anna", pytest.approx(0.8, abs=1e-5)),
        ("bo", pytest.approx(0.7, abs=1e-5)),
        None,
    ]


def test_the_probability_counts_everybody_who_might_have_been_seen(gallery: Gallery) -> None:
    """Two people and a stranger, equally likely beforehand: one in three, moved by the calibrated curve."""
    curve = Probability("logistic", slope=20.0, offset=-8.0)
    names = TrackNames(gallery, probability=curve)
    for similarity in (0.2, 0.4, 0.6):
        odds = np.exp(20 * similarity - 8) / 2
        naming = names.decided(track(between(anna=similarity)))
        assert naming.probability == pytest.approx(odds / (1 + odds), abs=1e-4)


def test_nobody_enrolled_is_nobody_named(gallery: Gallery) -> None:
    """An empty gallery has no candidates."""
    empty = Gallery("memory:", FakeAnalyzer({}), threshold=threshold(VALUE))
    naming = TrackNames(empty).decided(track(between(anna=0.9)))
    assert (naming.subject, naming.similarity) == (None, None)


@pytest.mark.parametrize("wrong", [{"least_looks": 0}, {"slack": -0.1}, {"slack": 1.0}])
def test_settings_out_of_range(wrong: dict[str, float]) -> None:
    """Are refused by name."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        NamingSettings(**wrong)  # type: ignore[arg-type]
