"""What was refused, by kind, with the first of each and what to do: the last words on many pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lineament import errors
from lineament.errors import LineamentError

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.types import Outcome

AGAIN = "give the same command again later; it goes on where it was"

STEPS: Mapping[str, str] = {
    "LineamentError": "do what the reason says",
    "PictureError": "leave it out, or put a good copy in its place",
    "PictureNotFound": "look at the path; the file may have been moved or renamed",
    "PictureUnreadable": "get the right to read it (`ls -l` shows it), or copy it to a sound disk",
    "PictureOutside": "copy the picture itself to where the link is",
    "NotAPicture": "give the file of a picture, or a folder of pictures",
    "EmptyPicture": "copy or fetch the file again: it has no bytes",
    "UnsupportedFormat": "save it as JPEG or PNG and give that",
    "PictureTooLarge": "save a smaller copy and give that",
    "PictureTooSmall": "give the original, if there is a larger one",
    "PictureTooSlow": "open it in a picture editor, save it anew and give that",
    "CorruptPicture": "copy or fetch the file again; what an editor still opens can be saved anew",
    "FaceError": "look at the picture, and give one that shows the face better",
    "NoFaceFound": "if a face is there, look turned and enlarged, too: --detector retry:yunet",
    "NoSuchFace": "`lineament detect PHOTO` numbers the faces of a photo",
    "SeveralFaces": "give a picture of one face, or say which face is meant",
    "LowQuality": "give a sharper, larger or more frontal picture",
    "WrongPose": "hold the head as it is asked",
    "FaceInPicture": "leave the picture, and cover or take down faces on walls and screens",
    "NoLandmarks": "take a detector that gives landmarks: --detector yunet",
    "AlreadyEnrolled": "nothing: it is there",
    "FaceOfAnotherSubject": "look at both people's photos: `lineament gallery show NAME`",
    "DisputedFace": "if the dispute is wrong, withdraw it: `lineament gallery remove --id ID`",
    "InvalidSubject": "give the person a name that can be stored, or the spelling that is there",
    "LabelFileError": "mend the label that the reason names, then import again with --replace",
    "MissingExtra": "install what the reason names, and give the same command again",
    "CollectError": AGAIN,
    "ForbiddenUrl": "nothing: that address is not asked; a site of your own is named with --allow-private",
    "ForbiddenByRobots": "nothing: the site asks programs to stay away; take another source",
    "HttpError": "look at the address in a browser; a passing error (5xx) is tried again by each run",
    "ServerBusy": AGAIN,
    "Unreachable": "look at the connection, the name or the device, then give the same command again",
    "TooSlow": AGAIN,
    "AnswerTooLarge": "nothing: so large a file is not fetched; save it yourself and take --source folder",
    "BadAnswer": "look at it yourself: it is not what was asked for, or damaged",
    "SearchFailed": "look at the page in a browser; its description may no longer fit (--page FILE.toml)",
    "DuplicatePicture": "nothing: the person has this very picture",
}
"""What to do about each error, by its name; one without a line has that of the kind it is of."""


def step_for(name: str) -> str:
    """What to do about the error of this name."""
    kind = getattr(errors, name, LineamentError)
    of = kind if isinstance(kind, type) and issubclass(kind, LineamentError) else LineamentError
    return next(STEPS[one.__name__] for one in of.__mro__ if one.__name__ in STEPS)


def no_face_step(detector: str | None) -> str:
    """What to do about pictures in which this detector found nothing."""
    name = detector or "yunet"
    if name.startswith("retry"):
        return "look at them: turned, bordered and enlarged they showed no face either"
    return f"if a face is there, look turned and enlarged, too: --detector retry:{name}"


class Refusals:
    """Counts refusals by kind, and tells them."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], tuple[str, str]] = {}

    def add(
        self,
        error: LineamentError | str,
        where: str,
        *,
        step: str | None = None,
        kind: str = "",
        count: int = 1,
    ) -> None:
        """One more; an error as a manifest keeps it is text, ``CorruptPicture: ...``.

        ``step`` is what to do where the command knows better than `STEPS`; refusals of one error that want
        different steps have a ``kind`` each, told behind the error's name.
        """
        name = error.partition(":")[0].strip() if isinstance(error, str) else type(error).__name__
        self._counts[name, kind] += count
        self._first.setdefault((name, kind), (where, step or step_for(name)))

    def look(self, outcome: Outcome, no_face: str | None = None) -> None:
        """One picture: its refusal, or that nothing was found, with what to do then."""
        if outcome.error is not None:
            self.add(outcome.error, outcome.source)
        elif not len(outcome.faces):
            self.add("NoFaceFound", outcome.source, step=no_face)

    def tell(
        self, report: Report, title: str = "why, by kind, and what to do:", *, steps: bool = True
    ) -> None:
        """How many of each kind, the first of them, and the next step; nothing where there are none."""
        if not self._counts:
            return
        report.say(title)
        for (name, kind), count in self._counts.most_common():
            where, step = self._first[name, kind]
            told = f"{name} ({kind})" if kind else name
            first = f": {where}" if count == 1 else f", the first {where}"
            report.say(f"  {count:,} {told}{first}" if where else f"  {count:,} {told}")
            if steps:
                report.say(f"    next: {step}")
