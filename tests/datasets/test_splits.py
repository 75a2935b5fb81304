"""Splits keep together what belongs together, and stay where they are."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.datasets.grouping.together import photo_keys
from lineament.datasets.splitting.shares import aloud
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.errors import ConfigError, SplitError
from lineament.io.manifest import Manifest, ManifestRow

SHARES = {"train": 0.7, "val": 0.2, "test": 0.1}


def row(name: str, subject: str | None = "a", **more: object) -> ManifestRow:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return ManifestRow(**{"id": name, "path": f"{name}.jpg", "sha256": digest, "subject": subject} | more)  # type: ignore[arg-type]


def people(subjects: int, photos: int) -> Manifest:
    return Manifest(tuple(row(f"{s}-{i}", f"subject {s}") for s in range(subjects) for i in range(photos)))


def where(manifest: Manifest) -> dict[str, str | None]:
    return {one.id: one.split for one in manifest}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("70/20/10", {"train": 0.7, "val": 0.2, "test": 0.1}),
        ("85/15", {"train": 0.85, "val": 0.15}),
        ("0.6/0.2/0.2", {"train": 0.6, "val": 0.2, "test": 0.2}),
        ("train=80, val=20", {"train": 0.8, "val": 0.2}),
        ("100", {"train": 1.0}),
        ("80,10,10", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("80:10:10", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("80 10 10", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("80; 10; 10", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("80/10/10 %", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("80%/10%/10%", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("0.8/0.1/0.1", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("0,8/0,1/0,1", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("train:80/val:20", {"train": 0.8, "val": 0.2}),
        ("train:80,val:20", {"train": 0.8, "val": 0.2}),
        ("train = 80 val = 20", {"train": 0.8, "val": 0.2}),
    ],
)
def test_shares_are_read(text: str, expected: dict[str, float]) -> None:
    """Any shares that add up to 100 or 1, with the usual names or given ones."""
    assert parse_shares(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("70/20", "adds up to 90"),
        ("70/20/20", "63.6/18.2/18.2"),
        ("8/1/1", "80/10/10"),
        ("a/b", "'a' is no number"),
        ("", "'' is no number"),
        ("nan/100", "train gets nan"),
        ("110/-10", "val gets -10"),
        ("100/0", "val gets 0"),
        ("0", "train gets 0"),
        ("25/25/25/25", "name the splits of 4 parts with --names"),
        ("a=50,a=50", "different names, such as --names train,val"),
        ("=100", "different names"),
        ("train=80,20", "names some of the splits only"),
    ],
)
def test_bad_shares_are_refused(text: str, told: str) -> None:
    """Shares that do not make a whole, or have no or equal names, are an error that names what is wrong."""
    with pytest.raises(ConfigError, match=told):
        Plan(parse_shares(text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("70/20/10", "train 70 % to learn, val 20 % to choose by, test 10 % for the exam"),
        ("85/15", "train 85 % to learn, val 15 % to choose by"),
        ("1/1/98 %", "train 1 % to learn, val 1 % to choose by, test 98 % for the exam"),
        ("train=80,test=20", "train 80 % to learn, test 20 % for the exam"),
        ("training=66.7,dev=33.3", "training 66.7 % to learn, dev 33.3 % to choose by"),
        ("fold_a=50,fold_b=50", "fold_a 50 %, fold_b 50 %"),
    ],
)
def test_shares_are_read_aloud(text: str, told: str) -> None:
    """Every share is said with what a training does with it; names of one's own stand alone."""
    assert aloud(parse_shares(text)) == told


def test_shares_come_out_on_average() -> None:
    """Over many photos the hash gives each split its share within five standard deviations."""
    result = split(people(40, 100), Plan(SHARES))
    found = {name: sum(by.values()) for name, by in result.counts().items()}
    for name, share in SHARES.items():
        assert abs(found[name] - 4000 * share) < 5 * (4000 * share * (1 - share)) ** 0.5


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 300), min_size=1), st.sets(st.integers(0, 300)), st.integers(0, 5))
def test_adding_photos_moves_none(first: set[int], more: set[int], seed: int) -> None:
    """A photo's split depends on the photo and the seed only, by photo and by subject alike."""
    # The last rows keep every split from being empty: forty photos, and forty people of one photo each.
    rest = [row(f"photo {i}", f"subject {i}") for i in range(40)]
    for by in ("photo", "subject"):
        plan = Plan(SHARES, by=by, seed=seed)  # type: ignore[arg-type]
        few = Manifest((*rest, *(row(str(i), f"s{i % 7}") for i in first)))
        many = Manifest((*rest, *(row(str(i), f"s{i % 7}") for i in first | more)))
        before, after = where(split(few, plan).manifest), where(split(many, plan).manifest)
        assert all(after[key] == name for key, name in before.items())


