"""Splits that a data set came with stay, and every decision of a split is told."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_splits import SHARES, people, row, where

from lineament.datasets.audit.leaks import find_leaks
from lineament.datasets.splitting.splits import Plan, Split, parse_shares, split
from lineament.errors import SplitError
from lineament.io.manifest import Manifest


def came(**sizes: int) -> Manifest:
    """So many rows of five people by split; ``none`` came without one."""
    return Manifest(
        tuple(
            row(f"{name} {i}", f"s{i % 5}", split=None if name == "none" else name)
            for name, size in sizes.items()
            for i in range(size)
        )
    )


def kinds(result: Split) -> list[str]:
    return [decision.kind for decision in result.decisions if decision.kind not in ("shares", "missing")]


@pytest.mark.parametrize(
    ("sizes", "shares", "fixed", "filled", "told"),
    [
        ({"train": 70, "test": 30}, "train=80,val=20", {"test": 30}, {"train", "val"}, ["kept", "taken"]),
        ({"train": 70, "test": 30}, "70/20/10", {"test": 30}, {"train", "val"}, ["kept", "taken"]),
        ({"train": 70, "val": 30}, "70/20/10", {"val": 30}, {"train", "test"}, ["kept", "taken"]),
        ({"train": 90}, "70/20/10", {}, {"train", "val", "test"}, ["taken"]),
        ({"trainval": 70, "test": 30}, "70/20/10", {"test": 30}, {"train", "val"}, ["kept", "taken"]),
        ({"default": 90}, "70/20/10", {}, {"train", "val", "test"}, ["taken"]),
        ({"train": 70, "valid": 30}, "70/20/10", {"val": 30}, {"train", "test"}, ["kept", "taken"]),
        ({"train": 70, "validation": 30}, "70/20/10", {"val": 30}, {"train", "test"}, ["kept", "taken"]),
        ({"training": 70, "dev": 30}, "70/20/10", {"val": 30}, {"train", "test"}, ["kept", "taken"]),
        ({"train": 5, "val": 3, "test": 2}, "70/20/10", {"train": 5, "val": 3, "test": 2}, set(), None),
        ({"train": 50, "test": 30}, "80/20", {"test": 30}, {"train", "val"}, ["kept", "taken"]),
        ({"train": 50, "val": 30}, "80/20", {"train": 50, "val": 30}, set(), None),
        ({"test": 30, "none": 90}, "70/20/10", {"test": 30}, {"train", "val"}, ["kept", "loose"]),
        ({"train": 30, "none": 60}, "70/30", {}, {"train", "val"}, ["taken", "loose"]),
        ({"train": 9, "val": 3, "test": 2, "none": 7}, "70/20/10", {"val": 3, "test": 2}, {"train"}, None),
        ({"holdout": 30, "train": 90}, "80/20", {"holdout": 30}, {"train", "val"}, ["kept", "taken"]),
    ],
)
def test_given_splits_stay(
    sizes: dict[str, int], shares: str, fixed: dict[str, int], filled: set[str], told: list[str] | None
) -> None:
    """A split that was given keeps its rows and gets no others; what is missing is taken from the training
    rows and those that came without a split; which it was is told, with numbers, and stands in the step."""
    data = came(**sizes)
    result = split(data, Plan(parse_shares(shares)))
    found = Counter(one.split for one in result.manifest)
    assert {name: found[name] for name in fixed} == fixed
    assert set(found) == set(fixed) | filled and None not in found
    before = {one.id: one.split for one in data}
    named = {"valid": "val", "validation": "val", "dev": "val"}
    for one in result.manifest:
        old = named.get(before[one.id] or "", before[one.id])
        assert old == one.split or old not in fixed
        assert one.split not in fixed or old == one.split
    if told is None:
        assert "kept" in kinds(result) and ("nothing" in kinds(result)) == (not filled)
    else:
        assert kinds(result) == told
    assert result.manifest.steps[-1]["decisions"] == [one.to_json() for one in result.decisions]
    assert set(result.manifest.steps[-1]["given"]) >= set(fixed)


@pytest.mark.parametrize("exact", [False, True])
def test_resplit_shares_out_what_was_given(exact: bool) -> None:
    """Asked to, the given splits are not kept, and that is told."""
    data = came(train=200, test=200)
    result = split(data, Plan(SHARES, exact=exact, resplit=True))
    assert {one.split for one in result.manifest if one.id.startswith("test")} == set(SHARES)
    assert kinds(result) == ["resplit"] and "test 200" in result.decisions[0].text


def test_the_tools_own_split_is_made_again() -> None:
    """What an earlier step shared out is shared out again; what it was given is given still."""
    first = split(came(train=100, test=30), Plan(SHARES)).manifest
    again = split(first, Plan({"train": 0.5, "val": 0.5}, seed=3)).manifest
    assert where(again) != where(first)
    assert {key for key, name in where(again).items() if name == "test"} == {
        key for key, name in where(first).items() if name == "test"
    }
    plain = split(people(10, 20), Plan(SHARES)).manifest
    assert where(split(plain, Plan(SHARES, seed=1)).manifest) != where(plain)


def test_a_leak_between_given_splits_is_told_not_moved() -> None:
    """A near-duplicate of a test picture in train stays there, never in the new val; a row without a split
    follows its group."""
    data = came(train=60, test=20, none=20)
    linked = [{"train 1", "test 1"}, {"none 1", "test 2"}, {"none 2", "train 2"}]
    result = split(data, Plan(SHARES), linked)
    places = where(result.manifest)
    assert places["train 1"] == "train" and places["test 1"] == "test"
    assert places["none 1"] == "test" and places["none 2"] == places["train 2"]
    (leak,) = [decision for decision in result.decisions if decision.kind == "leak"]
    assert leak.numbers == {"groups": 1} and "audit" in leak.text
    assert [found.kind for found in find_leaks(result.manifest, linked)] == ["near_duplicate"]
    assert not find_leaks(split(data, Plan(SHARES, resplit=True), linked).manifest, linked)


def test_subjects_in_several_given_splits_are_told() -> None:
    """Asked to keep subjects apart where the authors did not, the command says how many are not."""
    result = split(came(train=60, test=20), Plan({"train": 0.6, "val": 0.4}, by="subject", exact=True))
    (told,) = [decision for decision in result.decisions if decision.kind == "subjects"]
    assert told.numbers == {"subjects": 5, "of": 5}
    apart = split(
        came(train=60, test=20), Plan({"train": 0.6, "val": 0.4}, by="subject", exact=True, resplit=True)
    )
    assert "subjects" not in kinds(apart)


@pytest.mark.parametrize(
    ("data", "plan", "told"),
    [
        (people(1, 10), Plan(SHARES), "--exact"),
        (people(3, 10), Plan(SHARES, by="subject"), "--exact"),
        (
            people(2, 10),
            Plan(SHARES, by="subject", exact=True),
            "only 2 subjects for 3.*drop --by subject",
        ),
        (people(1, 1), Plan(SHARES), "only one group.*for 3 splits; 1 picture has a face; add"),
        (people(1, 2), Plan(SHARES, exact=True), "only 2 groups.*for 3 splits"),
        (people(30, 1), Plan(SHARES, exact=True), "--by subject --exact"),
        (came(train=5, test=5), Plan({"fit": 0.5, "check": 0.5}), "train 5.*--resplit"),
        (came(test=5, val=5), Plan(SHARES), "--resplit"),
    ],
)
def test_a_split_without_a_picture_is_an_error_with_the_way_out(
    data: Manifest, plan: Plan, told: str
) -> None:
    """A split that was asked for and got nothing ends in an error that says what would help; --exact is
    advised where it was tried and helps, and never to itself."""
    seeds = range(200)
    for seed in seeds:
        try:
            split(data, Plan(plan.shares, by=plan.by, exact=plan.exact, seed=seed))
        except SplitError as error:
            assert re.search(told, str(error)), str(error)
            assert not (plan.exact and "; --exact" in str(error))
            if "; --exact gives" in str(error):
                split(data, Plan(plan.shares, by=plan.by, exact=True, seed=seed))
            return
    pytest.fail("no seed left a split empty")


def test_subjects_that_share_pictures_are_not_called_one() -> None:
    """Copies of one picture under two names keep both together, and the error says that it is for this."""
    data = people(2, 10)
    linked = [{data.rows[0].id, next(r.id for r in data.rows if r.subject != data.rows[0].subject)}]
    with pytest.raises(SplitError, match="copies of each other make 1 group of 2 subjects"):
        split(data, Plan(SHARES, by="subject"), linked)


def test_a_large_group_is_explained() -> None:
    """One group of 60 % leaves 40 % to share out: it goes to train whichever its hash, and that is told."""
    data = people(10, 20)
    group = [{one.id for one in data.rows[:120]}]
    for seed in range(5):
        for exact in (False, True):
            result = split(
                data, Plan({"train": 0.8, "val": 0.1, "test": 0.1}, exact=exact, seed=seed), group
            )
            assert where(result.manifest)[data.rows[0].id] == "train"
            if not exact:
                (told,) = [decision for decision in result.decisions if decision.kind == "shares"]
                assert (
                    told.text.startswith("80/10/10 became 9") and "120 of 200 pictures (60%)" in told.text
                )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=3, max_size=40), st.integers(0, 3), st.booleans())
def test_exact_shares_are_as_near_as_groups_allow(sizes: list[int], seed: int, linked: bool) -> None:
    """Without subjects no split is empty, and none misses its share by more than the largest group; the
    faces of one picture stay together and count as one picture."""
    rows, groups = [], []
    for number, size in enumerate(sizes):
        names = [f"{number} {i}" for i in range(size)]
        rows += [row(name, None, path=f"{name if linked else number}.jpg") for name in names]
        groups += [set(names)] if linked else []
    result = split(Manifest(tuple(rows)), Plan(SHARES, exact=True, seed=seed), groups)
    places = where(result.manifest)
    for number, size in enumerate(sizes):
        assert len({places[f"{number} {i}"] for i in range(size)}) == 1
    pictures = {name: len({one.path for one in result.manifest if one.split == name}) for name in SHARES}
    assert all(pictures.values())
    total = sum(pictures.values())
    # A split takes one group at least, and one more than its share at most.
    most = 2 * (max(sizes) if linked else 1)
    assert all(abs(pictures[name] - share * total) <= most for name, share in SHARES.items())


def test_exact_never_advises_itself() -> None:
    """Who asked for exact shares is told why a subject misses a split; who did not, what it would give."""
    few = Manifest((*people(4, 2), *(row(f"m{i}", "many") for i in range(12))))
    for exact in (False, True):
        result = split(few, Plan(SHARES, exact=exact, seed=2))
        told = [decision.text for decision in result.decisions if decision.kind == "missing"]
        assert told and all(("--exact" in text) != exact for text in told)
    exactly = split(few, Plan(SHARES, exact=True, seed=2))
    decisions = split(few, Plan(SHARES, seed=2)).decisions
    promised = [one.numbers["with_exact"] for one in decisions if one.kind == "missing"]
    assert set(promised) <= {0, *map(len, exactly.missing.values())}


def test_the_command_tells_and_writes(tmp_path: Path) -> None:
    """The command prints each decision, gives it in the JSON, and counts pictures and faces."""
    from typer.testing import CliRunner

    from lineament.cli.main import app
    from lineament.io import images

    rng = np.random.default_rng(5)
    rows = []
    for name, count in (("train", 30), ("test", 6)):
        for i in range(count):
            images.save(tmp_path / f"{name}{i}.png", rng.integers(0, 255, (40, 40, 3), "uint8"))
            rows += [row(f"{name}{i} {k}", None, path=f"{name}{i}.png", split=name) for k in range(2)]
    Manifest(tuple(rows)).save(tmp_path / "manifest.jsonl")
    command = ["dataset", "split", str(tmp_path), "80/20"]
    run = CliRunner().invoke(app, [*command, "--json", "-"])
    assert run.exit_code == 0, run.output
    answer = json.loads(next(line for line in run.output.splitlines() if line.startswith("{")))
    assert answer["pictures"]["test"] == 6 and answer["totals"]["test"] == 12
    assert sum(answer["pictures"].values()) == 36 and answer["pictures"]["val"]
    assert [one["kind"] for one in answer["decisions"]][:2] == ["kept", "taken"]
    plain = CliRunner().invoke(app, command)
    assert (
        "test stays as it was given: 6 pictures" in plain.output
        and "val is taken from train" in plain.output
    )
    assert (
        "of its 30 pictures" in plain.output
        and "asked for: train 80 % to learn, val 20 % to" in plain.output
    )
    cells = [
        [cell.strip() for cell in line.strip("│┃").split("│")]
        for line in plain.output.splitlines()
        if "│" in line
    ]
    assert ["test", "for the exam", "6", "16.7%", "12", "0"] in cells
    assert "no split test" not in plain.output


def test_people_apart_are_not_advised_to_be_kept_apart() -> None:
    """Who gave --by subject --exact is told that people are too few, not to give what was given."""
    rows = [*people(1, 5), *(row(f"e{i}", "nobody", outcome="no_face") for i in range(5))]
    with pytest.raises(SplitError, match="too few of either for 2 splits") as refused:
        split(Manifest(tuple(rows)), Plan({"train": 0.8, "val": 0.2}, by="subject", exact=True))
    assert "--by subject --exact" not in str(refused.value)
