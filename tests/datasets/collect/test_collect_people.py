from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.datasets.collect.people import Person, folder_name, read_names
from lineament.errors import InvalidSubject, UsageError


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_a_list_has_a_name_a_line_and_may_say_how_to_search(tmp_path: Path) -> None:
    """Comments and empty lines are left out; a byte order mark and CRLF do no harm."""
    text = "\ufeff# politicians\r\nAda Lovelace\r\n\r\nGrace\tGrace Hopper navy\r\n李小龙\r\n"
    assert read_names(written(tmp_path / "names.txt", text)) == [
        Person("Ada Lovelace", "Ada Lovelace"),
        Person("Grace", "Grace Hopper navy"),
        Person("李小龙", "李小龙"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("A\nA\n", 2), ("A\nZo\u0308\nZ\xf6\n", 3), ("A\nB\x00\n", 2), ("A\n" + "x" * 300, 2)],
)
def test_a_wrong_name_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    """Twice the same, a second Unicode form, a control character, too long: nothing is gathered."""
    with pytest.raises(InvalidSubject, match=f"line {line}"):
        read_names(written(tmp_path / "names.txt", text))


def test_a_list_without_names_is_wrong_usage(tmp_path: Path) -> None:
    """Nobody named, nobody searched for; so are a missing file, a folder and one that is not UTF-8."""
    (tmp_path / "latin").write_bytes(b"Ren\xe9\n")
    for path in (
        written(tmp_path / "empty", "# only\n\n"),
        tmp_path / "gone",
        tmp_path,
        tmp_path / "latin",
    ):
        with pytest.raises(UsageError):
            read_names(path)


HOSTILE = [
    *("../../x", "a/b", "a\\b", ".", "..", "CON", "con", "com1", "nul", "=cmd|x", "x" * 255, "a ", "a:b"),
    *("Ada", "ADA", "ada", "Zo\u0308e", "Zo\xeb", "zoe", "\u202egnp.exe", "</title><script>", "__proto__"),
    *("'; DROP TABLE", "李小龙", "-rf", "~", folder_name("Ada")),
]


def test_hostile_names_get_different_harmless_folders() -> None:
    """Whatever the name, the folder is short lower-case ASCII; no two share one, without case either."""
    folders = [folder_name(name) for name in HOSTILE]
    assert len(set(folders)) == len(HOSTILE)
    for folder in folders:
        assert folder.isascii() and folder == folder.lower() and 1 <= len(folder) <= 60
        assert set(folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") and folder[0] not in "-_"
        assert folder.split("-")[0] not in {"con", "prn", "aux", "nul"} or "-" in folder
    assert folder_name("ada_lovelace") == "ada_lovelace"
    assert folder_name("Ada Lovelace").startswith("ada_lovelace-")


@given(st.text(min_size=1, max_size=60).filter(lambda t: t.isprintable()), st.text(min_size=1, max_size=60))
def test_folders_are_equal_only_for_equal_names(a: str, b: str) -> None:
    """The hash is of the exact name."""
    if "\ud800" <= max(b) <= "\udfff" or any("\ud800" <= c <= "\udfff" for c in a + b):
        return
    assert (folder_name(a) == folder_name(b)) == (a == b)
