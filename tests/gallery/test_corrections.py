"""Wrong entries can be corrected: disputes, renames, merges, removals, and what they leave behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.errors import (
    AlreadyEnrolled,
    DisputedFace,
    FaceError,
    InvalidSubject,
    SeveralFaces,
    StoreError,
    SubjectExists,
    UnknownSample,
    UnknownSubject,
)
from lineament.gallery.fusion import Fusion
from lineament.gallery.gallery import Gallery
from lineament.records import RecordKind, Where
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.types import Decision, Float32

BASE = np.eye(16, dtype=np.float32)


def mix(*parts: tuple[float, int]) -> Float32:
    """A unit vector of weighted axes."""
    vector = sum((weight * BASE[axis] for weight, axis in parts), np.zeros(16, np.float32))
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


FACES = {
    "anna1": mix((1, 0), (0.3, 1)),
    "anna2": mix((1, 0), (0.3, 2)),
    "anna-probe": mix((1, 0), (0.4, 3)),
    "bo1": mix((1, 5)),
    # Somebody who resembles Anna at 0.6, in two photos that resemble each other at 0.9.
    "stranger1": mix((0.6, 0), (0.8, 8)),
    "stranger2": mix((0.6, 0), (0.75, 8), (0.3, 9)),
}


@pytest.fixture(params=["mean", "best"])
def fusion(request: pytest.FixtureRequest) -> Fusion:
    name: Fusion = request.param
    return name


@pytest.fixture
def gallery(tmp_path: Path, fusion: Fusion) -> Gallery:
    analyzer = FakeAnalyzer(
        {name: vector[None] for name, vector in FACES.items()}
        | {"group": np.stack([FACES["bo1"], FACES["stranger1"]])}
    )
    gallery = Gallery(f"sqlite:{tmp_path}/people.db", analyzer, threshold=threshold(0.5), fusion=fusion)
    for subject, photos in {"Anna": ["anna1", "anna2"], "Bo": ["bo1"]}.items():
        assert [o.error for o in gallery.enrol(subject, map(picture, photos))] == [None] * len(photos)
    return gallery


def who(gallery: Gallery, photo: str) -> str | None:
    [found] = gallery.identify([picture(photo)])
    return found.matches[0].subject


def candidates(gallery: Gallery, photo: str, k: int = 5) -> list[str]:
    [found] = gallery.identify([picture(photo)], k)
    return [candidate.subject for candidate in found.matches[0].candidates]


def test_a_dispute_is_respected(gallery: Gallery) -> None:
    """The disputed face and another photo of that stranger match no longer; the subject still does."""
    assert (who(gallery, "stranger1"), who(gallery, "stranger2")) == ("Anna", "Anna")
    gallery.dispute(picture("stranger1"), "Anna")
    assert (who(gallery, "stranger1"), who(gallery, "stranger2")) == (None, None)
    assert candidates(gallery, "stranger1") == ["Bo"]
    assert (who(gallery, "anna-probe"), who(gallery, "anna1")) == ("Anna", "Anna")
    assert gallery.verify(picture("stranger1"), "Anna").decision is Decision.NO_MATCH
    assert gallery.verify(picture("anna-probe"), "Anna").decision is Decision.MATCH


def test_a_dispute_leaves_room_for_the_next(gallery: Gallery) -> None:
    """A subject left out does not use up one of the k candidates."""
    gallery.dispute(picture("stranger1"), "Anna")
    assert candidates(gallery, "stranger1", k=1) == ["Bo"]


def test_a_dispute_survives_corrections(gallery: Gallery) -> None:
    """Renames, merges into another, merges of another, and removed samples keep the dispute in force."""
    gallery.dispute(picture("stranger1"), "Anna")
    gallery.rename("Anna", "Annabel")
    assert who(gallery, "stranger1") is None
    gallery.merge("Bo", into="Annabel")
    assert who(gallery, "stranger1") is None
    gallery.remove_sample(next(r.id for r in gallery.show("Annabel").samples if r.source == "anna2"))
    assert who(gallery, "stranger1") is None
    assert len(gallery.show("Annabel").disputes) == 1


def test_a_dispute_moves_with_a_merge(gallery: Gallery) -> None:
    """A dispute of the subject merged away holds for the one it became."""
    gallery.dispute(picture("stranger1"), "Anna")
    gallery.merge("Anna", into="Bo")
    assert who(gallery, "anna-probe") == "Bo"
    assert who(gallery, "stranger1") is None


def test_disputing_twice(gallery: Gallery) -> None:
    """The same dispute again is the same record, after a rename too."""
    first = gallery.dispute(picture("stranger1"), "Anna")
    assert gallery.dispute(picture("stranger1"), "Anna").id == first.id
    gallery.rename("Anna", "Annabel")
    assert gallery.dispute(picture("stranger1"), "Annabel").id == first.id
    assert gallery.store.count(Where(kinds=[RecordKind.DISPUTE])) == 1


def test_a_dispute_withdrawn(gallery: Gallery) -> None:
    """A dispute recorded by mistake can be taken back by its id."""
    record = gallery.dispute(picture("stranger1"), "Anna")
    gallery.remove_sample(record.id)
    assert who(gallery, "stranger1") == "Anna"


def test_a_disputed_face_is_not_enrolled(gallery: Gallery) -> None:
    """What is recorded as not being somebody is refused as a photo of theirs, unless that is overridden."""
    gallery.dispute(picture("stranger1"), "Anna")
    [done] = gallery.enrol("Anna", [picture("stranger1")])
    assert isinstance(done.error, DisputedFace)
    [done] = gallery.enrol("Anna", [picture("stranger1")], allow=["disputed"])
    assert done.error is None


def test_disputing_a_sample(gallery: Gallery) -> None:
    """A face that is a sample of the subject is to be removed, not disputed."""
    with pytest.raises(AlreadyEnrolled, match="remove that sample"):
        gallery.dispute(picture("anna1"), "Anna")


def test_disputing_one_of_several(gallery: Gallery) -> None:
    """In a group photo one says which face is meant."""
    with pytest.raises(SeveralFaces):
        gallery.dispute(picture("group"), "Anna")
    with pytest.raises(FaceError, match="no face 3"):
        gallery.dispute(picture("group"), "Anna", face=3)
    gallery.dispute(picture("group"), "Anna", face=2)
    assert who(gallery, "stranger1") is None


def test_merge_settles_disputes_between_the_two(gallery: Gallery) -> None:
    """Saying that two are one person drops the dispute that said a face of one is not the other."""
    gallery.dispute(picture("bo1"), "Anna")
    assert gallery.merge("Bo", into="Anna").records == 1
    assert gallery.subjects() == [("Anna", 3)]
    assert gallery.show("Anna").disputes == ()
    assert candidates(gallery, "bo1") == ["Anna"]
    assert gallery.store.count(Where(kinds=[RecordKind.TEMPLATE])) == 1


def test_rename(gallery: Gallery) -> None:
    """A rename moves everything; a name in use, unknown or invalid is refused and changes nothing."""
    gallery.rename("Anna", "../../x")
    assert gallery.subjects() == [("../../x", 2), ("Bo", 1)]
    assert who(gallery, "anna-probe") == "../../x"
    with pytest.raises(SubjectExists, match="merge"):
        gallery.rename("Bo", "../../x")
    with pytest.raises(UnknownSubject):
        gallery.rename("Anna", "Anne")
    with pytest.raises(InvalidSubject):
        gallery.rename("Bo", "a\0b")
    assert gallery.subjects() == [("../../x", 2), ("Bo", 1)]


def test_merging_with_itself(gallery: Gallery) -> None:
    """One subject cannot be merged into itself."""
    with pytest.raises(SubjectExists):
        gallery.merge("Anna", into="Anna")
    assert gallery.subjects() == [("Anna", 2), ("Bo", 1)]


def test_remove_subject(gallery: Gallery) -> None:
    """A person erased is in no answer and no byte of the file."""
    gallery.dispute(picture("stranger1"), "Anna")
    assert gallery.remove("Anna").records == 4
    assert gallery.subjects() == [("Bo", 1)]
    assert who(gallery, "anna1") is None
    path = gallery.store.ledger.path  # type: ignore[attr-defined]
    content = b"".join(p.read_bytes() for p in path.parent.iterdir())
    assert b"Anna" not in content
    assert FACES["anna1"].tobytes() not in content
    assert FACES["bo1"].tobytes() in content


def test_remove_sample(gallery: Gallery) -> None:
    """Without one sample the template is that of the others; without the last the person is erased."""
    first, second = gallery.show("Anna").samples
    gallery.remove_sample(first.id)
    [template] = gallery.store.read(Where(subjects=["Anna"], kinds=[RecordKind.TEMPLATE]))
    assert template.vector == pytest.approx(second.vector, abs=1e-6)
    with pytest.raises(UnknownSample):
        gallery.remove_sample(template.id)
    gallery.remove_sample(second.id)
    assert gallery.subjects() == [("Bo", 1)]
    assert gallery.store.count() == 2


def test_a_failure_undoes_a_whole_correction(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge that fails half-way leaves both people as they were."""
    before = [(r.id, r.subject, r.kind) for r in gallery.store.read()]

    def fail(_record: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("lineament.stores.sqlite.row_of", fail)
    with pytest.raises(StoreError):
        gallery.merge("Bo", into="Anna")
    assert [(r.id, r.subject, r.kind) for r in gallery.store.read()] == before


def test_unknown_subject_suggests(gallery: Gallery) -> None:
    """A misspelt name is answered with the nearest."""
    for ask in (gallery.show, gallery.remove, lambda name: gallery.verify(picture("bo1"), name)):
        with pytest.raises(UnknownSubject, match="did you mean 'Anna'"):
            ask("Ana")


def test_backup_is_a_gallery(gallery: Gallery, tmp_path: Path, fusion: Fusion) -> None:
    """The copy answers as the gallery did, disputes included, and later changes do not reach it."""
    gallery.dispute(picture("stranger1"), "Anna")
    gallery.backup(tmp_path / "copy.db")
    gallery.remove("Anna")
    with Gallery(
        f"sqlite:{tmp_path}/copy.db", gallery.analyzer, threshold=threshold(0.5), fusion=fusion
    ) as copy:
        assert who(copy, "anna-probe") == "Anna"
        assert who(copy, "stranger1") is None
