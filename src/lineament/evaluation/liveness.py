"""Liveness from scores: a table of presentations, or any scoring function on folders of pictures.

No liveness model is shipped, so nothing here says how good one is: it says how to measure the one you have.

The table holds one line a presentation: ``kind`` (`bona_fide`, or the name of an attack) and ``score``
(higher is likelier bona fide; empty for no answer), and if known ``subject`` and ``image``. Lines of one
image that differ in ``jitter`` are the same presentation under moved boxes; an empty jitter, or 0, is the
original.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.analyzer import Analyzer, central_face
from lineament.answers import Answer, Table
from lineament.counting import quantity
from lineament.errors import ConfigError, FaceError, InvalidArray, PictureError, UsageError
from lineament.evaluation.capture import Failure, failures_json
from lineament.evaluation.record import anonymous
from lineament.io import sources
from lineament.scoring import attack, thresholds
from lineament.scoring.attack import BONA_FIDE, TARGET_RATES, AttackRates, JitterRates, Presentations
from lineament.scoring.paired import Counts
from lineament.types import Float64, Image

Scorer = Callable[[Image, Float64], Float64]
"""Scores of one picture's face under several boxes ``(J, 4)``, float64 ``(J,)``; -inf for no answer."""

SAME_DATA = "bpcer_at_apcer: the thresholds were chosen on these very presentations"
_ORIGINAL = ("", "0")
_UNNAMED = "line\0"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Presentations with a score each, and under jitter ``(N, J)``, the original first, or None.

    ``images`` names each, empty where the table does not.
    """

    presentations: Presentations
    jittered: Float64 | None
    images: tuple[str, ...]
    failures: tuple[Failure, ...] = ()

    def digest(self) -> str:
        """SHA-256 over image, kind and subject of all, and how many boxes: whatever was scored, not how."""
        shown = self.presentations
        boxes = 1 if self.jittered is None else self.jittered.shape[1]
        rows = zip(self.images, shown.kinds.tolist(), shown.subjects.tolist(), strict=True)
        return hashlib.sha256(repr((boxes, sorted(rows))).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class BpcerAt:
    """BPCER where no kind of attack passes more often than ``apcer``.

    ``unsupported`` says why not to quote it. The threshold comes from the very attacks it is judged on.
    """

    apcer: float
    threshold: float
    rates: AttackRates
    unsupported: str | None


@dataclass(frozen=True, slots=True, eq=False)
class LivenessReport(Answer):
    """Rates at the threshold given, by jitter where there is any, and BPCER at fixed APCERs.

    ``shortfall`` says why a threshold that was chosen here is nothing to rely on.
    """

    scored: Scored
    rates: AttackRates
    jitter: JitterRates | None
    points: tuple[BpcerAt, ...]
    threshold_from: str
    shortfall: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; a BPCER that the attacks cannot support is null, with the reason."""
        kinds = self.scored.presentations.kinds.tolist()
        return {
            "presentations": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
            "subjects": len(set(self.scored.presentations.subjects.tolist())),
            **failures_json(self.scored.failures),
            "threshold_from": self.threshold_from,
            "threshold_shortfall": self.shortfall,
            **self.rates.to_json(),
            "jitter": None if self.jitter is None else self.jitter.to_json(),
            "bpcer_at_apcer": {
                f"{point.apcer:g}": None if point.unsupported else point.rates.bpcer.to_json()
                for point in self.points
            },
            "unsupported": {f"{p.apcer:g}": p.unsupported for p in self.points if p.unsupported},
            "thresholds_chosen_on": SAME_DATA,
        }

    def told(self) -> Iterator[str | Table]:
        """The threshold, the errors of each kind, what another box changes, and BPCER at fixed APCERs."""
        rates = self.rates
        yield f"threshold {rates.threshold:g} ({self.threshold_from}); worst attack: {rates.worst}"
        if self.shortfall is not None:
            yield f"warning: {self.shortfall}"
        yield self._errors()
        if self.jitter is not None:
            yield (
                f"another box changes the decision of {self.jitter.changed} of the "
                f"presentations ({quantity(self.jitter.boxes, 'box')} each)"
            )
        yield Table(
            "BPCER at fixed APCER of the worst kind, threshold chosen on these very presentations",
            ("APCER <=", "threshold", "BPCER, 95 %"),
            [
                (
                    f"{p.apcer:g}",
                    "" if p.unsupported else f"{p.threshold:.4g}",
                    p.unsupported or str(p.rates.bpcer),
                )
                for p in self.points
            ],
        )

    def _errors(self) -> Table:
        worst = None if self.jitter is None else self.jitter.worst_case
        columns = ["presentations", "error", "95 % interval", "of", "no answer"]
        columns += [] if worst is None else ["worst box"]
        rows = []
        for name, rate in ((BONA_FIDE, self.rates.bpcer), *self.rates.apcer.items()):
            genuine = name == BONA_FIDE
            row = [f"{name} ({'BPCER' if genuine else 'APCER'})", f"{rate.value:.3g}", rate.span()]
            row += [f"{rate.n:,}", f"{self.rates.no_answer[name]:,}"]
            if worst is not None:
                row.append(str(worst.bpcer if genuine else worst.apcer[name]))
            rows.append(row)
        return Table("Errors", columns, rows)

    def clusters(self) -> dict[str, Counts]:
        """By figure, each subject's errors and presentations, under digests of the names."""
        found = self.scored.presentations
        wrong = attack.wrong(found, self.rates.threshold)
        kinds = {BONA_FIDE: "bpcer", **{kind: f"apcer_by_kind.{kind}" for kind in found.attacks}}
        counts: dict[str, Counts] = {}
        for kind, path in kinds.items():
            chosen = found.kinds == kind
            whose = found.subjects[chosen]
            counts[path] = {
                anonymous(str(name)): (
                    float(wrong[chosen][whose == name].sum()),
                    float((whose == name).sum()),
                )
                for name in np.unique(whose)
            }
        return {**counts, "apcer": counts[kinds[self.rates.worst]]}


