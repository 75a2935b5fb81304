"""Pair files: both layouts mean the same, and what is wrong with one is named with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.errors import ConfigError
from lineament.evaluation.pairs import read_pairs

LFW = (
    "2\t2\n"
    "Ann Lee\t1\t2\nBo\t1\t3\nAnn Lee\t1\tBo\t1\nAnn Lee\t2\tCy\t1\n"
    "Cy\t1\t2\nDi\t1\t2\nCy\t2\tDi\t2\nBo\t1\tDi\t1\n"
)


def _csv(rows: list[tuple[int, str, str, int]]) -> str:
    return "fold,image1,image2,same\n" + "".join(f"{f},{a},{b},{s}\n" for f, a, b, s in rows)


def _photo(name: str, number: int) -> str:
    return f"{name}/{name}_{number:04d}.jpg"


def _write(folder: Path, text: str) -> Path:
    path = folder / "pairs"
    path.write_bytes(text.encode())
    return path


def test_both_layouts_mean_the_same(tmp_path: Path) -> None:
    """The official layout and its CSV give equal pictures, pairs, labels, folds and subjects."""
    rows = [
        (1, _photo("Ann Lee", 1), _photo("Ann Lee", 2), 1),
        (1, _photo("Bo", 1), _photo("Bo", 3), 1),
        (1, _photo("Ann Lee", 1), _photo("Bo", 1), 0),
        (1, _photo("Ann Lee", 2), _photo("Cy", 1), 0),
        (2, _photo("Cy", 1), _photo("Cy", 2), 1),
        (2, _photo("Di", 1), _photo("Di", 2), 1),
        (2, _photo("Cy", 2), _photo("Di", 2), 0),
        (2, _photo("Bo", 1), _photo("Di", 1), 0),
    ]
    official = read_pairs(_write(tmp_path, LFW))
    table = read_pairs(_write(tmp_path, _csv(rows)))
    assert official.pictures == table.pictures
    assert len(official) == 8
    for name in ("first", "second", "same", "folds", "subjects"):
        np.testing.assert_array_equal(getattr(official, name), getattr(table, name))
    listed = zip(official.folds, official.first, official.second, official.same, strict=True)
    assert [(f, official.pictures[a], official.pictures[b], int(s)) for f, a, b, s in listed] == rows


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t])
def test_line_ends_and_byte_order_marks_do_not_matter(tmp_path: Path, change: object) -> None:
    """Files saved on Windows read the same."""
    plain = read_pairs(_write(tmp_path, LFW)).pictures
    assert read_pairs(_write(tmp_path, change(LFW))).pictures == plain  # type: ignore[operator]


def test_a_single_number_means_one_fold(tmp_path: Path) -> None:
    """LFW's View 1 files: n pairs of each kind, no folds."""
    listed = read_pairs(_write(tmp_path, "1\nBo\t1\t2\nBo\t1\tCy\t1\n"))
    assert list(listed.folds) == [1, 1]


def test_without_folders_the_mated_rows_tell_who_is_who(tmp_path: Path) -> None:
    """In one flat folder, pictures linked by mated rows are one person, all others are different."""
    rows = [(1, "a1.jpg", "a2.jpg", 1), (1, "a2.jpg", "a3.jpg", 1), (2, "a3.jpg", "b.jpg", 0)]
    listed = read_pairs(_write(tmp_path, _csv(rows)))
    assert len(set(listed.subjects[:3])) == 1
    assert listed.subjects[3] not in listed.subjects[:3]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("\n", "empty"),
        ("hello\n", r"line 1: expected a whole number, got 'hello'"),
        ("1 2 3\n", r"line 1: expected 'folds"),
        ("0\t5\n", "line 1: folds and pairs are at least 1"),
        ("2\t3\nBo\t1\t2\n", "line 1 promises 2 folds of 3.* 12 in all; the file has 1"),
        ("1\nBo\t1\t2\nBo\t1\n", "line 3: expected a non-mated"),
        ("1\nBo\tx\t2\nBo\t1\tCy\t1\n", "line 2: expected a whole number, got 'x'"),
        ("1\nBo\t1\t1\nBo\t1\tCy\t1\n", "line 2: compares a picture with itself"),
        ("1\nBo\t1\t2\nBo\t1\tBo\t3\n", "line 3: labelled as two people"),
        ("1\n../Bo\t1\t2\nBo\t1\tCy\t1\n", "line 2: .* does not lie in the folder"),
        ("fold,image1,image2\n1,a,b\n", "missing: same"),
        ("fold,image1,image2,same\n", "lists no pairs"),
        ("fold,image1,image2,same\n1,a,b,maybe\n", "line 2: same is 0 or 1, got 'maybe'"),
        ("fold,image1,image2,same\n1,a,b\n", "line 2: expected 4 values"),
        ("fold,image1,image2,same\n1,a,b,1,9\n", "line 2: expected 4 values"),
        ("fold,image1,image2,same\nx,a,b,1\n", "line 2: expected a whole number"),
        ("fold,image1,image2,same\n1,/etc/a,b,1\n", "line 2: .* does not lie in the folder"),
        ("fold,image1,image2,same\n1,a\0,b,1\n", "line 2: .* does not lie in the folder"),
        ("fold,image1,image2,same\n1,,b,1\n", "line 2: .* does not lie in the folder"),
        ('fold,image1,image2,same\n1,"a,b,1\n', "unexpected end of data"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    """Every malformed file ends in a ConfigError that says where and what."""
    with pytest.raises(ConfigError, match=says):
        read_pairs(_write(tmp_path, text))


def test_labels_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """a is b and b is c, so a and c are not two people."""
    rows = [(1, "a.jpg", "b.jpg", 1), (1, "b.jpg", "c.jpg", 1), (1, "a.jpg", "c.jpg", 0)]
    with pytest.raises(ConfigError, match="line 4: labelled as two people"):
        read_pairs(_write(tmp_path, _csv(rows)))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder and a picture are all ConfigErrors."""
    binary = tmp_path / "x.jpg"
    binary.write_bytes(b"\xff\xd8\xff\xe0")
    for path in (tmp_path / "none.txt", tmp_path, binary):
        with pytest.raises(ConfigError, match="cannot read the pairs file"):
            read_pairs(path)
