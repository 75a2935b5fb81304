"""Balancing counts, chooses and refers; it never copies and never forgets to tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.datasets.balance import ALL, Plan, balance
from lineament.errors import ConfigError, InsufficientData, SplitError
from lineament.io.manifest import Manifest, ManifestRow


def people(sizes: dict[str, int], split: str | None = "train") -> tuple[ManifestRow, ...]:
    return tuple(
        ManifestRow(f"{s}{i}{split}", f"{s}/{i}.jpg", "0" * 64, subject=s, split=split, quality=i / 1000)
        for s, n in sizes.items()
        for i in range(n)
    )


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 40), min_size=1),
    st.integers(1, 30),
    st.integers(1, 6),
    st.integers(1, 50),
    st.sampled_from(["hash", "most"]),
    st.sampled_from(["random", "quality"]),
)
def test_exactly_k_samples_and_every_subject_told(
    sizes: dict[str, int], at_least: int, subjects: int, k: int, choose: str, down: str
) -> None:
    """Each kept subject has exactly K samples, spread evenly over its rows; all others have a reason."""
    plan = Plan(at_least, subjects, k, choose, down)  # type: ignore[arg-type]
    data = Manifest(people(sizes))
    if max(sizes.values()) < at_least:
        with pytest.raises(InsufficientData):
            balance(data, plan)
        return
    result = balance(data, plan)
    assert set(result.samples) | {one.subject for one in result.left_out} == set(sizes)
    assert not set(result.samples) & {one.subject for one in result.left_out}
    assert len(result.samples) == min(subjects, sum(n >= at_least for n in sizes.values()))
    for one in result.left_out:
        assert (one.reason == "too_few") == (sizes[one.subject] < at_least)
    for subject in result.samples:
        repeats = [row.repeats for row in result.manifest if row.subject == subject]
        assert sum(repeats) == k and min(repeats) >= 1 and max(repeats) - min(repeats) <= 1
    assert {row.path for row in result.manifest} <= {row.path for row in data}


def test_balancing_twice_changes_nothing() -> None:
    """Repeats of an earlier balancing are not counted as photos."""
    plan = Plan(2, None, 7)
    once = balance(Manifest(people({"a": 3, "b": 9})), plan).manifest
    assert balance(once, plan).manifest.rows == once.rows


def test_only_the_training_split_is_touched() -> None:
    """Rows of other splits stay as they are unless told otherwise, and are counted."""
    held = people({"a": 5, "b": 5, "c": 5}, "test")
    data = Manifest((*people({"a": 40, "b": 40, "c": 3}), *held))
    result = balance(data, Plan(30, None, 10))
    assert tuple(row for row in result.manifest if row.split == "test") == Manifest(held).rows
    [left] = result.left_out
    assert (left.subject, left.rows, left.reason, left.elsewhere) == ("c", 3, "too_few", 5)
    gone = balance(data, Plan(30, None, 10), everywhere=True).manifest
    assert {row.subject for row in gone if row.split == "test"} == {"a", "b"}


def test_an_unsplit_manifest_is_refused_unless_told() -> None:
    """Without a training split there is nothing to balance, unless all rows are asked for."""
    data = Manifest(people({"a": 40}, None))
    with pytest.raises(SplitError, match="split first"):
        balance(data, Plan())
    assert balance(data, Plan(split=ALL)).samples == {"a": 50}


def test_down_by_quality_keeps_the_best() -> None:
    """The rows with the highest quality stay."""
    result = balance(Manifest(people({"a": 40})), Plan(1, None, 4, down="quality"))
    assert sorted(row.quality or 0 for row in result.manifest) == [0.036, 0.037, 0.038, 0.039]


def test_down_by_quality_needs_qualities() -> None:
    """A row without a quality is never taken for a bad or a good one."""
    rows = people({"a": 40})
    data = Manifest((replace(rows[0], quality=None), *rows[1:]))
    with pytest.raises(InsufficientData, match="quality"):
        balance(data, Plan(1, None, 4, down="quality"))


def test_the_choice_of_subjects() -> None:
    """By most photos the largest are kept; by hash new subjects hardly change who is kept."""
    sizes = {name: 30 + i for i, name in enumerate("abcdefghij")}
    most = balance(Manifest(people(sizes)), Plan(30, 3, 5, choose="most"))
    assert set(most.samples) == {"h", "i", "j"}
    before = set(balance(Manifest(people(sizes)), Plan(30, 5, 5)).samples)
    after = set(balance(Manifest(people({**sizes, "k": 30, "l": 2})), Plan(30, 5, 5)).samples)
    assert len(before & after) >= 4 and after - before <= {"k"}
    seeds = {tuple(balance(Manifest(people(sizes)), Plan(30, 5, 5, seed=s)).samples) for s in range(5)}
    assert len(seeds) > 1


def test_rows_without_subject_or_face_are_counted() -> None:
    """What cannot be balanced is left out and counted."""
    odd = (
        ManifestRow("x", "x.jpg", "0" * 64, split="train"),
        ManifestRow("y", "y.jpg", "0" * 64, subject="a", split="train", outcome="no_face"),
    )
    result = balance(Manifest((*people({"a": 3}), *odd)), Plan(1, None, None))
    assert (result.unnamed, result.unusable, result.samples) == (1, 1, {"a": 3})


@pytest.mark.parametrize("bad", [{"at_least": 0}, {"subjects": 0}, {"per_subject": -1}, {"down": "best"}])
def test_bad_plans_are_refused(bad: dict[str, int]) -> None:
    """A plan that cannot be meant is a named error."""
    with pytest.raises(ConfigError):
        Plan(**bad)  # type: ignore[arg-type]
