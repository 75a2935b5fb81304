"""``lineament evaluate``: one file a command; importing one registers it with `app`."""

from lineament.cli.evaluate import identification, verification
from lineament.cli.evaluate.app import app

__all__ = ["app", "identification", "verification"]
