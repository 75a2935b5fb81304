"""What `gallery enrol` tells at the end: a row a photo, and what to do about refusals."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lineament.cli.refusals import Refusals, no_face_step, step_for
from lineament.counting import quantity
from lineament.errors import FaceOfAnotherSubject

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.gallery.enrolment import EnrolOutcome

VERDICTS = ("enrolled", "already enrolled", "refused")


class Enrolling:
    """Counts what became of the photos of one command, with ``--gallery`` and ``--detector`` as given."""

    def __init__(self, gallery: str | None, detector: str) -> None:
        self.counts: Counter[str] = Counter()
        self._rows: list[Sequence[object]] = []
        self._refusals = Refusals()
        self._gallery, self._detector = gallery, detector

    def add(self, done: EnrolOutcome) -> None:
        """One photo."""
        self.counts[done.verdict] += 1
        self._rows.append(done.row())
        if done.verdict == "refused":
            assert done.error is not None
            kind, step = self._next(done)
            self._refusals.add(done.error, done.source, step=step, kind=kind)

    def tell(self, report: Report, people: int, notes: Sequence[str]) -> None:
        """The table, the counts, ``notes``, and what to do about the refusals."""
        report.table(None, ("picture", "subject", "outcome", "face", "reason"), self._rows)
        summary = ", ".join(f"{self.counts[name]} {name}" for name in VERDICTS)
        report.say(
            f"{quantity(self.counts.total(), 'picture')}: {summary}; {quantity(people, 'person')} in "
            "the gallery"
        )
        for note in notes:
            report.say(note)
        self._refusals.tell(report)

    def _next(self, done: EnrolOutcome) -> tuple[str, str | None]:
        """The kind of the refusal where an error has several, and the command that may accept the photo."""
        error, photo = done.error, done.source if os.path.lexists(done.source) else "PHOTO"
        one = self._command("enrol", photo, "--subject", done.subject)
        if isinstance(error, FaceOfAnotherSubject) and error.sample:
            removing = self._command("remove", "--id", error.sample)
            merging = self._command("merge", done.subject, "--into", error.subject)
            return "the very face", (
                f"if {error.subject} is wrong: {removing}, then enrol again; if both are one: {merging}"
            )
        if isinstance(error, FaceOfAnotherSubject):
            other = self._command("enrol", photo, "--subject", error.subject)
            return "looks alike", (
                f"if it is {done.subject} all the same: {one} --allow other-subject; "
                f"if it is {error.subject}: {other}"
            )
        name = type(error).__name__
        return "", {
            "SeveralFaces": f"say which is meant, as the reason numbers them: {one} --face N, or take the "
            "largest: --largest",
            "LowQuality": f"give a better photo, or accept it: {one} --allow low-quality",
            "DisputedFace": f"{step_for(name)}, or accept the photo: {one} --allow disputed",
            "NoFaceFound": no_face_step(self._detector),
            "NoSuchFace": f"see the numbers of the faces: {shlex.join(['lineament', 'detect', photo])}",
        }.get(name)

    def _command(self, name: str, *words: str) -> str:
        detector = self._detector if name == "enrol" and self._detector != "yunet" else ""
        options = {"--gallery": self._gallery, "--detector": detector}
        given = [word for option, value in options.items() if value for word in (option, value)]
        return shlex.join(["lineament", "gallery", name, *words, *given])
