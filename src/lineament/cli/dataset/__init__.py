"""``lineament dataset``: one file a command; importing one registers it with `app`."""

from lineament.cli.dataset import (
    audit,
    augment,
    balance,
    clean,
    collect,
    export,
    extract,
    import_,
    joined,
    review,
    split,
)
from lineament.cli.dataset.app import app

__all__ = [
    "app",
    "audit",
    "augment",
    "balance",
    "clean",
    "collect",
    "export",
    "extract",
    "import_",
    "joined",
    "review",
    "split",
]
