"""Names of people as a person writes them, and as lists and file systems hold them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from lineament.config import did_you_mean
from lineament.datasets.collect.people import read_names, words_of
from lineament.datasets.extraction.crop_names import folded
from lineament.errors import UnknownName, UsageError
from lineament.io.names import shown

_HASH = re.compile(r"(?<=.)-[0-9a-f]{10}\Z")
"""What collecting adds to a person's folder, so that no two share one."""


def plain(name: str) -> str:
    """The words of a name that was joined or hashed for a folder: ``george_w_bush-0a1b2c3d4e``."""
    return words_of(_HASH.sub("", name)) or name


def display_names(subjects: Iterable[str]) -> dict[str, str]:
    """What to show for each subject: its `plain` name, or where two would look alike the stored ones."""
    found = {subject: plain(subject) for subject in subjects}
    times = Counter(folded(name) for name in found.values())
    return {
        subject: shown(name if times[folded(name)] == 1 else subject, limit=None)
        for subject, name in found.items()
    }


def names_in(text: str) -> list[str]:
    """The names of a list: a file with one a line, as for collecting, or the names with commas between.

    Raises `UsageError` for a list without a name, and as `read_names`.
    """
    try:
        is_file = Path(text).is_file()
    except OSError:  # a list longer than a path may be
        is_file = False
    if is_file:
        return [person.subject for person in read_names(Path(text))]
    names = list(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
    if not names:
        raise UsageError(f"--names {text!r}: holds no name; give NAME,NAME or a file with one a line")
    return names


def chosen(names: Sequence[str], subjects: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The subject that each name means, exactly or but for case and what joins its words; and the unknown.

    Raises `UnknownName` when none is known, or when one could mean several.
    """
    known = set(subjects)
    alike: dict[str, list[str]] = defaultdict(list)
    for subject in sorted(known):
        alike[folded(plain(subject))].append(subject)
    found: dict[str, str] = {}
    unknown = []
    for name in names:
        fitting = [name] if name in known else alike[folded(plain(name))]
        if len(fitting) > 1:
            raise UnknownName(
                f"--names: {name!r} could be {' or '.join(map(repr, fitting))}: write it as it is stored"
            )
        if fitting:
            found[name] = fitting[0]
        else:
            unknown.append(name)
    if not found:
        hint = did_you_mean(names[0], known) if len(known) <= 20 or len(names) == 1 else ""
        raise UnknownName(f"--names: nobody here is named {', '.join(map(repr, names[:5]))}{hint}")
    return found, unknown
