"""Stores and galleries around processes: forked, spawned, pickled."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import numpy as np
import pytest

from lineament import Gallery
from lineament.errors import LineamentError, StoreError, UsageError
from lineament.records import Bound, Changes, Record
from lineament.stores import GalleryStore, open_store
from lineament.types import ModelId

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
MODEL = ModelId("toy", "0" * 64)
SECONDS = 60
"""Far longer than any child takes; one that hangs is ended and told of."""


def _record(name: str, direction: int) -> Record:
    return Record(name, name, np.eye(4, dtype=np.float32)[direction])


def _nearest(store: GalleryStore, direction: int) -> str:
    return store.search(np.eye(4, dtype=np.float32)[[direction]], 1)[0][0].subject


def _filled(url: str) -> GalleryStore:
    store = open_store(url)
    store.commit(Changes(bind=Bound(MODEL, 4)))
    store.commit(Changes(put=[_record("ann", 0)]))
    assert _nearest(store, 0) == "ann"
    return store


def _in_child(work: Callable[[], str]) -> str:
    """What a forked child answers, or the name of what it raised."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        try:
            answer = work()
        except LineamentError as error:
            answer = type(error).__name__
        except BaseException as error:
            answer = repr(error)
        gc.collect()
        os.write(write, answer.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read().decode()
    assert os.waitpid(child, 0)[1] == 0, "the child hung"
    return answer


def _is_whole(path: Path) -> bool:
    db = apsw.Connection(str(path))
    try:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        db.close()


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:{tmp_path / 'g.db'}"


@needs_fork
def test_a_child_answers(url: str) -> None:
    """A store used before a fork answers in the child, and goes on in the parent."""
    store = _filled(url)
    assert [_in_child(lambda: _nearest(store, 0)) for _ in range(3)] == ["ann"] * 3
    assert _nearest(store, 0) == "ann"


@needs_fork
def test_parent_and_children_write_at_once(tmp_path: Path) -> None:
    """Parent and children of one gallery write at the same time: all is there, and the file is whole."""
    path = tmp_path / "g.db"
    store = _filled(f"sqlite:{path}")
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            signal.alarm(SECONDS)
            for turn in range(10):
                store.commit(Changes(put=[_record(f"c{number}-{turn}", 1)]))
            store.close()
            os._exit(0)
        children.append(child)
    for turn in range(10):
        store.commit(Changes(put=[_record(f"p-{turn}", 2)]))
        store.commit(Changes(remove=[f"p-{turn}"]))
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert len(store.subjects()) == 31
    store.close()
    assert _is_whole(path)


@needs_fork
@pytest.mark.parametrize("use", ["search", "write", "another store", "close"])
def test_a_child_forked_in_mid_write_is_told(tmp_path: Path, use: str) -> None:
    """Forked inside a write the child raises at once, through any store of that file; the write stands."""
    path = tmp_path / "g.db"
    store = _filled(f"sqlite:{path}")

    def work() -> str:
        if use == "search":
            return _nearest(store, 0)
        if use == "write":
            store.commit(Changes(put=[_record("child", 3)]))
        if use == "another store":
            open_store(f"sqlite:{path}", create=False)
        if use == "close":
            store.close()
        return "done"

    with store.turn():
        answer = _in_child(work)
        store.commit(Changes(put=[_record("bob", 1)]))
    assert answer == "StoreError"
    assert [name for name, _ in store.subjects()] == ["ann", "bob"]
    store.close()
    assert _is_whole(path)


@needs_fork
def test_a_child_forked_while_another_thread_writes_does_not_hang(url: str) -> None:
    """Another thread's long write keeps a child from the store, by a named error, and not for ever."""
    store = _filled(url)
    begun, over = threading.Event(), threading.Event()

    def long_write() -> None:
        with store.turn():
            begun.set()
            over.wait(SECONDS)
            store.commit(Changes(put=[_record("bob", 1)]))

    writer = threading.Thread(target=long_write)
    writer.start()
    begun.wait(SECONDS)
    answer = _in_child(lambda: _nearest(store, 0))
    over.set()
    writer.join()
    assert answer == "StoreError"
    assert [name for name, _ in store.subjects()] == ["ann", "bob"]


@needs_fork
def test_forked_after_close(url: str) -> None:
    """What was closed before a fork is not opened by it; closing before or after is the same."""
    gallery = Gallery(_filled(url))
    assert _in_child(lambda: str(gallery.close())) == "None"
    gallery.close()
    assert _in_child(lambda: str(gallery.people)) == "UsageError"


@needs_fork
def test_closed_between_two_forks(tmp_path: Path) -> None:
    """Closed when a fork had put the file aside, a store says that it is closed."""
    store = _filled(f"sqlite:{tmp_path / 'g.db'}")
    _in_child(lambda: "")
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.subjects()


@needs_fork
@pytest.mark.parametrize("moved", [True, False])
def test_another_file_in_the_place(tmp_path: Path, moved: bool) -> None:
    """Replaced or written over after a fork, the gallery is the new file: no old vector is in memory."""
    path = tmp_path / "g.db"
    store = _filled(f"sqlite:{path}")
    other = open_store(f"sqlite:{tmp_path / 'other.db'}")
    other.commit(Changes(bind=Bound(MODEL, 4)))
    other.commit(Changes(put=[_record("eve", 0)]))
    other.close()
    _in_child(lambda: "")
    if moved:
        (tmp_path / "other.db").replace(path)
    else:
        path.write_bytes((tmp_path / "other.db").read_bytes())
    assert _nearest(store, 0) == "eve"


@pytest.mark.parametrize("way", [lambda g: pickle.loads(pickle.dumps(g)), copy.deepcopy])
def test_galleries_travel_as_their_place(tmp_path: Path, way: Callable[[Gallery], Gallery]) -> None:
    """A pickled gallery is opened anew from its file, with its settings."""
    with Gallery(_filled(f"sqlite:{tmp_path / 'g.db'}"), target_fmr=1e-4, fusion="best") as gallery:
        with way(gallery) as there:
            assert there.subjects() == gallery.subjects() == [("ann", 1)]
            assert (there.target_fmr, there.fusion) == (1e-4, "best")
        assert gallery.people == 0


def test_a_memory_gallery_stays() -> None:
    """What lives in one process refuses by name to be pickled: its copy would drift away unseen."""
    with pytest.raises(UsageError, match="sqlite:"):
        pickle.dumps(Gallery("memory:"))
