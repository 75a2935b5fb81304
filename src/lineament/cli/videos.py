"""Videos given where pictures are wanted: the command ends with 1 and says what takes videos."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.types import Outcome

_HEAD = 1024


class Videos:
    """The videos among a command's inputs, in truth if one was met."""

    def __init__(self) -> None:
        self._met: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._met)

    def look(self, outcome: Outcome) -> None:
        """Take note of a picture that is none because it is a video."""
        from lineament.errors import UnsupportedFormat
        from lineament.io.formats import looks_like

        if isinstance(outcome.error, UnsupportedFormat):
            with suppress(OSError), Path(outcome.source).open("rb") as file:
                if looks_like(file.read(_HEAD)).endswith("video"):
                    self._met.append(outcome.source)

    def tell(self, report: Report) -> None:
        """What to do with them, if any."""
        if self._met:
            count = quantity(len(self._met), "video")
            report.say(
                f"{count} given, {self._met[0]} the first, where pictures are wanted; to find out who "
                "appears in it: lineament watch FILE; to take pictures out of it: lineament dataset "
                "collect NAMES.txt --source video --from FILE --subject NAME "
                "--out DIR --purpose TEXT"
            )
