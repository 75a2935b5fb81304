"""Does a quality number know which comparisons will fail? Error versus discard on pictures of people.

Mated comparisons at a fixed threshold are discarded from the worst quality on; a comparison's quality is
the lower of its two pictures'. A failure to acquire is a non-match of the worst quality there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineament.analyzer import Analyzer
from lineament.answers import Table
from lineament.counting import quantity
from lineament.errors import ConfigError, FaceError, InsufficientData, InvalidArray, PictureError
from lineament.evaluation.capture import Captures, Failure, face_of, faces_in, failures_json
from lineament.evaluation.evaluated import PeopleReport
from lineament.evaluation.people import LabelledPictures
from lineament.evaluation.record import anonymous
from lineament.protocols import Advance
from lineament.scoring import discard, operating_points, similarity
from lineament.scoring.discard import DiscardCurve, DiscardPoint
from lineament.scoring.operating_points import OperatingPoint
from lineament.scoring.paired import Counts
from lineament.scoring.similarity import Index
from lineament.types import Face, Float32, Quality

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIRS_A_SUBJECT = 10
UP_TO = 0.2
SAME_DATA = "the threshold was chosen on the comparisons of different people in these very pictures"

MEASURES: Mapping[str, Callable[[Quality], float]] = {
    "score": lambda q: q.score,
    "embedding_length": lambda q: q.embedding_length if q.embedding_length is not None else -np.inf,
    "size": lambda q: q.size,
    "sharpness": lambda q: q.sharpness,
    "exposure": lambda q: q.exposure,
    "frontal": lambda q: -float(np.hypot(q.yaw_deg, q.pitch_deg)),
    "detector_score": lambda q: q.detector_score,
}
"""The parts of `Quality`, higher is better, and ``score``, which combines them."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasureReport:
    """One quality number: its curve, points with intervals, and the mean FNMR while up to 20 % go."""

    curve: DiscardCurve
    points: tuple[DiscardPoint, ...]

    @property
    def mean(self) -> float:
        """Mean FNMR over discarding nothing to `UP_TO`; knowing nothing leaves it at the first."""
        return self.curve.mean_up_to(UP_TO)

    def to_json(self) -> dict[str, Any]:
        """FNMR after discarding each share, with interval."""
        return {
            "fnmr_after_discarding": {f"{point.asked:g}": point.to_json() for point in self.points},
            f"mean_fnmr_to_{UP_TO:g}": self.mean,
        }


