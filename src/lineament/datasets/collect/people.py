"""Whose photos are gathered: a list of names, each with its words to search by and its folder on disk."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from lineament.errors import InvalidSubject, UsageError
from lineament.gallery.subjects import require_valid, twin

_JOINED = re.compile(r"_+|%20|(?<=[^\W_])\+(?=[^\W_])")
"""What stands for a space where names were taken from files or addresses."""
_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9_]{0,46}[a-z0-9])?")
_RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
_MAX_PEOPLE = 100_000


@dataclass(frozen=True, slots=True)
class Person:
    """A subject, and the words by which a site is searched for them."""

    subject: str
    keyword: str

    @property
    def respelled(self) -> bool:
        """Whether the words to search by were made of the name by putting spaces in."""
        return self.keyword != self.subject and self.keyword == spoken(self.subject)

    @property
    def folder(self) -> str:
        """The name of the subject's folder, safe on every file system."""
        return folder_name(self.subject)


def read_names(path: Path) -> list[Person]:
    """The people of a list: a name a line, optionally a tab and the words to search by; ``#`` comments.

    A name without words of its own is searched for as `spoken`. UTF-8. Raises `UsageError`, or
    `InvalidSubject` with the line's number for a name that is not valid or is there twice, in this spelling
    or another.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a list of names: {error}") from None
    people: dict[str, Person] = {}
    by_words: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        name, _, keyword = (part.strip(" \r") for part in line.partition("\t"))
        if not name or name.startswith("#"):
            continue
        try:
            require_valid(name)
            require_valid(keyword or name)
        except InvalidSubject as error:
            raise InvalidSubject(f"{path}, line {number}: {error}") from None
        if name in people or (other := twin(name, people)) is not None:
            shown = name if name in people else other
            raise InvalidSubject(f"{path}, line {number}: {shown!r} is in the list already")
        if (other := by_words.setdefault(spoken(name), name)) != name:
            raise InvalidSubject(f"{path}, line {number}: {name!r} is {other!r} in another spelling")
        people[name] = Person(name, keyword or spoken(name))
    if not people:
        raise UsageError(f"{path}: holds no name; collecting needs a list of the people it is for")
    if len(people) > _MAX_PEOPLE:
        raise UsageError(f"{path}: more than {_MAX_PEOPLE:,} names")
    return list(people.values())


def spoken(name: str) -> str:
    """The words of a name that was joined for a file or an address: ``George_W_Bush`` is George W Bush.

    Underscores, ``%20`` and a ``+`` between letters or digits stand for spaces. Hyphens and dots belong to
    names and stay.
    """
    return words_of(name) or name


def words_of(name: str) -> str:
    """The same, and empty for a name of joints alone."""
    return " ".join(_JOINED.sub(" ", name).split())


def folder_name(subject: str) -> str:
    """A folder for a subject: the name where it is plain lower-case ASCII, else a slug and its hash.

    The slug keeps the spelling, capitals too; what is neither letter, digit nor underscore becomes one.
    Two subjects never share a folder, on a file system without case or with another Unicode form either: a
    plain name has no hyphen, every other has one before ten digits of the SHA-256 of the exact name.
    """
    if _PLAIN.fullmatch(subject) and not _RESERVED.fullmatch(subject):
        return subject
    ascii_ = unicodedata.normalize("NFKD", subject).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "_", ascii_).strip("_")[:40].strip("_") or "subject"
    return f"{slug}-{hashlib.sha256(subject.encode()).hexdigest()[:10]}"
