"""Evaluation protocols on folders of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.evaluation.attributes import evaluate as evaluate_attributes
    from lineament.evaluation.calibration import calibrate
    from lineament.evaluation.compare import compare as compare_records
    from lineament.evaluation.compare import gate
    from lineament.evaluation.detection import evaluate as evaluate_detection
    from lineament.evaluation.detection import open_detector
    from lineament.evaluation.end_to_end import evaluate as evaluate_end_to_end
    from lineament.evaluation.fairness import evaluate as evaluate_fairness
    from lineament.evaluation.identification import evaluate as evaluate_identification
    from lineament.evaluation.liveness import evaluate as evaluate_liveness
    from lineament.evaluation.pairs import read_pairs
    from lineament.evaluation.people import open_people
    from lineament.evaluation.quality import evaluate as evaluate_quality
    from lineament.evaluation.record import EvaluationRecord
    from lineament.evaluation.verification import evaluate as evaluate_verification

__all__ = [
    "EvaluationRecord",
    "calibrate",
    "compare_records",
    "evaluate_attributes",
    "evaluate_detection",
    "evaluate_end_to_end",
    "evaluate_fairness",
    "evaluate_identification",
    "evaluate_liveness",
    "evaluate_quality",
    "evaluate_verification",
    "gate",
    "open_detector",
    "open_people",
    "read_pairs",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.evaluation.attributes": ("evaluate as evaluate_attributes",),
        "lineament.evaluation.calibration": ("calibrate",),
        "lineament.evaluation.compare": ("compare as compare_records", "gate"),
        "lineament.evaluation.detection": ("evaluate as evaluate_detection", "open_detector"),
        "lineament.evaluation.end_to_end": ("evaluate as evaluate_end_to_end",),
        "lineament.evaluation.fairness": ("evaluate as evaluate_fairness",),
        "lineament.evaluation.identification": ("evaluate as evaluate_identification",),
        "lineament.evaluation.liveness": ("evaluate as evaluate_liveness",),
        "lineament.evaluation.pairs": ("read_pairs",),
        "lineament.evaluation.people": ("open_people",),
        "lineament.evaluation.quality": ("evaluate as evaluate_quality",),
        "lineament.evaluation.record": ("EvaluationRecord",),
        "lineament.evaluation.verification": ("evaluate as evaluate_verification",),
    },
)
