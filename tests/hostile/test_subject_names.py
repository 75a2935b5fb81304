"""A name is stored and shown exactly, or refused by name; it is never a path, a query or markup."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile.names import HOSTILE_NAMES
from lineament.errors import InvalidSubject
from lineament.gallery.gallery import Gallery
from lineament.gallery.subjects import require_valid
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors

REFUSED = {
    "NUL",
    "empty",
    "blank",
    "blanks around",
    "300 bytes",
    "300 bytes of two-byte letters",
    "lone surrogate",
    "tab",
    "carriage return",
    "line feed",
    "escape sequence",
    "decomposed",  # the composed twin is enrolled before it
}


def test_hostile_names(tmp_path: Path) -> None:
    """Each hostile name comes back exactly or is refused, and no file appears but the gallery's."""
    folder = tmp_path / "inner"
    folder.mkdir()
    vectors = unit_vectors(len(HOSTILE_NAMES), 1, 128)
    faces = dict(zip(HOSTILE_NAMES, vectors[:, None], strict=True))
    url = f"sqlite:{folder}/people.db"
    refused = set()
    with Gallery(url, FakeAnalyzer(faces), threshold=threshold(0.9)) as gallery:
        for label, name in HOSTILE_NAMES.items():
            [done] = gallery.enrol_all([(name, picture(label))])
            if done.error is not None:
                assert isinstance(done.error, InvalidSubject), label
                str(done.error).encode()  # the message itself can be written anywhere
                refused.add(label)
                continue
            [found] = gallery.identify([picture(label)])
            assert found.matches[0].subject == name
            assert gallery.show(name).subject == name
    assert refused == REFUSED
    with Gallery(url, create=False) as reopened:
        stored = {name for name, _ in reopened.subjects()}
        assert stored == {name for label, name in HOSTILE_NAMES.items() if label not in REFUSED}
        for name in stored:
            reopened.remove(name)
        assert reopened.subjects() == []
    assert [p.name for p in tmp_path.iterdir()] == ["inner"]
    assert [p.name for p in folder.iterdir()] == ["people.db"]


def test_unicode_twins() -> None:
    """A second spelling of a name in use is refused to enrol, and understood to look somebody up."""
    composed, decomposed = "José", unicodedata.normalize("NFD", "José")
    for first, second in ((composed, decomposed), (decomposed, composed)):
        vectors = unit_vectors(2, 2, 16)
        analyzer = FakeAnalyzer({"a": vectors[:1], "b": vectors[1:]})
        with Gallery("memory:", analyzer, threshold=threshold(0.9)) as gallery:
            gallery.enrol(first, [picture("a")])
            [done] = gallery.enrol(second, [picture("b")])
            assert isinstance(done.error, InvalidSubject)
            assert "another Unicode spelling" in str(done.error)
            assert gallery.show(second).subject == first
            gallery.rename(first, second)
            assert gallery.subjects() == [(second, 1)]


def test_spelling_of_an_ascii_name() -> None:
    """A name whose other spelling is plain ASCII is refused, for it reads as that name: the Kelvin sign."""
    with pytest.raises(InvalidSubject, match="another spelling of 'K'"):
        require_valid("\N{KELVIN SIGN}")


@pytest.mark.parametrize("size", [254, 255, 256])
def test_length(size: int) -> None:
    """Up to 255 bytes in UTF-8 are a name."""
    name = "é" * (size // 2) + "x" * (size % 2)
    if size <= 255:
        require_valid(name)
    else:
        with pytest.raises(InvalidSubject, match="256 bytes"):
            require_valid(name)


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_valid_names_survive_text(name: str) -> None:
    """Whatever passes can be written as UTF-8, stays on one line, and keeps its ends when trimmed."""
    try:
        require_valid(name)
    except InvalidSubject as error:
        str(error).encode()
        return
    assert name.encode().decode() == name
    assert name.splitlines() == [name]
    assert name.strip() == name
