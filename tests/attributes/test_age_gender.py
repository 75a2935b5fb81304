"""Age and gender: plausible on the samples, steady under what must not matter, batch equals singles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.attributes._dlib_chip import cut_chips
from lineament.attributes.age import Age
from lineament.attributes.gender import Gender
from lineament.errors import NoLandmarks
from lineament.geometry.landmarks import flip_horizontally
from lineament.io import images
from lineament.protocols import AttributeClassifier
from lineament.registry import attributes
from lineament.types import Faces, Image

SAMPLES = sorted(p for p in (Path(__file__).parents[2] / "samples").iterdir() if p.suffix != ".md")
TRUE_AGES = {  # at the year in the file's name; the NASA portrait is of 1999
    "biden_2010_white_house": 67,
    "biden_2013_portrait": 70,
    "collins_nasa": 42,
    "obama_2009_congress": 47,
    "obama_2010_white_house": 48,
    "obama_2012_portrait": 51,
}


@pytest.fixture(scope="module")
def found() -> list[tuple[Image, Faces]]:
    with Analyzer(embedder=None, quality=False) as analyzer:
        pictures = [images.load(path) for path in SAMPLES]
        faces = [outcome.faces[:1] for outcome in analyzer.analyze(pictures)]
    assert all(len(f) == 1 for f in faces)
    return list(zip(pictures, faces, strict=True))


@pytest.fixture(scope="module", params=["age", "gender"])
def classifier(request: pytest.FixtureRequest) -> AttributeClassifier:
    return attributes.create(request.param)


def test_gender_of_the_samples(found: list[tuple[Image, Faces]]) -> None:
    """Official portraits are classified right."""
    pictures, faces = zip(*found, strict=True)
    answers = {
        p.stem: a["gender"].values[0]
        for p, a in zip(SAMPLES, Gender().predict(pictures, faces), strict=True)
    }
    assert answers == {name: "female" if "collins" in name else "male" for name in TRUE_AGES}


def test_ages_of_the_samples(found: list[tuple[Image, Faces]]) -> None:
    """Ages of the six portraits are within 12 years on average, and no one is taken for a child."""
    pictures, faces = zip(*found, strict=True)
    answers = {
        p.stem: a["age"].values[0] for p, a in zip(SAMPLES, Age().predict(pictures, faces), strict=True)
    }
    errors = [abs(float(answers[name]) - age) for name, age in TRUE_AGES.items()]
    assert np.mean(errors) < 12
    assert all(float(value) > 25 for value in answers.values())


def test_age_is_the_mean_of_its_probabilities(found: list[tuple[Image, Faces]]) -> None:
    """The value shown is the expectation over 81 classes, the first standing for a quarter of a year."""
    image, faces = found[0]
    answer = Age().predict([image], [faces])[0]["age"]
    expected = 0.25 * answer.probabilities[0, 0] + sum(
        year * answer.probabilities[0, year] for year in range(1, 81)
    )
    assert answer.values[0] == pytest.approx(float(expected), abs=1e-3)


def test_batch_equals_singles(classifier: AttributeClassifier, found: list[tuple[Image, Faces]]) -> None:
    """Pictures of none, one and three faces together answer as each alone, and in order."""
    image, faces = found[0]
    cases = [(image, faces[[0, 0, 0]]), (image, faces[:0]), *found]
    (name,) = classifier.names
    together = [a[name] for a in classifier.predict([i for i, _ in cases], [f for _, f in cases])]
    assert [len(t) for t in together] == [len(f) for _, f in cases]
    for (picture, some), answer in zip(cases, together, strict=True):
        alone = classifier.predict([picture], [some])[0][name]
        assert answer.classes == alone.classes
        np.testing.assert_allclose(answer.probabilities, alone.probabilities, atol=1e-4)
        np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1, atol=1e-4)


def test_no_pictures(classifier: AttributeClassifier) -> None:
    """No pictures give no answers."""
    assert classifier.predict([], []) == []


def test_no_landmarks(classifier: AttributeClassifier, found: list[tuple[Image, Faces]]) -> None:
    """Without landmarks there is no chip, and the error says so."""
    with pytest.raises(NoLandmarks):
        classifier.predict([found[0][0]], [found[0][1].with_columns(landmarks=None)])


def test_chip_is_upright_whatever_the_picture(found: list[tuple[Image, Faces]]) -> None:
    """A quarter turn or a mirror of picture and landmarks gives the same chip, turned or mirrored back."""
    image, faces = found[0]
    assert faces.landmarks is not None
    w, _ = image.size_wh
    chip = cut_chips(image, faces, 64)[0].astype(int)

    turned = Image(np.ascontiguousarray(np.rot90(image.pixels)))
    points = np.stack([faces.landmarks[..., 1], w - 1 - faces.landmarks[..., 0]], axis=-1)
    assert np.abs(cut_chips(turned, faces.with_columns(landmarks=points), 64)[0] - chip).mean() < 1

    mirrored = Image(np.ascontiguousarray(image.pixels[:, ::-1]))
    points = flip_horizontally(faces.landmarks, w - 1)
    flipped = cut_chips(mirrored, faces.with_columns(landmarks=points), 64)[0][:, ::-1]
    # dlib's mean face is not quite symmetric: its axis lies 1 % left of the chip's.
    assert np.abs(flipped - chip).mean() < 8


def test_chip_averages_when_shrinking() -> None:
    """One-pixel stripes become even grey in a chip ten times smaller, not a pattern."""
    stripes = np.zeros((900, 900, 3), np.uint8)
    stripes[:, ::2] = 255
    points = np.array([[[330, 330], [570, 330], [450, 460], [340, 580], [560, 580]]], np.float32)
    faces = Faces(np.array([[250, 250, 650, 650]], np.float32), np.ones(1, np.float32), points)
    chip = cut_chips(Image(stripes), faces, 32)[0].astype(float)
    assert np.abs(chip - 127.5).max() < 26
