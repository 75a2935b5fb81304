"""Names of people in the file names that records keep.

A folder a person is how many galleries begin, so a file name often holds the name of somebody, and a photo
filed under one person may be kept with another.
"""

from __future__ import annotations

import re
import unicodedata

GONE = "…"
"""What stands where a name was."""

_FEWEST = 3
"""Letters with which a name counts as a word of a file name; a shorter one only as a whole folder."""


def pattern(name: str, *, folders: bool = False) -> re.Pattern[str]:
    """Where a name stands in a file name, in either Unicode spelling and any case.

    Spaces of the name may be underscores or hyphens in the file name, which is cut at words: Ann is in
    ``ann_1.jpg`` and not in ``anna.jpg``. With ``folders`` it counts as the whole name of a folder only.
    """
    spellings = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")} | {name}
    written = "|".join(_bounded(spelling, folders) for spelling in sorted(spellings))
    return re.compile(written, re.IGNORECASE)


def _bounded(name: str, folders: bool) -> str:
    written = r"[ _\-]+".join(map(re.escape, name.split()))
    # Scripts without capitals may set no space between words, and say more with a letter.
    begins, ends = (name[i].lower() != name[i].upper() for i in (0, -1))
    letters = sum(character.isalpha() for character in name)
    if folders or letters < (_FEWEST if begins or ends else 2):
        return rf"(?<![^/\\]){written}(?=[/\\])"
    return (r"(?<![^\W\d_])" if begins else "") + written + (r"(?![^\W\d_])" if ends else "")
