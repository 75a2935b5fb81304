"""Foreign text in Markdown: words that stay words, whatever they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lineament.io.names import visible

# An underscore within a word is none of emphasis, and names of networks are full of them.
_SPECIAL = re.compile(r"[\\`*\[\]<>|&~$#!]|(?<!\w)_|_(?!\w)")


def text(words: str) -> str:
    """One line, so escaped that no HTML, link, picture, table or emphasis comes of it."""
    return _SPECIAL.sub(r"\\\g<0>", visible(words))


def row(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(map(text, cells))} |"