def test_renaming_and_copying_moves_none() -> None:
    """The hash is of the picture's bytes: another path or id, or a second copy, changes nothing."""
    before = split(people(3, 50), Plan(SHARES)).manifest
    by_bytes = {one.sha256: one.split for one in before}
    copies = [replace(one, id=f"copy {one.id}", path=f"x/{one.path}", split=None) for one in before]
    after = split(Manifest((*before.rows, *copies)), Plan(SHARES)).manifest
    assert all(one.split == by_bytes[one.sha256] for one in after)


def test_another_seed_is_another_split() -> None:
    """The seed matters, the same seed repeats."""
    data = people(2, 60)
    assert where(split(data, Plan(SHARES, seed=1)).manifest) != where(split(data, Plan(SHARES)).manifest)
    assert where(split(data, Plan(SHARES)).manifest) == where(split(data, Plan(SHARES)).manifest)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 59), min_size=2, max_size=5), max_size=12), st.booleans())
def test_linked_rows_stay_together(links: list[set[int]], exact: bool) -> None:
    """No linked group is ever parted, in whichever mode, even through chains of links."""
    more = (row(f"photo {i}", f"subject {i}") for i in range(60))
    data = Manifest((*more, *(row(str(i), f"s{i % 3}") for i in range(60))))
    for by in ("photo", "subject"):
        plan = Plan(SHARES, by=by, exact=exact)  # type: ignore[arg-type]
        found = where(split(data, plan, [{str(i) for i in group} for group in links]).manifest)
        for group in links:
            assert len({found[str(i)] for i in group}) == 1


def test_crops_and_copies_of_one_photo_stay_together() -> None:
    """Faces cut from one photo share its split, whether or not the photo's own row is still there."""
    photos = [row(f"photo {i}", None) for i in range(40)]
    crops = [row(f"crop {i} {k}", f"s{k}", parent=f"photo {i}") for i in range(40) for k in range(3)]
    for rows in ([*photos, *crops], crops):
        found = where(split(Manifest(tuple(rows)), Plan(SHARES)).manifest)
        assert set(found.values()) == set(SHARES)
        for i in range(40):
            assert len({found[key] for key in found if key.split()[1] == str(i)}) == 1
    assert photo_keys(Manifest((*photos, *crops)))["crop 3 1"] == photos[3].sha256


def test_subjects_stay_apart() -> None:
    """By subject no subject is in two splits, and every split gets some of 60."""
    counts = split(people(60, 4), Plan(SHARES, by="subject")).counts()
    assert set(counts) == set(SHARES)
    names = [set(by) for by in counts.values()]
    assert sum(map(len, names)) == len(set.union(*names)) == 60


def test_exact_shares() -> None:
    """With exact each subject has its shares, and one in each split as soon as it has three photos."""
    for photos, expected in ((10, [7, 2, 1]), (20, [14, 4, 2]), (3, [1, 1, 1]), (1, [1, 0, 0])):
        others = (row(f"other {i}", "other") for i in range(3))
        data = Manifest((*people(5, photos), *others))
        result = split(data, Plan(SHARES, exact=True))
        for subject in range(5):
            found = [result.counts().get(name, {}).get(f"subject {subject}", 0) for name in SHARES]
            assert found == expected
    assert set(result.missing) == {"val", "test"}


def test_kept_rows_stay_when_photos_are_added() -> None:
    """With an earlier split to keep, exact shares move nothing either, by id or by bytes."""
    plan = Plan(SHARES, exact=True)
    before = split(people(4, 10), plan)
    renamed = Manifest(tuple(replace(one, id=f"new {one.id}") for one in people(4, 30)))
    after = split(renamed, plan, keep=before.manifest)
    old = where(before.manifest)
    assert all(one.split == old[one.id[4:]] for one in after.manifest if one.id[4:] in old)
    assert not after.moved
    assert after.counts()["test"] == {f"subject {s}": 3 for s in range(4)}


