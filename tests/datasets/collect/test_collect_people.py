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
    """Whatever the name, the folder is short ASCII; no two share one, without case either."""
    folders = [folder_name(name) for name in HOSTILE]
    assert len({folder.lower() for folder in folders}) == len(HOSTILE)
    for folder in folders:
        assert folder.isascii() and 1 <= len(folder) <= 60
        assert (
            set(folder.lower()) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") and folder[0] not in "-_"
        )
        assert folder.split("-")[0].lower() not in {"con", "prn", "aux", "nul"} or "-" in folder
    assert folder_name("ada_lovelace") == "ada_lovelace"
    assert folder_name("Ada Lovelace").startswith("Ada_Lovelace-")
    assert folder_name("George_W_Bush").startswith("George_W_Bush-")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("George_W_Bush", "George W Bush"),
        ("Jean-Luc_Picard", "Jean-Luc Picard"),
        ("george__w__bush", "george w bush"),
        ("_Ada_", "Ada"),
        ("Anna+Maria+Lind", "Anna Maria Lind"),
        ("Ada%20Lovelace", "Ada Lovelace"),
        ("Ada Lovelace_King", "Ada Lovelace King"),
        ("J.R.R. Tolkien", "J.R.R. Tolkien"),
        ("O'Brien", "O'Brien"),
        ("C++", "C++"),
        ("李_小龙", "李 小龙"),
        ("___", "___"),
    ],
)
def test_a_name_joined_for_a_file_is_spoken_with_spaces(tmp_path: Path, name: str, words: str) -> None:
    """Underscores, ``%20`` and ``+`` between letters are spaces to search by; the subject stays."""
    [person] = read_names(written(tmp_path / "names.txt", name))
    assert (person.subject, person.keyword, person.respelled) == (name, words, name != words)


def test_two_spellings_of_one_spoken_name_are_refused(tmp_path: Path) -> None:
    """They would be two subjects with the same photos; words of one's own are taken as they are."""
    with pytest.raises(InvalidSubject, match="line 2: 'George W Bush' is 'George_W_Bush'"):
        read_names(written(tmp_path / "names.txt", "George_W_Bush\nGeorge W Bush\n"))
    [person] = read_names(written(tmp_path / "words.txt", "George_W_Bush\tbush_43\n"))
    assert (person.keyword, person.respelled) == ("bush_43", False)


@given(st.text(min_size=1, max_size=60).filter(lambda t: t.isprintable()), st.text(min_size=1, max_size=60))
def test_folders_are_equal_only_for_equal_names(a: str, b: str) -> None:
    """The hash is of the exact name."""
    if "\ud800" <= max(b) <= "\udfff" or any("\ud800" <= c <= "\udfff" for c in a + b):
        return
    assert (folder_name(a) == folder_name(b)) == (a == b)
