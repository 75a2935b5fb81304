"""``lineament dataset``: one file a command; importing one registers it with `app`."""

from lineament.cli.dataset import extract
from lineament.cli.dataset.app import app

__all__ = ["app", "extract"]
