"""``lineament train``: one file a trainer; importing one registers it with `app`."""

from lineament.cli.train import classifier, embedder
from lineament.cli.train.app import app

__all__ = ["app", "classifier", "embedder"]
