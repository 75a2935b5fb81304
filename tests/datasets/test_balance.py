"""Balancing counts, chooses and refers; it never copies and never forgets to tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.balance import ALL, Plan, balance
from lineament.datasets.naming import chosen, display_names, names_in
from lineament.errors import (
    ConfigError,
    InsufficientData,
    InvalidSubject,
    SplitError,
    UnknownName,
    UsageError,
)
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


HELD = {"Ann Bee": 12, "Bob_Cee": 8, "Dan": 3}


def split_people() -> Manifest:
    """Of three people so many in train, ten each in val, and somebody who is in val alone."""
    return Manifest((*people(HELD), *people({**dict.fromkeys(HELD, 10), "Eve": 10}, "val")))


@pytest.mark.parametrize(
    ("counted", "at_least", "kept", "few"),
    [
        ("after", 8, {"Ann Bee", "Bob_Cee"}, {"Dan"}),
        ("before", 8, set(HELD), set()),
        ("before", 14, {"Ann Bee", "Bob_Cee"}, {"Dan"}),
        ("after", 1, set(HELD), set()),
    ],
)
def test_pictures_are_counted_after_the_split_or_before_it(
    counted: str, at_least: int, kept: set[str], few: set[str]
) -> None:
    """After the split only its own pictures count, before it those of all splits; who has none in the split
    cannot be kept either way, and every person left out has the reason."""
    result = balance(split_people(), Plan(at_least, None, 10, counted=counted))  # type: ignore[arg-type]
    assert set(result.samples) == kept
    reasons = {one.subject: one.reason for one in result.left_out}
    assert {s for s, reason in reasons.items() if reason == "too_few"} == few
    assert set(reasons) == {*HELD, "Eve"} - kept
    assert (result.way_out is None) == (not few)


def test_who_falls_short_is_told_the_way_out() -> None:
    """What the message names is tried here, and keeps whom it says."""
    data = split_people()
    with pytest.raises(InsufficientData, match="the most is 12; --counted before keeps 2") as told:
        balance(data, Plan(15, None, None))
    assert "--at-least 3 keeps all who have any" in str(told.value) and "--names LIST" in str(told.value)
    assert len(balance(data, Plan(15, None, None, counted="before")).samples) == 2
    assert set(balance(data, Plan(3, None, None)).samples) == set(HELD)
    with pytest.raises(InsufficientData) as none:
        balance(data, Plan(50, None, None))
    assert "--counted" not in str(none.value)


@pytest.mark.parametrize(
    ("names", "kept", "unknown"),
    [
        (["Ann Bee"], {"Ann Bee"}, []),
        (["ann_bee", "BOB CEE"], {"Ann Bee", "Bob_Cee"}, []),
        (["Bob%20Cee", "Dan", "Zoe"], {"Bob_Cee", "Dan"}, ["Zoe"]),
        (["Ann+Bee"], {"Ann Bee"}, []),
        (["Dan", "Eve"], {"Dan"}, []),
    ],
)
def test_people_are_chosen_by_name(names: list[str], kept: set[str], unknown: list[str]) -> None:
    """A list may write names with other case, underscores or what an address makes of spaces; what nobody
    here is called is told; everybody else is left out as not named."""
    result = balance(split_people(), Plan(1, None, 10, names=tuple(names)))
    assert set(result.samples) == kept and list(result.unknown) == unknown
    reasons = {one.subject: one.reason for one in result.left_out}
    assert reasons.get("Ann Bee", "not_named") == "not_named"
    assert reasons.get("Eve") == ("none_in_split" if "Eve" in names else "not_named")


def test_a_name_that_means_nobody_or_several_is_an_error() -> None:
    """Nobody by any name of the list, or two people by one, is never guessed."""
    with pytest.raises(UnknownName, match="did you mean 'Ann Bee'"):
        chosen(["Ann Be"], HELD)
    with pytest.raises(UnknownName, match="'Bob_Cee' or 'bob cee'"):
        chosen(["BOB CEE"], [*HELD, "bob cee"])
    assert chosen(["bob cee"], [*HELD, "bob cee"])[0] == {"bob cee": "bob cee"}


def test_a_list_is_a_file_or_names_with_commas(tmp_path: Path) -> None:
    """A file has a name a line as for collecting, comments apart; damage names its line."""
    assert names_in(" Ann Bee, Dan ,Dan") == ["Ann Bee", "Dan"]
    assert names_in("x," * 5_000) == ["x"]
    path = tmp_path / "names.txt"
    path.write_text("# who\nAnn Bee\tann bee actress\n\nBush, George\r\n", encoding="utf-8-sig")
    assert names_in(str(path)) == ["Ann Bee", "Bush, George"]
    path.write_text("Ann\nAnn\n")
    with pytest.raises(InvalidSubject, match="line 2"):
        names_in(str(path))
    with pytest.raises(UsageError, match="holds no name"):
        names_in(" , ")


def test_shown_names_are_words_and_never_alike() -> None:
    """Underscores, address codes and a folder's hash are not shown, unless two people would look alike."""
    found = display_names(
        ["George_W_Bush", "ada_lovelace-0a1b2c3d4e", "Zo\u00eb%20Y", "a_b", "A b", "x-12"]
    )
    assert list(found.values()) == ["George W Bush", "ada lovelace", "Zo\u00eb Y", "a_b", "A b", "x-12"]


def test_faces_of_one_picture_are_not_called_pictures() -> None:
    """Where pictures hold several people, faces are counted, and said."""
    rows = tuple(replace(row, path=f"{row.path[2:]}") for row in people({"a": 5, "b": 5}))
    assert balance(Manifest(rows), Plan(1, None, 3)).unit == "faces"
    assert balance(split_people(), Plan(1, None, 3)).unit == "pictures"
    with pytest.raises(InsufficientData, match="no subject has 9 faces"):
        balance(Manifest(rows), Plan(9, None, 3))


def test_the_command_prints_what_results(tmp_path: Path) -> None:
    """People times pictures, how at least N was counted, who fell short and what would keep them."""
    split_people().save(tmp_path / "split.jsonl")
    plain = CliRunner().invoke(
        app, ["dataset", "balance", str(tmp_path / "split.jsonl"), "--at-least", "8", "--per-subject", "10"]
    )
    assert plain.exit_code == 0, plain.output
    for told in (
        "2 people x 10 = 20 pictures an epoch, from 18 different ones (split train)",
        "at least 8 pictures of each, counted after the split, in train alone",
        "1 person falls short of 8: --counted before keeps 1 of them",
        "--at-least 3 keeps all who have any",
    ):
        assert told in plain.output, plain.output
    command = ["dataset", "balance", str(tmp_path / "split.jsonl"), "--names", "dan,bob cee,Zoe"]
    named = CliRunner().invoke(app, [*command, "--per-subject", "0", "--json", "-"])
    answer = json.loads(next(line for line in named.output.splitlines() if line.startswith("{")))
    assert (answer["people"], answer["samples"], answer["unknown_names"]) == (2, 11, ["Zoe"])
    written = Manifest.load(tmp_path / "balanced.jsonl")
    assert {row.subject for row in written if row.split == "train"} == {"Dan", "Bob_Cee"}
