"""``lineament evaluate``: one file a command; importing one registers it with `app`."""

from lineament.cli.evaluate import (
    attributes,
    detection,
    end_to_end,
    fairness,
    identification,
    liveness,
    quality,
    report,
    strangers,
    verification,
)
from lineament.cli.evaluate.app import app

__all__ = [
    "app",
    "attributes",
    "detection",
    "end_to_end",
    "fairness",
    "identification",
    "liveness",
    "quality",
    "report",
    "strangers",
    "verification",
]
