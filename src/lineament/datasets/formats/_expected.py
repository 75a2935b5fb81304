"""What a format looks for, and what to tell somebody who has nothing of the kind yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """``files`` are the label files and where they lie; ``made`` is how one comes by them."""

    files: str
    made: str

    def told(self, held: str) -> str:
        """What to tell of a place that holds ``held`` and no such file."""
        return f"{held}; looked for {self.files}. {self.made}; then give the same command again"


PLAIN = Expected("what this format stores", "Label first")
"""Of a format that does not say, as one of a plugin may."""
EXPORTED = (
    "Label the pictures in a tool that exports {0} (CVAT, Label Studio, Roboflow) and unpack that here, or "
    "draw in labelme and import its files"
)
