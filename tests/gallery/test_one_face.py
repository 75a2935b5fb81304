"""A face of a photo belongs to one person, whichever detector found it and however the photo was given."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.errors import (
    AlreadyEnrolled,
    DisputedFace,
    FaceOfAnotherSubject,
    LowQuality,
    NoSuchFace,
    SeveralFaces,
)
from lineament.gallery.gallery import Gallery
from lineament.io import images
from lineament.records import RecordKind, Where
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.types import Decision, Faces, Float32, Outcome, Reason, Status

SAMPLES = Path(__file__).parents[2] / "samples"
JOE = SAMPLES / "biden_2013_portrait.jpg"
BASE = np.eye(16, dtype=np.float32)
OTHER_SUBJECT = ["other-subject", "disputed"]


class Detectors(FakeAnalyzer):
    """Gives a photo's faces as the detector chosen by ``cut`` finds them: other boxes, other vectors."""

    def __init__(self, boxes: dict[str, list[tuple[float, ...]]]) -> None:
        super().__init__({})
        self.cuts: dict[str, dict[str, tuple[Float32, Float32]]] = {}
        self.cut = "one"
        axis = 0
        for name, rows in boxes.items():
            array = np.asarray(rows, np.float32)
            self.cuts[name] = {"one": (array, BASE[axis : axis + len(rows)])}
            axis += len(rows)

    def found_otherwise(self, name: str, boxes: list[tuple[float, ...]], vectors: Float32) -> None:
        self.cuts[name]["other"] = np.asarray(boxes, np.float32), vectors

    def _outcome(self, name: str) -> Outcome:
        boxes, vectors = self.cuts[name][self.cut]
        scores = np.full(len(boxes), 0.9, np.float32)
        faces = Faces(boxes, scores, embeddings=vectors, model=self.model)
        return Outcome(name, Status.OK, (640, 480), faces)


@pytest.fixture
def analyzer() -> Detectors:
    found = Detectors(
        {
            "joe": [(100, 100, 200, 220)],
            "group": [(10, 10, 110, 130), (200, 10, 300, 130), (380, 20, 420, 70)],
            "ann": [(100, 100, 200, 220)],
        }
    )
    # The other detector cuts higher and wider and gives vectors that have nothing in common with the first.
    found.found_otherwise("joe", [(90, 70, 215, 215)], BASE[10:11])
    found.found_otherwise("group", [(205, 20, 310, 140), (15, 0, 115, 120)], BASE[11:13])
    return found


@pytest.fixture(params=["memory", "sqlite"])
def gallery(analyzer: Detectors, request: pytest.FixtureRequest, tmp_path: Path) -> Gallery:
    store = "memory:" if request.param == "memory" else f"sqlite:{tmp_path}/people.db"
    return Gallery(store, analyzer, threshold=threshold(0.5))


def test_another_detector_enrols_nothing(gallery: Gallery, analyzer: Detectors) -> None:
    """What another detector finds there is enrolled already, or somebody else's, whatever is allowed."""
    [first] = gallery.enrol("Joe", picture("joe"))
    assert first.error is None
    analyzer.cut = "other"
    [again] = gallery.enrol("Joe", picture("joe"))
    [twin] = gallery.enrol("Bob", picture("joe"), allow=OTHER_SUBJECT)
    assert isinstance(again.error, AlreadyEnrolled)
    assert isinstance(twin.error, FaceOfAnotherSubject)
    assert "this very face" in str(twin.error)
    assert gallery.subjects() == [("Joe", 1)]
    gallery.remove("Joe")
    assert gallery.store.count() == 0


def test_two_people_of_one_photo(gallery: Gallery, analyzer: Detectors) -> None:
    """Each person of a group photo is enrolled by number or point; the same face is not, either way."""
    [ann] = gallery.enrol("Ann", picture("group"), face=1)
    [bob] = gallery.enrol("Bob", picture("group"), face=(250, 60))
    assert (ann.error, bob.error) == (None, None)
    assert ann.taken is not None
    assert bob.taken is not None
    assert (ann.taken.face, ann.taken.faces, ann.taken.chosen) == (1, 3, Reason.ASKED)
    assert bob.taken.box == (200, 10, 300, 130)
    for cut, numbers in {"one": (1, 2), "other": (2, 1)}.items():
        analyzer.cut = cut
        for name, number in zip(("Ann", "Bob"), numbers, strict=True):
            [same] = gallery.enrol(name, picture("group"), face=number)
            [swapped] = gallery.enrol(name, picture("group"), face=3 - number, allow=OTHER_SUBJECT)
            assert isinstance(same.error, AlreadyEnrolled)
            assert isinstance(swapped.error, FaceOfAnotherSubject)
    assert gallery.subjects() == [("Ann", 1), ("Bob", 1)]


