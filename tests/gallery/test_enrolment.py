"""Enrolling takes good photos of one face and refuses the rest by name, once and for all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lineament.errors import (
    AlreadyEnrolled,
    ConfigError,
    CorruptPicture,
    FaceOfAnotherSubject,
    InvalidSubject,
    LowQuality,
    ModelMismatch,
    NoFaceFound,
    PictureNotFound,
    SeveralFaces,
)
from lineament.gallery.gallery import Gallery
from lineament.records import RecordKind, Where
from lineament.stores.memory import MemoryLedger
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors
from lineament.types import Float32, ModelId


def toward(start: Float32, other: Float32, cosine: float) -> Float32:
    """A unit vector at a chosen cosine from ``start``, in the plane of the two."""
    across = other - (start @ other) * start
    across /= np.linalg.norm(across)
    return np.asarray(cosine * start + np.sqrt(1 - cosine**2) * across, np.float32)


BASE = np.eye(8, dtype=np.float32)
ANNA, BO, CLEO = BASE[:3]
ANNA_2 = toward(ANNA, BASE[3], 0.8)
LIKE_ANNA = toward(ANNA, BASE[4], 0.6)


@pytest.fixture
def analyzer() -> FakeAnalyzer:
    faces = {
        "anna1": ANNA[None],
        "anna2": ANNA_2[None],
        "bo1": BO[None],
        "like-anna": LIKE_ANNA[None],
        "nobody": np.empty((0, 8), np.float32),
        "poor": CLEO[None],
        "group": np.stack([ANNA, BO, CLEO]),
        "broken": CorruptPicture("cut short"),
    }
    return FakeAnalyzer(faces, scores={"poor": 0.1})


@pytest.fixture
def gallery(analyzer: FakeAnalyzer) -> Gallery:
    return Gallery(MemoryLedger(), analyzer, threshold=threshold(0.5))


def errors(gallery: Gallery, subject: str, *photos: str, allow: tuple[str, ...] = ()) -> list[str | None]:
    done = gallery.enrol(subject, [picture(name) for name in photos], allow=allow)
    return [None if outcome.error is None else type(outcome.error).__name__ for outcome in done]


def test_good_photos(gallery: Gallery) -> None:
    """Each photo of one face becomes a sample; the template is their mean, of unit length."""
    assert errors(gallery, "Anna", "anna1", "anna2") == [None, None]
    assert gallery.subjects() == [("Anna", 2)]
    [template] = gallery.store.read(Where(subjects=["Anna"], kinds=[RecordKind.TEMPLATE]))
    mean = (ANNA + ANNA_2) / 2
    assert template.vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


@pytest.mark.parametrize(
    ("photo", "error"),
    [
        ("nobody", NoFaceFound),
        ("group", SeveralFaces),
        ("poor", LowQuality),
        ("broken", CorruptPicture),
        ("missing", PictureNotFound),
    ],
)
def test_refusals(gallery: Gallery, photo: str, error: type) -> None:
    """What cannot be used is refused by name, writes nothing, and the rest goes on."""
    done = gallery.enrol("Anna", [picture(photo), picture("anna1")])
    assert isinstance(done[0].error, error)
    assert (done[0].sample, done[1].error) == (None, None)
    assert gallery.subjects() == [("Anna", 1)]


@pytest.mark.parametrize(
    ("photo", "allow", "row"),
    [("group", "several-faces", 2), ("poor", "low-quality", 0), ("like-anna", "other-subject", 0)],
)
def test_overrides(gallery: Gallery, photo: str, allow: str, row: int) -> None:
    """Such a refusal can be overridden, and the outcome says so; of several faces the largest counts."""
    errors(gallery, "Anna", "anna1")
    assert errors(gallery, "Cleo", photo) != [None]
    [done] = gallery.enrol("Cleo", [picture(photo)], allow=[allow])
    assert done.error is None
    assert done.overridden == (allow,)
    assert done.face == row
    assert gallery.subjects() == [("Anna", 1), ("Cleo", 1)]


def test_unknown_override(gallery: Gallery) -> None:
    """A misspelt override is answered with the nearest."""
    with pytest.raises(ConfigError, match="low-quality"):
        gallery.enrol("Anna", [picture("anna1")], allow=["low-qualty"])


def test_again_adds_nothing(gallery: Gallery) -> None:
    """The same photo enrolled again, as after a crash, is named and adds nothing."""
    errors(gallery, "Anna", "anna1", "anna2")
    before = [(r.id, r.vector.tobytes()) for r in gallery.store.read()]
    assert errors(gallery, "Anna", "anna1", "anna2") == ["AlreadyEnrolled", "AlreadyEnrolled"]
    assert [(r.id, r.vector.tobytes()) for r in gallery.store.read()] == before
    gallery.rename("Anna", "Annabel")
    assert errors(gallery, "Annabel", "anna1") == ["AlreadyEnrolled"]


def test_one_photo_two_subjects(gallery: Gallery) -> None:
    """One face of one photo belongs to one subject, whatever is overridden."""
    errors(gallery, "Anna", "anna1")
    assert errors(gallery, "Bo", "anna1", allow=("other-subject",)) == ["FaceOfAnotherSubject"]
    assert gallery.subjects() == [("Anna", 1)]


def test_face_of_another(gallery: Gallery) -> None:
    """A face that a search would call somebody else is refused, and the message says whom and how near."""
    errors(gallery, "Anna", "anna1")
    [done] = gallery.enrol("Cleo", [picture("like-anna")])
    assert isinstance(done.error, FaceOfAnotherSubject)
    assert "'Anna' at 0.600, threshold 0.500" in str(done.error)


def test_nearest_to_its_own_subject(gallery: Gallery) -> None:
    """A photo that resembles somebody else, but its own subject more, is enrolled."""
    errors(gallery, "Anna", "anna1")
    errors(gallery, "Cleo", "like-anna", allow=("other-subject",))
    between = toward(LIKE_ANNA, ANNA, 0.9)
    gallery.analyzer.faces["cleo2"] = between[None]  # type: ignore[attr-defined]
    assert between @ ANNA > 0.5
    assert errors(gallery, "Cleo", "cleo2") == [None]


def test_probes_never_change_the_gallery(gallery: Gallery) -> None:
    """Searching and verifying write nothing: templates come from enrolled photos alone."""
    errors(gallery, "Anna", "anna1")
    before = [(r.id, r.vector.tobytes()) for r in gallery.store.read()]
    for _ in range(3):
        list(gallery.identify([picture("anna2"), picture("group")]))
        gallery.verify(picture("anna2"), "Anna")
    assert [(r.id, r.vector.tobytes()) for r in gallery.store.read()] == before


def test_another_model(gallery: Gallery, analyzer: FakeAnalyzer) -> None:
    """A gallery holds one model's embeddings; another's are refused, to enrol and to search."""
    errors(gallery, "Anna", "anna1")
    analyzer.model = ModelId("fake", "e" * 64)
    with pytest.raises(ModelMismatch):
        gallery.enrol("Bo", [picture("bo1")])
    with pytest.raises(ModelMismatch):
        list(gallery.identify([picture("bo1")]))
    with pytest.raises(ModelMismatch):
        gallery.verify(picture("bo1"), "Anna")
    assert gallery.subjects() == [("Anna", 1)]


def test_two_writers_keep_one_template(analyzer: FakeAnalyzer, tmp_path: Path) -> None:
    """Two galleries on one file that enrol the same subject in turn end with the mean of all samples."""
    url = f"sqlite:{tmp_path}/people.db"
    with (
        Gallery(url, analyzer, threshold=threshold(0.5)) as one,
        Gallery(url, analyzer, threshold=threshold(0.5)) as two,
    ):
        errors(one, "Anna", "anna1")
        errors(two, "Anna", "anna2")
        [template] = one.store.read(Where(subjects=["Anna"], kinds=[RecordKind.TEMPLATE]))
        mean = (ANNA + ANNA_2) / 2
        assert template.vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
        assert one.store.count() == 3


@pytest.fixture
def people(tmp_path: Path, analyzer: FakeAnalyzer) -> Iterator[Path]:
    folder = tmp_path / "people"
    vectors = unit_vectors(8, 3, 64)
    files = ["Anna/1.jpg", "Anna/2.jpg", "=cmd|x/1.jpg", "מרים/1.jpg", "loose.jpg"]
    for i, name in enumerate(files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([i]))
        analyzer.faces[str(path)] = vectors[i : i + 1]
    (folder / "Empty").mkdir()
    (folder / "bad\tname").mkdir()
    (folder / "bad\tname" / "1.jpg").write_bytes(b"x")
    yield folder


def test_folder_a_person(gallery: Gallery, people: Path) -> None:
    """Sub-folders name their subjects exactly; loose files, empty folders and bad names are counted."""
    done = {(Path(o.source).name, o.subject): type(o.error) for o in gallery.enrol_folder(people)}
    assert done == {
        ("loose.jpg", ""): InvalidSubject,
        ("Empty", "Empty"): PictureNotFound,
        ("1.jpg", "bad\tname"): InvalidSubject,
        ("1.jpg", "Anna"): type(None),
        ("2.jpg", "Anna"): type(None),
        ("1.jpg", "=cmd|x"): type(None),
        ("1.jpg", "מרים"): type(None),
    }
    assert [name for name, _ in gallery.subjects()] == ["=cmd|x", "Anna", "מרים"]


def test_folder_again(gallery: Gallery, people: Path) -> None:
    """Enrolling a folder again after an interruption adds what was missing and nothing twice."""
    half = gallery.enrol_folder(people)
    enrolled = 0
    while enrolled < 2:
        enrolled += next(half).error is None
    del half
    done = list(gallery.enrol_folder(people))
    assert sum(isinstance(o.error, AlreadyEnrolled) for o in done) == 2
    assert sum(o.error is None for o in done) == 2
    assert gallery.store.count(Where(kinds=[RecordKind.SAMPLE])) == 4


def test_file_name_of_other_bytes(gallery: Gallery, analyzer: FakeAnalyzer, tmp_path: Path) -> None:
    """A file whose name is no UTF-8 is enrolled, and its name is kept escaped."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")
    try:
        Path(path).write_bytes(b"x")
    except OSError as error:
        pytest.skip(f"this file system allows no such name: {error}")
    analyzer.faces[path] = ANNA[None]
    with Gallery(f"sqlite:{tmp_path}/people.db", analyzer, threshold=threshold(0.5)) as stored:
        [done] = stored.enrol("Anna", [path])
        assert done.error is None
        assert stored.show("Anna").samples[0].source.endswith("\\udcff.jpg")
