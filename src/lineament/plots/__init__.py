"""Every figure, matplotlib, one function a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.plots.annotate import annotate as draw_faces
    from lineament.plots.calibration import calibration_figure
    from lineament.plots.canvas import save
    from lineament.plots.confusion import confusion_figure
    from lineament.plots.curves import curves_figure
    from lineament.plots.det import det_figure
    from lineament.plots.discard import discard_figure
    from lineament.plots.heat import heat_figure, pair_figure
    from lineament.plots.precision_recall import precision_recall_figure
    from lineament.plots.roc import roc_figure
    from lineament.plots.scores import histogram_figure, score_figure
    from lineament.plots.searches import cmc_figure, open_set_figure

__all__ = [
    "calibration_figure",
    "cmc_figure",
    "confusion_figure",
    "curves_figure",
    "det_figure",
    "discard_figure",
    "draw_faces",
    "heat_figure",
    "histogram_figure",
    "open_set_figure",
    "pair_figure",
    "precision_recall_figure",
    "roc_figure",
    "save",
    "score_figure",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.plots.annotate": ("annotate as draw_faces",),
        "lineament.plots.calibration": ("calibration_figure",),
        "lineament.plots.canvas": ("save",),
        "lineament.plots.confusion": ("confusion_figure",),
        "lineament.plots.curves": ("curves_figure",),
        "lineament.plots.det": ("det_figure",),
        "lineament.plots.discard": ("discard_figure",),
        "lineament.plots.heat": ("heat_figure", "pair_figure"),
        "lineament.plots.precision_recall": ("precision_recall_figure",),
        "lineament.plots.roc": ("roc_figure",),
        "lineament.plots.scores": ("histogram_figure", "score_figure"),
        "lineament.plots.searches": ("cmc_figure", "open_set_figure"),
    },
)
