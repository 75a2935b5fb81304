"""A number and what it is of, in words: ``1 face``, ``12 faces``, ``1,204 people are``.

All that is written for people says numbers by this, so that nothing reads ``1 faces``.
"""

from __future__ import annotations

_MANY = {
    "person": "people",
    "child": "children",
    "epoch": "epochs",
    "is": "are",
    "has": "have",
    "was": "were",
    "does": "do",
}
_VERBS = {"is", "has", "was", "does"}


def quantity(count: int, one: str, many: str | None = None) -> str:
    """``count`` with commas, and ``one`` for a single thing, else ``many``: by default its plural.

    The last word takes the ending, and a verb after it follows: ``quantity(n, "row is")``. Where another
    word changes, give both: ``quantity(n, "picture that belongs", "pictures that belong")``.
    """
    return f"{count:,} {one if count == 1 else many or plural(one)}"


def plural(one: str) -> str:
    """The plural of an English noun, of a phrase that ends in one, or of one with its verb."""
    start, space, word = one.rpartition(" ")
    if start and word in _VERBS:
        return f"{plural(start)} {_MANY[word]}"
    if word in _MANY:
        many = _MANY[word]
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        many = f"{word[:-1]}ies"
    else:
        many = f"{word}{'es' if word.endswith(('s', 'x', 'ch', 'sh')) else 's'}"
    return f"{start}{space}{many}"
