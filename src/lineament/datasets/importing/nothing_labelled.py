"""Of labels that are not there: what was looked for, what is here instead, and how one comes by labels."""

from __future__ import annotations

from pathlib import Path

from lineament.datasets.formats import LabelFormat, formats
from lineament.datasets.formats._expected import PLAIN
from lineament.datasets.formats._files import pictures_below
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError, UsageError


def nothing_labelled(reader: LabelFormat, name: str, source: Path, problems: Problems) -> LabelFileError:
    """The error for a source of which a format reads not one picture."""
    if not any("picture" in kind for kind in problems.counts()):
        expects = getattr(reader, "expects", PLAIN)
        others = "".join(f" ({tally.examples[0]} is none)" for _, tally in list(problems)[:1])
        held = f"{_held(source)}, nothing labelled for {name.partition(':')[0]}{others}"
        return LabelFileError(f"{source}: {expects.told(held)}")
    named = {kind: tally.examples[0] for kind, tally in problems}
    first = named.get("missing_picture", next(iter(named.values())))
    return LabelFileError(
        f"{source}: read as {name}, it names no picture that is there ({', '.join(problems.counts())}: "
        f"{first}); put the pictures where the labels name them, or give the folder that holds both"
    )


def nothing_known(source: Path) -> UsageError:
    """The error for a source that fits no format."""
    loose = source.is_dir() and next(pictures_below(source), None) is not None
    if not loose:
        held, step = "no labels", "give the folder with pictures and labels, or the label file"
    else:
        held = "pictures, but no labels and no folder a person"
        step = (
            "for boxes draw them first (`pip install labelme`, `labelme DIR`: a JSON file beside each "
            "picture); for people or classes sort the pictures into a folder each"
        )
    return UsageError(f"{source}: {held}; {step}; formats that are known: {', '.join(formats.names())}")


def _held(source: Path) -> str:
    if not source.is_dir():
        return "a file"
    count = sum(1 for _ in pictures_below(source))
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"