def test_which_of_several(gallery: Gallery) -> None:
    """Nothing is guessed: several faces are listed with boxes, and what is asked for must be there."""
    [none] = gallery.enrol("Ann", picture("group"))
    assert isinstance(none.error, SeveralFaces)
    for text in ("3 faces", "1: 10 10 110 130", "--face N", "--largest"):
        assert text in str(none.error)
    for face in (4, (350, 300)):
        [done] = gallery.enrol("Ann", picture("group"), face=face)  # type: ignore[arg-type]
        assert isinstance(done.error, NoSuchFace)
    [largest] = gallery.enrol("Ann", picture("group"), largest=True)
    assert largest.taken is not None
    assert (largest.error, largest.taken.face, largest.taken.chosen) == (None, 1, Reason.LARGEST)
    assert largest.overridden == ()


def test_a_dispute_bars_the_face_of_another_detector(gallery: Gallery, analyzer: Detectors) -> None:
    """A disputed face is known again in searches, comparisons and enrolments, however it was found."""
    gallery.enrol("Ann", picture("ann"))
    record = gallery.dispute(picture("joe"), "Ann")
    analyzer.cut = "other"
    like_ann = gallery.show("Ann").samples[0].vector[None] * 0.9 + 0.1 * BASE[14]
    like_ann /= np.linalg.norm(like_ann)
    analyzer.found_otherwise("joe", [(90, 70, 215, 215)], like_ann.astype(np.float32))
    assert gallery.dispute(picture("joe"), "Ann").id == record.id
    [found] = gallery.identify(picture("joe"))
    assert found.matches[0].candidates == ()
    assert gallery.verify(picture("joe"), "Ann").decision is Decision.NO_MATCH
    [done] = gallery.enrol("Ann", picture("joe"))
    assert isinstance(done.error, DisputedFace)
    gallery.remove_sample(record.id)
    [found] = gallery.identify(picture("joe"))
    assert found.matches[0].subject == "Ann"


def test_disputing_a_sample_found_otherwise(gallery: Gallery, analyzer: Detectors) -> None:
    """A face that is a sample of the subject is to be removed, not disputed, whoever finds it."""
    gallery.enrol("Joe", picture("joe"))
    analyzer.cut = "other"
    with pytest.raises(AlreadyEnrolled, match="remove that sample"):
        gallery.dispute(picture("joe"), "Joe")


def test_a_merge_settles_by_the_same_rule(gallery: Gallery, analyzer: Detectors) -> None:
    """A dispute of one person about the other's face is dropped by a merge, whoever saw either."""
    gallery.enrol("Joe", picture("joe"))
    gallery.enrol("Ann", picture("ann"))
    analyzer.cut = "other"
    gallery.dispute(picture("joe"), "Ann")
    gallery.dispute(picture("group"), "Ann", face=1)
    assert gallery.merge("Joe", into="Ann").records == 1
    assert len(gallery.show("Ann").disputes) == 1


def test_an_erased_person_is_in_nobodys_disputes(gallery: Gallery, analyzer: Detectors) -> None:
    """Erasing somebody erases the disputes of others that hold the very same face, and no other dispute."""
    gallery.enrol("Joe", picture("joe"))
    gallery.enrol("Ann", picture("ann"))
    analyzer.cut = "other"
    gallery.dispute(picture("joe"), "Ann")
    kept = gallery.dispute(picture("group"), "Ann", face=1)
    assert gallery.remove("Joe").records == 3
    assert [r.id for r in gallery.show("Ann").disputes] == [kept.id]


def shifted(dx: float, dy: float, scale: float = 1.0) -> list[tuple[float, ...]]:
    """The box of the photo "joe", moved by shares of its sides and resized about its centre."""
    x, y, w, h = 150 + 100 * dx, 160 + 120 * dy, 100 * scale, 120 * scale
    return [(x - w / 2, y - h / 2, x + w / 2, y + h / 2)]


@pytest.mark.parametrize(
    ("box", "same"),
    [
        (shifted(0, 0), True),
        (shifted(0.2, 0), True),
        (shifted(0.1, -0.2), True),
        (shifted(0, 0.1, 1.5), True),
        (shifted(0, 0, 0.6), True),
        (shifted(0.1, 0.2, 0.3), True),  # a part of that face: within it
        (shifted(0, 0, 3), True),
        (shifted(0.6, 0), False),  # cheek to cheek
        (shifted(1.0, 0), False),
        (shifted(0, 1.2), False),
    ],
)
def test_how_far_boxes_may_differ(
    gallery: Gallery, analyzer: Detectors, box: list[tuple[float, ...]], same: bool
) -> None:
    """Boxes as far apart as detectors cut one face are one face; boxes of faces side by side are two."""
    gallery.enrol("Joe", picture("joe"))
    analyzer.cut = "other"
    analyzer.found_otherwise("joe", box, BASE[10:11])
    [done] = gallery.enrol("Bob", picture("joe"))
    assert (type(done.error) is FaceOfAnotherSubject) == same