@dataclass(frozen=True, slots=True, eq=False)
class QualityReport(PeopleReport):
    """Every measure on the same mated comparisons of ``subjects`` people; ``errors`` of them fail.

    ``remaining`` are, by figure, each person's errors and remaining comparisons. ``compared`` are the rows
    of ``captures`` that were compared.
    """

    measures: Mapping[str, MeasureReport]
    point: OperatingPoint
    comparisons: int
    errors: int
    subjects: int
    pictures: int
    pairs_a_subject: int
    remaining: Mapping[str, Counts]
    captures: Captures
    compared: tuple[Index, Index]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the keys are explained in docs/reference/detection-metrics.md."""
        return {
            "pictures": self.pictures,
            "subjects": self.subjects,
            **failures_json(self.captures.failures),
            "mated_comparisons": self.comparisons,
            "pairs_a_subject": self.pairs_a_subject,
            "errors": self.errors,
            "threshold": self.point.threshold,
            "target_fmr": self.point.target_rate,
            "fmr": self.point.fmr.rate.to_json(),
            "supported": self.point.supported,
            "thresholds_chosen_on": SAME_DATA,
            "measures": {name: found.to_json() for name, found in self.measures.items()},
            "model": str(self.captures.model),
        }

    def clusters(self) -> Mapping[str, Counts]:
        """Errors and comparisons that remain."""
        return self.remaining

    def rows_compared(self) -> tuple[Index, Index]:
        """The pairs that were drawn."""
        return self.compared

    def told(self) -> Iterator[str | Table]:
        """Counts, the threshold and what it rests on, and FNMR by the share discarded."""
        yield (
            f"{quantity(self.comparisons, 'mated comparison')} of {quantity(self.subjects, 'person')} "
            f"(at most {self.pairs_a_subject} each), {quantity(self.errors, 'error')}; "
            f"{quantity(len(self.captures.failures), 'failure')} to acquire among "
            f"{quantity(self.pictures, 'picture')}"
        )
        yield (
            f"threshold {self.point.threshold:.4f} for FMR {self.point.target_rate:g}, from the non-mated "
            f"comparisons of these very pictures: FMR seen {self.point.fmr.rate}"
        )
        if not self.point.supported:
            yield "too few non-mated comparisons for that FMR: the threshold is a guess"
        first = next(iter(self.measures.values()))
        columns = [*(f"{p.asked:.0%} discarded" for p in first.points), f"mean to {UP_TO:.0%}"]
        rows = [
            (name.replace("_", " "), *(str(p.rate) for p in one.points), f"{one.mean:.3g}")
            for name, one in self.measures.items()
        ]
        yield Table("FNMR of what remains, 95 %", ("quality", *columns), rows)

    def figures(self) -> Mapping[str, Figure]:
        """FNMR against the share discarded, a curve a measure."""
        from lineament.plots.discard import discard_figure

        curves = {name: one.curve for name, one in self.measures.items()}
        return {"error_versus_discard": discard_figure(curves)}


def evaluate(
    people: LabelledPictures,
    analyzer: Analyzer,
    *,
    target_fmr: float = 1e-3,
    pairs_a_subject: int = PAIRS_A_SUBJECT,
    seed: int = 0,
    advance: Advance | None = None,
) -> QualityReport:
    """Error-versus-discard curves of every part of `Quality`, at the threshold for ``target_fmr``.

    Of each person at most ``pairs_a_subject`` pairs are compared, drawn by ``seed``, so that those with
    many photos do not decide. Raises `ConfigError` for an analyzer without embedder or quality,
    `InsufficientData` without two pictures of anybody.
    """
    if analyzer.model is None or not analyzer.quality:
        raise ConfigError("error versus discard needs an analyzer with an embedder and quality")
    faces, failures = _faces(people, analyzer, advance)
    vectors = _vectors(faces)
    point = operating_points.from_samples(vectors, np.array(people.subjects), [target_fmr])[0]
    first, second = _pairs(people.subjects, pairs_a_subject, seed)
    if not len(first):
        raise InsufficientData("error versus discard needs two pictures of somebody")
    scores = similarity.paired(vectors[first], vectors[second])
    wrong = scores.astype(np.float64) < point.threshold
    whose = np.array(people.subjects)[first]
    measures: dict[str, MeasureReport] = {}
    clusters: dict[str, Counts] = {}
    for name, measure in MEASURES.items():
        each = np.array([_value(face, measure) for face in faces], np.float64)
        lower = np.minimum(each[first], each[second])
        measures[name] = MeasureReport(discard.curve(wrong, lower), discard.points(wrong, lower, whose))
        for share in discard.SHARES:
            path = f"measures.{name}.fnmr_after_discarding.{share:g}"
            clusters[path] = _by_person(wrong, discard.kept(lower, share), whose)
    return QualityReport(
        measures=measures,
        point=point,
        comparisons=len(first),
        errors=int(wrong.sum()),
        subjects=len(set(whose.tolist())),
        pictures=len(set(people.pictures)),
        pairs_a_subject=pairs_a_subject,
        remaining=clusters,
        captures=Captures(vectors, tuple(failures), analyzer.model),
        compared=(first, second),
    )


def _by_person(wrong: NDArray[np.bool_], left: NDArray[np.bool_], whose: NDArray[np.str_]) -> Counts:
    """Errors and comparisons that are left of each person; people of whom nothing is left have none."""
    names, codes = np.unique(whose, return_inverse=True)
    errors = np.bincount(codes[wrong & left], minlength=len(names))
    number = np.bincount(codes[left], minlength=len(names))
    rows = zip(names.tolist(), errors.tolist(), number.tolist(), strict=True)
    return {anonymous(name): (float(part), float(whole)) for name, part, whole in rows}


def _faces(
    people: LabelledPictures, analyzer: Analyzer, advance: Advance | None
) -> tuple[list[Face | None], list[Failure]]:
    faces: list[Face | None] = []
    failures = []
    outcomes = analyzer.analyze([str(path) for path in people.pictures])
    for outcome, box in zip(outcomes, people.boxes, strict=True):
        try:
            faces.append(face_of(outcome, box, faces_in(outcome, [box])[0]))
        except (PictureError, FaceError, InvalidArray) as error:
            faces.append(None)
            refused = outcome.error is not None
            failures.append(Failure(outcome.source, type(error).__name__, str(error), refused))
        if advance is not None:
            advance(1)
    return faces, failures


def _vectors(faces: list[Face | None]) -> Float32:
    found = [face.embedding.vector for face in faces if face is not None and face.embedding is not None]
    if not found:
        raise InsufficientData(f"none of the {quantity(len(faces), 'picture')} gave a face")
    nothing = np.full(len(found[0]), np.nan, np.float32)
    rows = (face.embedding if face is not None else None for face in faces)
    return np.stack([nothing if row is None else row.vector for row in rows])


def _value(face: Face | None, measure: Callable[[Quality], float]) -> float:
    return -np.inf if face is None or face.quality is None else measure(face.quality)


def _pairs(subjects: tuple[str, ...], most: int, seed: int) -> tuple[Index, Index]:
    rows: dict[str, list[int]] = {}
    for row, subject in enumerate(subjects):
        rows.setdefault(subject, []).append(row)
    random = np.random.default_rng(seed)
    chosen: list[tuple[int, int]] = []
    for subject in sorted(rows):
        pairs = list(combinations(rows[subject], 2))
        picked = random.permutation(len(pairs))[:most]
        chosen += [pairs[i] for i in sorted(picked.tolist())]
    both = np.array(chosen, np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]
