"""Where people are kept when nobody says."""

from __future__ import annotations

from pathlib import Path


def default_url() -> str:
    """The gallery used when none is named: ``people.db`` in the user's data directory."""
    from platformdirs import user_data_dir

    return f"sqlite:{Path(user_data_dir('lineament', appauthor=False)) / 'people.db'}"
