"""Names shown in a terminal or a log."""

from __future__ import annotations

import pytest

from hostile.names import HOSTILE_NAMES
from lineament.io.names import shown


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=list(HOSTILE_NAMES))
def test_a_shown_name_is_one_harmless_line(name: str) -> None:
    """Nothing that moves the cursor, colours, reorders or hides text leaves `shown`."""
    text = shown(name)
    assert text.isprintable()
    assert len(text) <= 200
    text.encode("utf-8")


def test_different_names_look_different() -> None:
    """Escaping is reversible, so no two short names are shown alike."""
    names = [n for n in HOSTILE_NAMES.values() if len(n) < 100] + ["\\x00", "\0", "\\", "\\\\"]
    assert len({shown(name) for name in names}) == len(set(names))


def test_plain_names_stay_as_they_are() -> None:
    """Letters of every script, blanks and punctuation are not touched."""
    for name in ("Zo\u00eb", "\u0645\u0631\u064a\u0645", "\u5c71\u7530", "O'Brien, J. (2)", "=cmd|x"):
        assert shown(name) == name


def test_bytes_that_are_not_text_are_shown_as_bytes() -> None:
    """A file name outside UTF-8 shows the bytes that are on the disk."""
    assert shown("a\udcff.jpg") == "a\\xff.jpg"
