"""``lineament train``: one file a trainer; importing one registers it with `app`."""

from lineament.cli.train import attributes, classifier, detector, embedder, localizer, sweep
from lineament.cli.train.app import app

__all__ = ["app", "attributes", "classifier", "detector", "embedder", "localizer", "sweep"]
