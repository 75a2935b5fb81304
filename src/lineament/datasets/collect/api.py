"""Open-licence pictures from interfaces made for programs: Openverse and Wikimedia Commons.

Both tell licence and author with each picture. NOT VERIFIED against the real interfaces, which could not be
asked while this was written: the tests use answers of the documented shape, made by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from lineament.datasets.collect.people import Person
from lineament.datasets.collect.politeness import Guest
from lineament.datasets.collect.run import Candidate, Results, Search
from lineament.documents import Malformed, json_of
from lineament.errors import BadAnswer, ConfigError

NAMES = ("openverse", "commons")
_MAX_ANSWER = 8 * 2**20
_MAX_TEXT = 500
_PAGE_SIZE = 20
"""What Openverse gives to callers without an account."""


@dataclass(frozen=True, slots=True)
class Openverse:
    """Openverse, an index of openly licensed pictures of many sites."""

    guest: Guest
    base: str = "https://api.openverse.org"
    name: str = "openverse"

    def page(self, person: Person, cursor: str | None, wanted: int) -> Results:
        """One page of 20; the cursor is its number."""
        query = {"q": person.keyword, "page": cursor or "1", "page_size": str(_PAGE_SIZE)}
        return parse_openverse(_json(self.guest, f"{self.base}/v1/images/?{urlencode(query)}"))

    def scope(self, wanted: int) -> str:
        """Nothing: pages have one size."""
        return ""


@dataclass(frozen=True, slots=True)
class Commons:
    """Wikimedia Commons, searched for bitmaps that carry the words."""

    guest: Guest
    base: str = "https://commons.wikimedia.org"
    name: str = "commons"

    def page(self, person: Person, cursor: str | None, wanted: int) -> Results:
        """One page of 50; the cursor is the offset of its first result."""
        query = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "generator": "search",
            "gsrsearch": f"filetype:bitmap {person.keyword}",
            "gsrnamespace": "6",
            "gsrlimit": "50",
            "gsroffset": cursor or "0",
            "prop": "imageinfo",
            "iiprop": "url|mime|extmetadata",
            "iiextmetadatafilter": "LicenseShortName|LicenseUrl|Artist",
            "maxlag": "5",
        }
        return parse_commons(_json(self.guest, f"{self.base}/w/api.php?{urlencode(query)}"))

    def scope(self, wanted: int) -> str:
        """Nothing: pages have one size."""
        return ""


def open_api(name: str, guest: Guest) -> Search:
    """The interface of that name; raises `ConfigError`."""
    if name == "openverse":
        return Openverse(guest)
    if name == "commons":
        return Commons(guest)
    raise ConfigError(f"no interface named {name!r}; known: {', '.join(NAMES)}")


def parse_openverse(answer: Any) -> Results:
    """Candidates from an answer of ``/v1/images/``; raises `BadAnswer`."""
    entries = answer.get("results") if isinstance(answer, Mapping) else None
    if not isinstance(entries, list):
        raise BadAnswer("Openverse: an answer without a list of results")
    candidates = []
    for entry in entries:
        url = _text(entry, "url")
        if url is None:
            continue
        licence = " ".join(
            part for part in (_text(entry, "license"), _text(entry, "license_version")) if part
        )
        address = _text(entry, "license_url")
        candidates.append(
            Candidate(
                url,
                page=_text(entry, "foreign_landing_url"),
                licence=_licence(licence, address),
                author=_text(entry, "creator"),
            )
        )
    number, count = answer.get("page"), answer.get("page_count")
    more = isinstance(number, int) and isinstance(count, int) and number < count and entries
    return Results(
        tuple(candidates), str(number + 1) if more else None, unusable=len(entries) - len(candidates)
    )


def parse_commons(answer: Any) -> Results:
    """Candidates from an answer of ``api.php`` (formatversion 2), best match first; raises `BadAnswer`."""
    if not isinstance(answer, Mapping):
        raise BadAnswer("Commons: not an object")
    if isinstance(answer.get("error"), Mapping):
        raise BadAnswer(f"Commons: {_text(answer['error'], 'info') or 'an error without a text'}")
    query = answer.get("query", {})  # absent when nothing was found
    pages = query.get("pages", []) if isinstance(query, Mapping) else None
    if not isinstance(pages, list):
        raise BadAnswer("Commons: an answer without a list of pages")
    pages = sorted(pages, key=_rank)
    candidates = []
    for page in pages:
        found = page.get("imageinfo") if isinstance(page, Mapping) else None
        about = found[0] if isinstance(found, list) and found else None
        url = _text(about, "url")
        if about is None or url is None:
            continue
        facts = about.get("extmetadata")
        candidates.append(
            Candidate(
                url,
                page=_text(about, "descriptionurl"),
                licence=_licence(_fact(facts, "LicenseShortName") or "", _fact(facts, "LicenseUrl")),
                author=_fact(facts, "Artist"),
            )
        )
    further = answer.get("continue")
    offset = further.get("gsroffset") if isinstance(further, Mapping) else None
    return Results(
        tuple(candidates),
        str(offset) if isinstance(offset, int) else None,
        unusable=len(pages) - len(candidates),
    )


def _json(guest: Guest, url: str) -> Any:
    # An interface for programs has terms of its own; robots.txt speaks to those who walk its pages.
    answer = guest.get(url, ask_robots=False, accept="application/json", max_bytes=_MAX_ANSWER)
    try:
        return json_of(answer.body)
    except Malformed as error:
        raise BadAnswer(f"{answer.url}: {error}") from None


def _rank(page: Any) -> int:
    index = page.get("index") if isinstance(page, Mapping) else None
    return index if isinstance(index, int) else 1 << 30


def _text(entry: Any, key: str) -> str | None:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        return None
    return value if key in ("url", "foreign_landing_url", "descriptionurl") else value.strip()[:_MAX_TEXT]


def _fact(facts: Any, key: str) -> str | None:
    """One value of Commons' extended metadata, whose texts are HTML."""
    entry = facts.get(key) if isinstance(facts, Mapping) else None
    value = entry.get("value") if isinstance(entry, Mapping) else None
    if not isinstance(value, str):
        return None
    reader = _Words()
    reader.feed(value[:20_000])
    reader.close()
    return " ".join("".join(reader.parts).split())[:_MAX_TEXT] or None


def _licence(name: str, address: str | None) -> str | None:
    return f"{name} ({address})" if name and address else name or address


class _Words(HTMLParser):
    """The text of an HTML fragment."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)
