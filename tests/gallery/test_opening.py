"""A gallery is opened with settings that make sense, or refused at the door; closed, it stays closed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.errors import ConfigError, InvalidSubject, LineamentError, UsageError
from lineament.gallery.gallery import Gallery
from lineament.stores.memory import MemoryLedger
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors

VECTORS = unit_vectors(4, 1, 16)


def fake() -> FakeAnalyzer:
    return FakeAnalyzer({f"p{i}": VECTORS[i : i + 1] for i in range(4)})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"threshold": 0.4}, "target_fmr"),
        ({"threshold": "0.4"}, "target_fmr"),
        ({"threshold": np.float32(0.4)}, "lineament calibrate"),
        ({"threshold": True}, "no Threshold"),
        ({"threshold": {"value": 0.4}}, "no Threshold"),
        ({"target_fmr": 2}, "target_fmr"),
        ({"target_fmr": 0}, "target_fmr"),
        ({"target_fmr": -0.001}, "target_fmr"),
        ({"target_fmr": "0.001"}, "target_fmr"),
        ({"target_fmr": float("nan")}, "target_fmr"),
        ({"target_fmr": True}, "target_fmr"),
        ({"target_fmr": threshold(0.5)}, "target_fmr"),
        ({"target_fmr": 0.001, "threshold": threshold(0.5)}, "not both"),
        ({"min_quality": 1.5}, "min_quality"),
        ({"min_quality": -1}, "min_quality"),
        ({"min_quality": None}, "min_quality"),
        ({"min_quality": "high"}, "min_quality"),
        ({"fusion": "meen"}, "did you mean 'mean'"),
        ({"fusion": None}, "known: best, mean"),
        ({"fusion": ["mean"]}, "fusion"),
        ({"analyzer": "retry:yunet"}, "Analyzer("),
        ({"analyzer": Analyzer}, "no analyzer"),
        ({"analyzer": 3}, "no analyzer"),
        ({"analyzer": Path("yunet")}, "no analyzer"),
    ],
    ids=str,
)
def test_refused_at_the_door(settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    """A setting of the wrong kind is a `ConfigError` that names it and the way out; no file is made."""
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        Gallery(tmp_path / "people.db", **settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("store", "says"),
    [
        ("", "sqlite:people.db"),
        ("people.db", "'sqlite:people.db'"),
        ("sqlite:", "needs a file"),
        ("sqlit:people.db", "did you mean 'sqlite'"),
        (b"sqlite:people.db", "no gallery"),
        (5, "no gallery"),
        (["sqlite:people.db"], "no gallery"),
        (MemoryLedger, "no gallery"),
        pytest.param(object(), "GalleryStore", id="object"),
        (Path(), "not a regular file"),
    ],
    ids=str,
)
def test_what_is_no_store(store: Any, says: str) -> None:
    """A gallery that cannot be one is refused by name, with what to give."""
    with pytest.raises(LineamentError, match=says):
        Gallery(store)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, whatever its type, is a SQLite file of exactly that name, also one that looks like a URL."""
    monkeypatch.chdir(tmp_path)

    class Bytes(os.PathLike[bytes]):
        def __fspath__(self) -> bytes:
            return b"memory:"

    for given in (Path("people.db"), tmp_path / "~" / ".." / "b.db", Bytes()):
        (tmp_path / "~").mkdir(exist_ok=True)
        with Gallery(given, fake(), threshold=threshold(0.9)) as gallery:  # type: ignore[arg-type]
            assert gallery.enrol("Ann", picture("p0"))[0].error is None
    assert {p.name for p in tmp_path.iterdir()} == {"people.db", "b.db", "memory:", "~"}


def test_an_analyzer_without_embedder() -> None:
    """Faces without embeddings can be neither kept nor found, which is said at once."""
    with pytest.raises(ConfigError, match="with an embedder"):
        Gallery("memory:", Analyzer(embedder=None))


def test_closing_ends_the_analyzer_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The analyzer made for a gallery is ended with it; one handed in is its owner's."""
    ended = []

    class Made(FakeAnalyzer):
        def __init__(self) -> None:
            super().__init__({"p0": VECTORS[:1]})

        def close(self) -> None:
            ended.append(self)

    monkeypatch.setattr("lineament.analyzer.Analyzer.from_settings", lambda settings: Made())
    with Gallery("memory:", threshold=threshold(0.9)) as gallery:
        gallery.enrol("Ann", picture("p0"))
        made = gallery.analyzer
    assert ended == [made]
    gallery.close()
    mine = Made()
    with Gallery("memory:", mine, threshold=threshold(0.9)) as gallery:
        gallery.enrol("Ann", picture("p0"))
    with Gallery("memory:"):
        pass  # never asked for a picture, so none was made
    assert ended == [made]


