"""Which names a subject may have: anything that can be stored and shown exactly.

A name is data: it is never part of a path, a query or markup. Refused are names that cannot be told from
another one, or from nothing, when read: empty ones, spaces at the ends, control characters and line
separators, text that is not valid Unicode, and a second Unicode spelling of a name in use.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

from lineament.errors import InvalidSubject
from lineament.protocols import Ledger

MAX_BYTES = 255

_LOOKED_AT = 1000
"""Names that one hint compares, at most twice."""

_REFUSED = {"Cc": "a control character", "Zl": "a line separator", "Zp": "a paragraph separator"}


def require_valid(name: object) -> None:
    """Raise `InvalidSubject` unless the name can be stored and shown exactly."""
    if not isinstance(name, str):
        raise InvalidSubject(f"a subject's name is text, not {type(name).__name__}: {name!r:.80}")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidSubject(f"{name!r} is not valid Unicode") from None
    if not name:
        raise InvalidSubject("a subject needs a name")
    if size > MAX_BYTES:
        raise InvalidSubject(f"{name[:20]!r}... has {size} bytes in UTF-8, more than {MAX_BYTES}")
    for character in name:
        if (category := unicodedata.category(character)) in _REFUSED:
            raise InvalidSubject(f"{name!r} holds {_REFUSED[category]}")
    if name != name.strip():
        raise InvalidSubject(f"{name!r} begins or ends with a space")
    if not name.isascii() and normal(name).isascii():
        raise InvalidSubject(f"{name!r} is another spelling of {normal(name)!r}; use that")


def normal(name: str) -> str:
    """The form (NFC) in which two spellings of one name are equal."""
    return unicodedata.normalize("NFC", name)


def twin(name: str, names: Iterable[str]) -> str | None:
    """The other spelling of the same name among ``names``, or None.

    A plain ASCII name has no other spelling that `require_valid` would let in.
    """
    if name.isascii():
        return None
    wanted = normal(name)
    return next((other for other in names if other != name and normal(other) == wanted), None)


def nearest(ledger: Ledger, name: str) -> str:
    """A hint for an error message: the most similar of the names near by, if one is similar.

    In a large gallery only names that begin alike are looked at: an error must not read everybody.
    """
    known = ledger.subjects(limit=_LOOKED_AT)
    if len(known) == _LOOKED_AT:
        known += ledger.subjects(after=name[:2], limit=_LOOKED_AT)
    near = difflib.get_close_matches(name, [other for other, _ in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