def test_a_neighbour_is_another_face(gallery: Gallery, analyzer: Detectors) -> None:
    """Where another face of the photo fits an enrolled box better, the overlapping neighbour is free."""
    gallery.enrol("Joe", picture("joe"))
    analyzer.cut = "other"
    neighbour = shifted(0.5, 0)
    analyzer.found_otherwise("joe", neighbour, BASE[10:11])
    [alone] = gallery.enrol("Bob", picture("joe"))
    assert isinstance(alone.error, FaceOfAnotherSubject)
    analyzer.found_otherwise("joe", [*neighbour, *shifted(0, 0.1)], BASE[10:12])
    [beside] = gallery.enrol("Bob", picture("joe"), face=1)
    assert beside.error is None


@pytest.fixture(scope="module")
def joe() -> Gallery:
    """A gallery with Joe, enrolled by the real detector and embedder."""
    gallery = Gallery("memory:", Analyzer("yunet"))
    [done] = gallery.enrol("Joe", JOE)
    assert done.error is None
    return gallery


@pytest.mark.parametrize(
    "detector", ["yunet", "retry:yunet", "centerface", "haar", "retry:haar", "yunet:score=0.3"]
)
def test_detector_twins(joe: Gallery, detector: str) -> None:
    """One face of a real photo, found by every detector there is, stays one person's."""
    with Analyzer(detector, precision="exact") as analyzer:
        twin = Gallery(joe.store, analyzer)
        [again] = twin.enrol("Joe", JOE, largest=True)
        [other] = twin.enrol("Bob", JOE, largest=True, allow=OTHER_SUBJECT)
    assert isinstance(again.error, AlreadyEnrolled)
    assert isinstance(other.error, FaceOfAnotherSubject)
    assert "this very face" in str(other.error)
    assert joe.subjects() == [("Joe", 1)]


def test_however_the_photo_is_given(joe: Gallery, tmp_path: Path) -> None:
    """A path, its text, bytes, a stream and the decoded picture are one photo; re-encoded it is another."""
    content = JOE.read_bytes()
    elsewhere = tmp_path / "copy.jpg"
    elsewhere.write_bytes(content)
    given = [JOE, str(JOE), content, bytearray(content), io.BytesIO(content), images.load(JOE), elsewhere]
    with JOE.open("rb") as stream:
        done = joe.enrol("Joe", [*given, stream])
    assert [type(o.error) for o in done] == [AlreadyEnrolled] * 8
    images.save(tmp_path / "again.jpg", images.load(JOE).pixels[:-8])
    [other] = joe.enrol("Bob", tmp_path / "again.jpg", largest=True)
    assert isinstance(other.error, FaceOfAnotherSubject)
    assert "matches 'Joe'" in str(other.error)


def test_records_say_where(joe: Gallery) -> None:
    """A sample keeps the box and the size of its photo; a template is of no photo."""
    [sample] = joe.show("Joe").samples
    picture_of_joe = images.load(JOE)
    assert sample.size_wh == picture_of_joe.size_wh
    assert sample.picture == picture_of_joe.digest()
    assert sample.box is not None
    assert (sample.box[2:] > sample.box[:2]).all()
    [template] = joe.store.read(Where(subjects=["Joe"], kinds=[RecordKind.TEMPLATE]))
    assert (template.box, template.picture) == (None, "")


def test_a_poor_face_asked_for_is_refused(gallery: Gallery) -> None:
    """Asking for a face does not lower what its quality must be."""
    analyzer = FakeAnalyzer({"two": BASE[:2]}, scores={"two": 0.1})
    poor = Gallery("memory:", analyzer, threshold=threshold(0.5))
    [done] = poor.enrol("Ann", picture("two"), face=2)
    assert isinstance(done.error, LowQuality)


def test_verify_says_which(gallery: Gallery) -> None:
    """A comparison with a subject names the face compared, of how many, and why it."""
    gallery.enrol("Ann", picture("group"), face=1)
    answer = gallery.verify(picture("group"), "Ann", face=1)
    assert answer.a is not None
    assert answer.accepted
    assert (answer.a.face, answer.a.faces, answer.a.chosen, answer.b) == (1, 3, Reason.ASKED, None)
    assert not gallery.verify(picture("group"), "Ann", face=(250, 60)).accepted
    largest = gallery.verify(picture("group"), "Ann", largest=True).a
    assert largest is not None
    assert largest.chosen is Reason.LARGEST
