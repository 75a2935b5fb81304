"""Pages and interfaces over HTTP; they need the extra ``serve`` and hold no logic of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.service.desk import ReviewDesk
    from lineament.service.review import create_app, serve

__all__ = [
    "ReviewDesk",
    "create_app",
    "serve",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.service.desk": ("ReviewDesk",),
        "lineament.service.review": ("create_app", "serve"),
    },
)
