"""Descriptions of search pages, one small TOML file each: where to search and what to read there.

Those in the folder ``pages`` come with lineament; anybody may write another and hand in its path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from lineament.config import did_you_mean, from_toml
from lineament.datasets.collect.addresses import parse
from lineament.errors import ConfigError, ForbiddenUrl


@dataclass(frozen=True, slots=True)
class SearchPage:
    """How to search one site. Selectors are CSS; all but ``result`` are looked up inside a result.

    ``url`` holds ``{query}``. ``result`` picks each result. ``full_size`` picks the element with the
    picture's address in ``full_size_attribute``; empty, the result itself is it. With ``open_result`` the
    page behind ``link`` is opened and ``full_size``, ``licence`` and ``author`` are looked up there.
    ``paging``: ``scroll`` for pages that grow, ``next`` with the selector of the link to the next page, or
    ``none``. ``wait_for`` must be there before anything is read. ``licence_text`` is recorded where
    ``licence`` gives nothing. ``settle_seconds`` is how long a scrolled page has for new results.
    ``hosts`` are further hosts that the page's browser may ask, ``*.example.org`` for a host and all
    below it; that of ``url`` is always among them. Anything else, trackers too, is not reached.
    """

    name: str
    url: str
    result: str
    full_size: str = ""
    full_size_attribute: str = "src"
    link: str = ""
    open_result: bool = False
    licence: str = ""
    licence_text: str = ""
    author: str = ""
    paging: Literal["scroll", "next", "none"] = "none"
    next: str = ""
    wait_for: str = ""
    hosts: tuple[str, ...] = ()
    max_scrolls: int = 30
    settle_seconds: float = 2.0
    load_pictures: bool = False

    def __post_init__(self) -> None:
        if self.url.count("{query}") != 1 or not self.result or not self.name:
            raise ConfigError("a search page needs a name, a url with {query} once, and a result selector")
        if self.paging == "next" and not self.next:
            raise ConfigError(f"search page {self.name}: paging by next needs the selector `next`")
        for host in self.hosts:
            if not re.fullmatch(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+", host):
                raise ConfigError(f"search page {self.name}: {host!r} is no host; write *.example.org")
        try:
            parse(self.address("x"))
        except ForbiddenUrl as error:
            raise ConfigError(f"search page {self.name}: {error}") from None

    def address(self, words: str) -> str:
        """The URL that searches for these words, whatever they hold."""
        return self.url.replace("{query}", quote(words, safe=""))

    def permits(self, host: str) -> bool:
        """Whether the page's browser may ask this host."""
        if host == parse(self.address("x")).host:
            return True
        return any(
            host == allowed.removeprefix("*.")
            or (allowed.startswith("*.") and host.endswith(allowed.removeprefix("*")))
            for allowed in self.hosts
        )


def shipped() -> list[str]:
    """Names of the descriptions that come with lineament."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir())


def open_page(name_or_path: str) -> SearchPage:
    """A description by its name, or from a TOML file; raises `ConfigError`."""
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return from_toml(SearchPage, path)
    if name_or_path not in shipped():
        raise ConfigError(f"no search page {name_or_path!r}{did_you_mean(name_or_path, shipped())}")
    with resources.as_file(_folder() / f"{name_or_path}.toml") as file:
        return from_toml(SearchPage, file)


def _folder() -> Path:
    return Path(str(resources.files("lineament.datasets.collect") / "pages"))
