"""Whose a refused request of a browser was: a page's, or the browser's own.

A browser asks its maker for updates, lists of bad sites and trial settings, and a site for the icon of its
tab, whatever page it shows. Its developer tools know what pages asked for; what they do not know of and
goes to its maker is its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lineament.documents import json_of

_MAKER = ("google.com", "googleapis.com", "gstatic.com", "googleusercontent.com", "gvt1.com", "gvt2.com")
"""Below these hosts Chromium and Chrome have their own services."""


@dataclass(slots=True)
class Asked:
    """Hosts that pages asked for something, and those asked for the icon of the tab."""

    by_pages: set[str] = field(default_factory=set)
    for_icons: set[str] = field(default_factory=set)

    def hear(self, log: Iterable[Mapping[str, Any]]) -> None:
        """Take in entries of ChromeDriver's performance log; what else stands there is passed over."""
        for entry in log:
            try:
                event = json_of(entry["message"])["message"]
                if event["method"] != "Network.requestWillBeSent":
                    continue
                told = event["params"]
                host = urlsplit(told["request"]["url"]).hostname
                icon = told.get("type") == "Other" and told["initiator"]["type"] == "other"
            except (KeyError, TypeError, ValueError):
                continue
            if host is not None:
                (self.for_icons if icon else self.by_pages).add(host)

    def is_own(self, host: str) -> bool:
        """Whether a request to the host was the browser's own."""
        if host in self.by_pages:
            return False
        return host in self.for_icons or any(
            host == maker or host.endswith(f".{maker}") for maker in _MAKER
        )
