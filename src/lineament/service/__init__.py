"""Pages and interfaces over HTTP; they need the extra ``serve`` and hold no logic of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.service.app import create_service
    from lineament.service.desk import ReviewDesk
    from lineament.service.keys import KeyFile
    from lineament.service.review import create_app, serve
    from lineament.service.settings import Limits, ServiceSettings

__all__ = [
    "KeyFile",
    "Limits",
    "ReviewDesk",
    "ServiceSettings",
    "create_app",
    "create_service",
    "serve",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.service.app": ("create_service",),
        "lineament.service.desk": ("ReviewDesk",),
        "lineament.service.keys": ("KeyFile",),
        "lineament.service.review": ("create_app", "serve"),
        "lineament.service.settings": ("Limits", "ServiceSettings"),
    },
)
