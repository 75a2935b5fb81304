"""Error rates by group at one threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.errors import InsufficientData, LabelFileError, UsageError
from lineament.evaluation import fairness
from lineament.evaluation.capture import Captures
from lineament.evaluation.groups import from_manifest, from_table
from lineament.evaluation.people import LabelledPictures
from lineament.io.manifest import Manifest, ManifestRow
from lineament.scoring.fairness import shortage, spread
from lineament.scoring.intervals import ErrorRate
from lineament.types import Interval, ModelId, Threshold

MODEL = ModelId("m", "0" * 64)


def _data(
    noise: dict[str, float], people: int = 60, each: int = 5
) -> tuple[LabelledPictures, Captures, dict]:
    """Planted: a group's embeddings scatter by its ``noise``, so its FNMR follows from it."""
    rng = np.random.default_rng(0)
    rows, subjects, groups = [], [], {}
    for group, amount in noise.items():
        for number in range(people):
            centre = rng.standard_normal(32)
            groups[f"{group}{number}"] = group
            for _ in range(each):
                vector = centre + amount * rng.standard_normal(32)
                rows.append(vector / np.linalg.norm(vector))
                subjects.append(f"{group}{number}")
    n = len(rows)
    pictures = LabelledPictures((Path("x"),) * n, ("x",) * n, tuple(subjects), (None,) * n, "planted")
    return pictures, Captures(np.array(rows, np.float32), (), MODEL), groups


def _threshold(value: float) -> Threshold:
    return Threshold(value, MODEL, 1e-3, "elsewhere", 1e-3, Interval(0, 1), 1, 1)


def test_the_planted_worse_group_is_named() -> None:
    """A group with twice the scatter has the higher FNMR at the one threshold, equal to a plain count."""
    people, captures, groups = _data({"a": 0.6, "b": 1.2})
    found = fairness.evaluate(people, captures, groups, "group", _threshold(0.5))
    assert found.fnmr_spread is not None
    assert (found.fnmr_spread.worst, found.fnmr_spread.best) == ("b", "a")
    assert found.fnmr_spread.interval.low > 1
    rows = np.array([s.startswith("b") for s in people.subjects])
    vectors, names = captures.embeddings[rows], np.array(people.subjects)[rows]
    scores = vectors @ vectors.T
    upper = np.triu(np.ones_like(scores, bool), 1)
    mated = upper & (names[:, None] == names[None])
    b = found.groups["b"].fnmr
    assert b is not None
    assert b.comparisons == mated.sum()
    assert b.errors == int((scores[mated] < np.float32(0.5)).sum())


def test_equal_groups_do_not_look_unfair() -> None:
    """Two groups made alike: the interval of the ratio holds 1."""
    people, captures, groups = _data({"a": 1.0, "b": 1.0})
    found = fairness.evaluate(people, captures, groups, "group", _threshold(0.5))
    assert found.fnmr_spread is not None
    assert found.fnmr_spread.interval.low < 1 < found.fnmr_spread.interval.high


def test_a_small_group_is_refused_by_name() -> None:
    """Where fewer than 30 errors are to be expected, the group gets no rate but what it would need."""
    people, captures, groups = _data({"a": 0.6, "b": 0.6}, people=20)
    found = fairness.evaluate(people, captures, groups, "group", _threshold(0.75))
    assert found.groups["a"].fmr is None
    assert "comparisons" in found.groups["a"].unsupported["fmr"]
    assert found.fmr_spread is None


def test_people_without_a_label_are_counted() -> None:
    """Nobody is put into a group by default."""
    people, captures, groups = _data({"a": 1.0, "b": 1.0})
    del groups["a0"]
    found = fairness.evaluate(people, captures, groups, "group", _threshold(0.5))
    assert found.unlabelled == 1
    assert found.groups["a"].people == 59
    with pytest.raises(InsufficientData, match="two groups"):
        fairness.evaluate(people, captures, {"a1": "a"}, "group", _threshold(0.5))


def test_rule_of_thirty() -> None:
    """30 expected errors are enough, fewer are not, and no error at all promises none."""
    assert shortage(0.01, 3000) is None
    assert shortage(0.01, 2999) == "needs 3,000 comparisons, you have 2,999"
    assert shortage(0.0, 10**9) is not None


def test_a_group_without_an_error_keeps_the_ratio_finite() -> None:
    """Half an error stands in for none."""

    def of(errors: int) -> ErrorRate:
        return ErrorRate(errors, 1000, 50, 500.0, Interval(0, 1))

    found = spread({"a": of(0), "b": of(40)})
    assert found is not None
    assert found.value == pytest.approx(80)
    assert found.interval.low < 80 < found.interval.high < np.inf


def test_groups_from_a_table(tmp_path: Path) -> None:
    """Two values of one subject, or a missing column, are named errors; blanks are unknown."""
    table = tmp_path / "groups.csv"
    table.write_text("subject,gender\nann,female\nbob,male\ncas,\nann,female\n")
    assert from_table(table, "gender") == {"ann": "female", "bob": "male"}
    table.write_text("subject,gender\nann,female\nann,male\n")
    with pytest.raises(LabelFileError, match="line 3"):
        from_table(table, "gender")
    with pytest.raises(LabelFileError, match="gender"):
        from_table(table, "gendre")


def test_groups_from_a_manifest() -> None:
    """The most frequent label of a subject's rows; a label nobody has is named."""
    rows = [
        ManifestRow(f"{i}", f"{i}.jpg", "0", subject="ann", labels={"gender": value})
        for i, value in enumerate(("female", "male", "female"))
    ]
    assert from_manifest(Manifest(tuple(rows)), "gender") == {"ann": "female"}
    with pytest.raises(UsageError, match="gender"):
        from_manifest(Manifest(tuple(rows)), "gendre")
