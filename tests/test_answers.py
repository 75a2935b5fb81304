"""Answers tell of themselves: no command line is needed, and no matplotlib until a figure is asked for."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lineament.evaluation
from lineament.answers import Answer, Table, plain
from lineament.evaluation.evaluated import Evaluated
from lineament.gallery.answers import GalleryStatus, Searched
from lineament.gallery.gallery import Gallery
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors

ALONE = """
import json, sys
import numpy as np
from lineament.answers import plain
from lineament.evaluation import verification
from lineament.evaluation.capture import Captures
from lineament.evaluation.pairs import PairList
from lineament.types import ModelId
rng = np.random.default_rng(0)
vectors = rng.normal(size=(8, 16)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
first, second = np.array([0, 2, 0, 4]), np.array([1, 3, 2, 6])
pairs = PairList(tuple("abcdefgh"), first, second, np.array([True, True, False, False]),
                 np.array([1, 2, 1, 2]), np.arange(8) // 2)
found = verification.score(pairs, Captures(vectors, (), ModelId("m", "0" * 64)))
json.dumps(plain(found.to_json()), allow_nan=False)
assert found.notes()[0] == "4 pairs (2 mated, 2 non-mated) of 8 pictures; 0 failures to acquire in 0 pairs"
assert [table.title for table in found.tables()] == ["The listed pairs"]
assert "matplotlib" not in sys.modules
assert not [name for name in sys.modules if name.startswith(("lineament.cli", "typer", "rich"))]
"""


def test_an_evaluation_renders_without_the_command_line() -> None:
    """JSON, notes and tables of a report come from the report, and load no matplotlib."""
    run = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_every_report_of_an_evaluation_is_an_answer() -> None:
    """A class called report in the wing of evaluations has JSON, notes, tables and figures."""
    reports = []
    for info in pkgutil.iter_modules(lineament.evaluation.__path__):
        module = importlib.import_module(f"lineament.evaluation.{info.name}")
        own = [one for one in vars(module).values() if getattr(one, "__module__", "") == module.__name__]
        reports += [one for one in own if isinstance(one, type) and one.__name__.endswith("Report")]
    # Two are parts of a report.
    whole = {one for one in reports if one.__name__ not in ("MeasureReport", "NumberReport")}
    assert len(whole) >= 8
    assert not [one for one in whole if not issubclass(one, Answer)]


class _Shown(Answer):
    def to_json(self) -> dict[str, Any]:
        return {"failures": [{"type": "NoFaceFound"}, {"type": "NoFaceFound"}], "names": ["Ann"], "n": 2}

    def told(self) -> Iterator[str | Table]:
        yield "first"
        yield Table("middle", ("a",), [(1.0,)])
        yield "last"


def test_notes_and_tables_are_what_is_told() -> None:
    """Each keeps the order of reading, and without figures there are none."""
    shown = _Shown()
    assert shown.notes() == ["first", "last"]
    assert [table.title for table in shown.tables()] == ["middle"]
    assert shown.figures() == {}


def test_a_record_names_nobody() -> None:
    """Of failures it holds how many of each type; what names people is left out, or a count."""
    done = Evaluated("any", "Title", _Shown(), {"rule": 1}, {"detector": "yunet"}, {"split": "test"})
    assert done.to_json()["split"] == "test"
    assert done.record().answer["names"] == ["Ann"]
    for names in (None, 1):
        kept = Evaluated("any", "Title", _Shown(), {}, {}, recorded={"names": names}, data=lambda: "sha")
        record = kept.record()
        assert record.answer.get("names") == names and record.answer["n"] == 2
        assert record.answer["failures"] == {"NoFaceFound": 2}
        assert record.protocol == {"data": "sha"}


def test_a_search_and_a_status_tell_of_themselves() -> None:
    """A row a face, the counts, and the threshold that decided, from a gallery alone."""
    vectors = unit_vectors(3, 1, 32)
    analyzer = FakeAnalyzer({"a": vectors[:1], "b": vectors[1:2], "nobody": vectors[:0]})
    with Gallery("memory:", analyzer, threshold=threshold(0.99)) as gallery:
        assert GalleryStatus.of(gallery).notes() == ["0 people, 0 samples"]
        gallery.enrol("Ann", picture("a"))
        searched = Searched(gallery)
        for found in gallery.identify([picture("a"), picture("b"), picture("nobody")]):
            searched.add(found)
            json.dumps(plain(found.to_json()), allow_nan=False)
        (table,) = searched.tables()
        assert [row[2:4] for row in table.rows[:2]] == [("match", "Ann"), ("no_match", "- (nearest: Ann)")]
        assert table.rows[2][2] == "no face"
        assert searched.notes()[0] == "3 pictures: 2 ok, 1 no_face, 0 refused; 2 faces, 1 matched"
        assert searched.to_json()["faces"] == {"match": 1, "no_match": 1}
        status = GalleryStatus.of(gallery)
        assert status.notes()[0] == "1 person, 1 sample"
        assert status.to_json()["threshold"]["value"] == 0.99
        assert gallery.show("Ann").to_json()["samples"][0].keys() >= {"width", "height", "box"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (np.float32(0.5), 0.5),
        ((1, True), [1, True]),
        ({1: "a"}, {"1": "a"}),
    ],
)
def test_json_holds_no_more_than_json_can(value: Any, told: Any) -> None:
    """Arrays are lists, NaN and infinity null, keys text."""
    assert plain(value) == told