def test_a_link_between_kept_splits_goes_to_training() -> None:
    """When kept rows turn out to be linked, none that was trained on becomes a test row; moves are told."""
    data = people(1, 40)
    before = split(data, Plan(SHARES)).manifest
    tested = next(one.id for one in before if one.split == "test")
    trained = next(one.id for one in before if one.split == "train")
    after = split(data, Plan(SHARES), [{tested, trained}], keep=before)
    assert where(after.manifest)[tested] == where(after.manifest)[trained] == "train"
    assert after.moved == (tested,)


def test_refused_rows_are_counted_not_split() -> None:
    """Pictures that cannot be read get no split, not even the one they came with, and are counted."""
    rows = (row("a"), row("b", outcome="refused", split="test"))
    result = split(Manifest(rows), Plan({"train": 1.0}))
    assert result.unassigned == {"refused": 1}
    assert {key for key, name in where(result.manifest).items() if name is None} == {"b"}


@pytest.mark.parametrize("exact", [False, True])
def test_pictures_without_a_face_are_split_too(exact: bool) -> None:
    """They get their shares and are counted apart, move with what they equal, and move no other row."""
    faces = people(1, 40)
    empty = [row(f"empty {i}", None, outcome="no_face") for i in range(400)]
    near = {"empty 0", "empty 1", "empty 2"}
    result = split(replace(faces, rows=(*faces, *empty)), Plan(SHARES, exact=exact), [near])
    places = where(result.manifest)
    assert len({places[name] for name in near}) == 1
    assert sum(result.empty.values()) == 400 and not result.unassigned
    for name, share in SHARES.items():
        assert abs(result.empty[name] / 400 - share) < (0.02 if exact else 0.09)
    alone = where(split(faces, Plan(SHARES, exact=exact)).manifest)
    assert {key: places[key] for key in alone} == alone
    assert result.counts() == split(faces, Plan(SHARES, exact=exact)).counts()


def test_an_empty_photo_of_a_subject_is_not_its_test_row() -> None:
    """A subject whose only test picture shows no face is told to be missing there; its photos stay
    together all the same where subjects are kept apart."""
    rows = tuple(row(f"{i}", "a", outcome="no_face") for i in range(40))
    data = Manifest((*rows, row("face", "a"), row("other", "b")))
    spread = split(data, Plan(SHARES))
    assert "a" in spread.missing["test"] and spread.empty["test"]
    apart = split(data, Plan({"train": 0.5, "test": 0.5}, by="subject", exact=True))
    assert len({one.split for one in apart.manifest if one.subject == "a"}) == 1


def test_a_subject_without_test_rows_is_told() -> None:
    """Chance may leave a small subject without rows in a split: it is named."""
    result = split(people(30, 2), Plan(SHARES))
    found = result.counts()
    for name, subjects in result.missing.items():
        assert subjects and not set(subjects) & set(found[name])
    assert "test" in result.missing


def test_splitting_after_augmenting_is_refused() -> None:
    """The order that leaks is a named error."""
    rows = (row("a"), row("b", parent="a", step="augment"))
    with pytest.raises(SplitError, match="before augmenting"):
        split(Manifest(rows), Plan(SHARES))


def test_an_unknown_split_to_keep_is_refused() -> None:
    """A kept split that the plan does not have cannot be kept."""
    kept = Manifest((row("a", split="holdout"),))
    with pytest.raises(SplitError, match="holdout"):
        split(Manifest((row("a"),)), Plan(SHARES), keep=kept)


def test_the_step_is_recorded(tmp_path: Path) -> None:
    """The manifest tells how it was split, the order of the shares included, and survives saving."""
    result = split(people(40, 2), Plan(SHARES, by="subject", seed=4))
    result.manifest.save(tmp_path / "m.jsonl")
    loaded = Manifest.load(tmp_path / "m.jsonl")
    assert loaded.steps[-1]["by"] == "subject" and list(map(tuple, loaded.steps[-1]["shares"])) == list(
        SHARES.items()
    )
    assert loaded.rows == result.manifest.rows