def test_closing_ends_its_threads() -> None:
    """No worker thread of a real analyzer outlives the gallery that made it."""
    import threading

    sample = Path(__file__).parents[2] / "samples" / "collins_nasa.png"
    before = set(threading.enumerate())
    with Gallery("memory:") as gallery:
        gallery.enrol("Eileen", sample)
        workers = {t for t in threading.enumerate() if t.name.startswith("lineament")} - before
        assert workers
    assert not any(worker.is_alive() for worker in workers)


@pytest.mark.parametrize("store", ["memory:", "sqlite"])
def test_use_after_close(store: str, tmp_path: Path) -> None:
    """Whatever is asked of a closed gallery is one named error, never an empty answer."""
    gallery = Gallery(
        f"sqlite:{tmp_path}/people.db" if store == "sqlite" else store, fake(), threshold=threshold(0.9)
    )
    gallery.enrol("Ann", picture("p0"))
    begun = gallery.identify([picture("p0"), picture("p1")])
    next(begun)
    gallery.close()
    for use in (
        gallery.subjects,
        lambda: gallery.people,
        lambda: gallery.enrol("Ann", picture("p1")),
        lambda: list(gallery.identify(picture("p0"))),
        lambda: next(begun),
        lambda: gallery.verify(picture("p0"), "Ann"),
        lambda: gallery.dispute(picture("p1"), "Ann"),
        lambda: gallery.remove("Ann"),
        lambda: gallery.rename("Ann", "Bo"),
        lambda: gallery.backup(tmp_path / "copy.db"),
    ):
        with pytest.raises(UsageError, match="closed"):
            use()


@pytest.mark.parametrize("form", ["picture", "list", "tuple", "generator"])
def test_one_source_is_one(form: str) -> None:
    """One picture given where several may be is taken as that one, everywhere."""
    one = picture("p0")
    given: Any = {"picture": one, "list": [one], "tuple": (one,), "generator": iter([one])}[form]
    gallery = Gallery("memory:", fake(), threshold=threshold(0.9))
    [done] = gallery.enrol("Ann", given)
    assert (done.error, done.source) == (None, "p0")
    given = {"picture": one, "list": [one], "tuple": (one,), "generator": iter([one])}[form]
    [found] = gallery.identify(given)
    assert found.matches[0].subject == "Ann"
    pair = ("Bo", picture("p1"))
    pairs: Any = {"picture": pair, "list": [pair], "tuple": (pair,), "generator": iter([pair])}[form]
    [done] = gallery.enrol_all(pairs)
    assert (done.error, done.subject) == (None, "Bo")


def test_text_is_a_path(tmp_path: Path) -> None:
    """A path given as text is that path, not its letters."""
    path = str(tmp_path / "a.jpg")
    analyzer = fake()
    analyzer.faces[path] = VECTORS[:1]
    gallery = Gallery("memory:", analyzer, threshold=threshold(0.9))
    assert [o.source for o in gallery.enrol("Ann", path)] == [path]
    assert [o.source for o in gallery.enrol_all(("Ann", path))] == [path]
    assert [f.outcome.source for f in gallery.identify(path)] == [path]
    assert gallery.verify(path, "Ann").accepted
    analyzer.faces[path] = VECTORS[1:2]
    gallery.enrol("Bo", picture("p2"))
    assert gallery.dispute(path, "Bo").source == path


@pytest.mark.parametrize("photos", ["Ann", ["Ann"], [("Ann",)], [("Ann", "a.jpg", "b.jpg")], None, b"Ann"])
def test_what_are_no_pairs(photos: Any) -> None:
    """Anything but pairs of a subject and a photo is named, before a photo is looked at."""
    gallery = Gallery("memory:", fake(), threshold=threshold(0.9))
    with pytest.raises(ConfigError, match="pairs of a subject and a photo"):
        list(gallery.enrol_all(photos))


@pytest.mark.parametrize("subject", [None, 5, b"Ann", Path("Ann"), ["Ann"]])
def test_a_subject_is_text(subject: Any) -> None:
    """A name that is no text is a named error, to enrol and to look up; in a batch it refuses its photo."""
    gallery = Gallery("memory:", fake(), threshold=threshold(0.9))
    gallery.enrol("Ann", picture("p0"))
    with pytest.raises(InvalidSubject, match="is text"):
        gallery.enrol(subject, picture("p1"))
    [bad, good] = gallery.enrol_all([(subject, picture("p1")), ("Bo", picture("p2"))])
    assert isinstance(bad.error, InvalidSubject)
    assert good.error is None
    for ask in (gallery.show, gallery.remove, lambda name: gallery.verify(picture("p0"), name)):
        with pytest.raises(LineamentError, match="is text"):
            ask(subject)


def test_one_refusal_allowed() -> None:
    """A single override given as text is that one, not its letters."""
    gallery = Gallery("memory:", fake(), threshold=threshold(0.9), min_quality=1.0)
    [done] = gallery.enrol("Ann", picture("p0"), allow="low-quality")
    assert done.error is None