def read_scores(path: Path) -> Scored:
    """Read a table of scores; raises `UsageError` naming the line at fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"cannot read the scores in {path}: {reason}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = {"kind", "score"} - set(reader.fieldnames or ())
    if missing:
        raise UsageError(f"{path}: line 1: needs the columns kind and score; missing: {sorted(missing)[0]}")
    shown: dict[str, _Shown] = {}
    try:
        for record in reader:
            where = f"{path}: line {reader.line_num}"
            if None in record or any(record[name] is None for name in reader.fieldnames or ()):
                raise UsageError(f"{where}: expected {quantity(len(reader.fieldnames or ()), 'value')}")
            image = record.get("image") or f"{_UNNAMED}{reader.line_num}"
            entry = shown.setdefault(image, _Shown(record["kind"], record.get("subject") or image))
            if (record["kind"], record.get("subject") or image) != (entry.kind, entry.subject):
                raise UsageError(f"{where}: {image!r} was of another kind or subject before")
            if not record["kind"]:
                raise UsageError(f"{where}: no kind")
            jitter = (record.get("jitter") or "").strip()
            key = "" if jitter in _ORIGINAL else jitter
            if key in entry.scores:
                raise UsageError(
                    f"{where}: {image!r} stands there twice; lines of one image differ in jitter"
                )
            entry.scores[key] = _score(record["score"], where)
    except csv.Error as error:
        raise UsageError(f"{path}: line {reader.line_num}: {error}") from error
    return _scored(shown, path)


@dataclass(slots=True)
class _Shown:
    kind: str
    subject: str
    scores: dict[str, float]

    def __init__(self, kind: str, subject: str) -> None:
        self.kind, self.subject, self.scores = kind, subject, {}


def _score(text: str, where: str) -> float:
    if not text.strip():
        return -math.inf
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"{where}: the score is no number: {text!r}") from None
    if not math.isfinite(value):
        raise UsageError(f"{where}: the score is not finite; leave it empty for no answer")
    return value


def _scored(shown: dict[str, _Shown], path: Path) -> Scored:
    for image, entry in shown.items():
        if "" not in entry.scores:
            raise UsageError(f"{path}: {image!r} has scores under jitter and none for the original box")
    entries = list(shown.values())
    keys = sorted({key for entry in entries for key in entry.scores}, key=lambda key: (key != "", key))
    uneven = [image for image, entry in shown.items() if len(entry.scores) != len(keys)]
    if uneven:
        raise UsageError(f"{path}: {uneven[0]!r} lacks a jitter that others have: {', '.join(keys[1:])}")
    table = np.array([[entry.scores[key] for key in keys] for entry in entries], np.float64)
    found = Presentations(
        table[:, 0] if len(table) else np.zeros(0),
        np.array([entry.kind for entry in entries], str),
        np.array([entry.subject for entry in entries], str),
    )
    names = tuple("" if image.startswith(_UNNAMED) else image for image in shown)
    return Scored(found, table if len(keys) > 1 else None, names)


def score_folders(
    folder: Path, scorer: Scorer, analyzer: Analyzer, *, shift: float = 0.1, scale: float = 0.1
) -> Scored:
    """Score folders named for a kind each (`bona_fide` and attacks) with the box as found and jittered.

    The face nearest each picture's centre is scored; the analyzer keeps its images. A picture without a
    face, or that the scorer refuses, is no answer. A folder below that of the kind is a subject, and each
    file in none is taken for another one. Raises `UsageError` without such folders.
    """
    if not analyzer.keep_images:
        raise ConfigError("scoring faces needs an analyzer with keep_images=True")
    people = sources.people(folder)
    kinds = [kind for kind, _ in people]
    if BONA_FIDE not in kinds or len(kinds) < 2:
        raise UsageError(f"{folder}: needs a folder {BONA_FIDE!r} and one for each kind of attack")
    scores: list[Sequence[float]] = []
    names: list[str] = []
    subjects: list[str] = []
    images: list[str] = []
    failures: list[Failure] = []
    for kind, files in people:
        for file in files:
            row, failure = _score_one(file, scorer, analyzer, shift, scale)
            scores.append(row)
            failures += [failure] if failure is not None else []
            names.append(kind)
            inner = Path(file).relative_to(folder / kind)
            subjects.append(inner.parts[0] if len(inner.parts) > 1 else file)
            images.append(file)
    table = np.array(scores, np.float64)
    found = Presentations(table[:, 0], np.array(names, str), np.array(subjects, str))
    return Scored(found, table, tuple(images), tuple(failures))


def _score_one(
    file: str, scorer: Scorer, analyzer: Analyzer, shift: float, scale: float
) -> tuple[Sequence[float], Failure | None]:
    boxes = attack.jittered(np.zeros((1, 4)), shift, scale)[0]
    outcome = analyzer.analyze_one(file)
    try:
        face = central_face(outcome)
        assert outcome.image is not None
        boxes = attack.jittered(face.box[None] / outcome.image.scale, shift, scale)[0]
        values = np.asarray(scorer(outcome.image, boxes), np.float64)
        if values.shape != (len(boxes),) or np.isnan(values).any():
            raise InvalidArray(f"the scorer gave {values.shape} for {quantity(len(boxes), 'box')}, or NaN")
        return values.tolist(), None
    except (PictureError, FaceError) as error:
        failure = Failure(file, type(error).__name__, str(error), refused=outcome.error is not None)
        return [-math.inf] * len(boxes), failure


def _require_apart(scored: Scored, other: Scored) -> None:
    images = set(scored.images) & set(other.images) - {""}
    people = set(scored.presentations.subjects.tolist()) & set(other.presentations.subjects.tolist())
    # Unnamed images stand for their own subjects, by the line they are on: those say nothing.
    people = {name for name in people if not name.startswith(_UNNAMED)}
    if images or people:
        raise UsageError(
            f"{quantity(len(images), 'image')} and {quantity(len(people), 'subject')} are both where the "
            "threshold is chosen and where it is judged: that flatters"
        )


def evaluate(
    scored: Scored, *, threshold: float | None = None, chosen_on: Scored | None = None, bpcer: float = 0.05
) -> LivenessReport:
    """Error rates at a threshold given, or chosen on other presentations for a BPCER of ``bpcer``.

    Raises `UsageError` unless exactly one of ``threshold`` and ``chosen_on`` is given, and when both hold
    the same image or subject: a threshold chosen on what it is judged on flatters.
    """
    shortfall = None
    if (threshold is None) == (chosen_on is None):
        raise UsageError("give a threshold, or other presentations to choose it on")
    if chosen_on is not None:
        _require_apart(scored, chosen_on)
        threshold = attack.threshold_for_bpcer(chosen_on.presentations, bpcer)
        genuine = chosen_on.presentations.bona_fide
        people, needed = len(set(chosen_on.presentations.subjects[genuine])), thresholds.fewest(bpcer)
        if people < needed:
            shortfall = (
                f"the threshold is chosen on bona fide presentations of {quantity(people, 'person')}, and "
                f"fewer than {needed} cannot show that a BPCER of {bpcer:g} is kept: do not rely on it"
            )
        source = f"BPCER {bpcer:g} on {quantity(int(genuine.sum()), 'other presentation')}"
    else:
        source = "given"
    assert threshold is not None
    found = scored.presentations
    points = []
    for rate in TARGET_RATES:
        value = attack.threshold_for_apcer(found, rate)
        points.append(BpcerAt(rate, value, attack.rates(found, value), attack.supported(found, rate)))
    return LivenessReport(
        scored=scored,
        rates=attack.rates(found, threshold),
        jitter=None if scored.jittered is None else attack.under_jitter(found, scored.jittered, threshold),
        points=tuple(points),
        threshold_from=source,
        shortfall=shortfall,
    )
