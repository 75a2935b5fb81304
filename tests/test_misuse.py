"""Calls that are wrong in a natural way: each is refused by a named error that says what to give."""

from __future__ import annotations

import hashlib
import inspect
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pillow

import lineament
from lineament import Analyzer, Gallery, errors
from lineament.errors import LineamentError, NoFaceFound, PictureNotFound, UsageError
from lineament.records import Changes, Record, RecordKind
from lineament.types import Outcome

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PHOTO = str(SAMPLES / "obama_2012_portrait.jpg")


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(workers=2)


@pytest.fixture(scope="module")
def outcome(analyzer: Analyzer) -> Outcome:
    return analyzer.analyze_one(PHOTO)


@pytest.fixture
def gallery(analyzer: Analyzer, outcome: Outcome) -> Gallery:
    gallery = Gallery("memory:", analyzer)
    gallery.enrol("Ann", outcome)
    return gallery


WRONG: dict[str, Callable[[Gallery, Analyzer, Outcome], Any]] = {
    "k is text": lambda g, a, o: list(g.identify(o, "5")),
    "k is None": lambda g, a, o: list(g.identify(o, None)),
    "k is a fraction": lambda g, a, o: list(g.identify(o, 2.5)),
    "k is zero": lambda g, a, o: g.identify_faces(o.faces, 0),
    "an outcome for its faces": lambda g, a, o: g.identify_faces(o),
    "one face for faces": lambda g, a, o: g.identify_faces(o.faces[0]),
    "a face for its embedding": lambda g, a, o: g.verify_embedding(o.faces[0], "Ann"),
    "an array for an embedding": lambda g, a, o: g.verify_embedding(o.faces.embeddings[0], "Ann"),
    "allow is None": lambda g, a, o: g.enrol("Ann", o, allow=None),
    "allow is a number": lambda g, a, o: g.enrol("Ann", o, allow=1),
    "allow misspelt": lambda g, a, o: g.enrol("Ann", o, allow="other_subject"),
    "photos without names": lambda g, a, o: list(g.enrol_all([PHOTO])),
    "a class for pairs": lambda g, a, o: list(g.enrol_all(str)),
    "no folder": lambda g, a, o: list(g.enrol_folder(None)),
    "a list for a folder": lambda g, a, o: list(g.enrol_folder(["people"])),
    "a stream for a folder": lambda g, a, o: list(g.enrol_folder(io.BytesIO())),
    "photo and subject swapped": lambda g, a, o: g.verify("Ann", PHOTO),
    "a bare threshold": lambda g, a, o: a.verify(o, o, threshold=0.4),
    "a rate as text": lambda g, a, o: a.verify(o, o, target_fmr="0.001"),
    "a rate that is none": lambda g, a, o: a.verify(o, o, target_fmr=None),
    "workers as text": lambda g, a, o: Analyzer(workers="4"),
    "half a worker": lambda g, a, o: Analyzer(workers=2.5),
    "batch_size is None": lambda g, a, o: Analyzer(batch_size=None),
    "precision is a number": lambda g, a, o: Analyzer(precision=32),
    "attributes is None": lambda g, a, o: Analyzer(attributes=None),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_kinds_are_refused_by_name(
    name: str, gallery: Gallery, analyzer: Analyzer, outcome: Outcome
) -> None:
    """An argument of the wrong kind is a `LineamentError`, not a failure somewhere inside."""
    with pytest.raises(LineamentError):
        WRONG[name](gallery, analyzer, outcome)


def test_a_class_is_one_wrong_source(analyzer: Analyzer) -> None:
    """A class, which is no collection though it may seem one, is one refused outcome."""
    assert [o.status for o in analyzer.analyze(str)] == ["refused"]


def test_people_by_name(gallery: Gallery, outcome: Outcome) -> None:
    """A mapping of names to photos is taken as its pairs."""
    assert [taken.subject for taken in gallery.enrol_all({"Ann": outcome})] == ["Ann"]


def test_what_is_raised_names_its_picture(analyzer: Analyzer, gallery: Gallery, tmp_path: Path) -> None:
    """Of two pictures, the error that is raised says which one is meant."""
    missing, blank = tmp_path / "missing.jpg", tmp_path / "blank.png"
    pillow.new("RGB", (64, 64)).save(blank)
    with pytest.raises(PictureNotFound, match=r"missing\.jpg"):
        analyzer.verify(PHOTO, missing)
    with pytest.raises(NoFaceFound, match=r"blank\.png"):
        analyzer.verify(blank, PHOTO)
    with pytest.raises(PictureNotFound, match=r"missing\.jpg"):
        gallery.verify(missing, "Ann")
    with pytest.raises(UsageError, match=r"missing\.jpg"):
        list(gallery.enrol_folder(missing))


def test_a_closed_gallery_is_not_entered(gallery: Gallery) -> None:
    """``with`` a closed gallery raises at once, not at the first question."""
    gallery.close()
    with pytest.raises(UsageError, match="closed"), gallery:
        pass


def _kinds() -> list[type[LineamentError]]:
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return [kind for kind in found if issubclass(kind, LineamentError)]


@pytest.mark.parametrize("kind", _kinds())
def test_errors_travel_between_processes(kind: type[LineamentError]) -> None:
    """Every error pickles as it is: its kind, its message, its notes and what else it carries."""
    own = kind.__init__ is not Exception.__init__
    needed = (
        [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty] if own else [0]
    )
    error = kind(*(f"word {number}" for number, _ in enumerate(needed)))
    error.add_note("while testing")
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is kind
    assert str(there) == str(error)
    assert vars(there) == vars(error)


def _as_before_boxes(gallery: Gallery, picture: str) -> None:
    """Make the only sample one of an older gallery: without a box, of the photo's file."""
    [old] = gallery.show("Ann").samples
    gallery.store.commit(
        Changes(put=[Record(old.id, "Ann", old.vector, RecordKind.SAMPLE, picture=picture)])
    )


@pytest.mark.parametrize("form", ["path", "bytes", "open", "memory", "pil", "image"])
def test_a_photo_of_an_older_gallery_is_known(analyzer: Analyzer, gallery: Gallery, form: str) -> None:
    """A gallery that kept the digest of the file knows the photo again in every form it is given."""
    data = Path(PHOTO).read_bytes()
    _as_before_boxes(gallery, hashlib.sha256(data).hexdigest())
    with Path(PHOTO).open("rb") as stream, pillow.open(PHOTO) as picture:
        source = {
            "path": PHOTO,
            "bytes": data,
            "open": stream,
            "memory": io.BytesIO(data),
            "pil": picture,
            "image": lineament.load(PHOTO),
        }[form]
        [again] = gallery.enrol("Ann", source)
        assert type(again.error).__name__ == "AlreadyEnrolled"
        if hasattr(source, "seek"):
            source.seek(0)
        [other] = gallery.enrol("Bob", source, allow=["other-subject"])
        assert "this very face" in str(other.error)
