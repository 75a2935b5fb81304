"""The resumable run over the network: search, fetch, keep, person by person, several people at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from lineament.datasets.collect.addresses import parse
from lineament.datasets.collect.collection import Collection, Gathered, timestamp
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.politeness import Guest, passing
from lineament.datasets.collect.width import Width
from lineament.engines.threads import Threads
from lineament.errors import BadAnswer, CollectError, ForbiddenUrl, SearchFailed, Unreachable
from lineament.io.manifest import Provenance

LEFT_FOR_LATER = "person left for a later run"
"""What is counted where a site fails so often in a row that a person waits."""
_MAX_PAGES = 200
_GIVE_UP_AFTER = 10
"""Failures in a row that a later run may not meet: the site is down or wants us away, so the person waits
for that run rather than every further page of the search being asked for."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that a search found, with what the site says of it."""

    url: str
    page: str | None = None
    licence: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """One page of a search; ``next`` leads to the following one. ``unusable`` entries had no URL.

    ``failures`` are results whose own page could not be had, each with its address.
    """

    candidates: tuple[Candidate, ...]
    next: str | None = None
    unusable: int = 0
    failures: tuple[tuple[str, CollectError], ...] = ()


class Search(Protocol):
    """A source that answers a person's keyword with pages of candidates."""

    @property
    def name(self) -> str:
        """By which kept pages are found again."""
        ...

    def page(self, person: Person, cursor: str | None, wanted: int) -> Results:
        """The page at ``cursor`` (None = the first); raises `CollectError`.

        A page that grows as long as one looks ends when it has about ``wanted`` candidates.
        """
        ...

    def scope(self, wanted: int) -> str:
        """What besides person and cursor decides the answer, so that a kept one may be used again."""
        ...


def gather(
    collection: Collection,
    search: Search,
    guest: Guest,
    *,
    per_subject: int = 100,
    workers: int = 10,
    width: Width | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Gathered]:
    """Every outcome as it comes, in no fixed order, until each person has ``per_subject`` or no more exist.

    Up to ``workers`` people are worked on at once, their units of work (one search page, one picture)
    within ``width``. Pages found and pictures settled by an earlier run are not asked for again. Closing
    the iterator, or setting ``stop``, ends the run after the units under way.
    """
    width = width or Width(workers)
    stop = stop or threading.Event()
    job = _Job(collection, search, guest, per_subject, width, stop)
    with Threads(workers) as engine:
        yield from engine.stream(job.run, collection.people.values(), stop=stop)


def stoppable(stop: threading.Event) -> Callable[[float], None]:
    """A sleep for `Guest` that ends, and with it the waiting request, when the run is stopped."""

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Unreachable("the run was stopped")

    return sleep


def short(collection: Collection, per_subject: int) -> Sequence[tuple[str, int]]:
    """The subjects with fewer pictures than asked for, and how many they have."""
    have = [(subject, collection.kept(subject)) for subject in collection.people]
    return [(subject, count) for subject, count in have if count < per_subject]


def _web(page: str | None) -> str | None:
    """An address that a report may link to; a site may send anything in its place."""
    if page is None:
        return None
    try:
        return parse(page).url
    except ForbiddenUrl:
        return None


@dataclass(frozen=True, slots=True)
class _Job:
    collection: Collection
    search: Search
    guest: Guest
    per_subject: int
    width: Width
    stop: threading.Event

    def run(self, person: Person) -> Iterator[Gathered]:
        cursor: str | None = None
        seen: set[str | None] = set()
        failures = 0
        for _ in range(_MAX_PAGES):
            if self._enough(person) or cursor in seen:
                return
            seen.add(cursor)
            try:
                results = self._results(person, cursor)
            except CollectError as error:
                if not self.stop.is_set():
                    yield self._search_failed(person, error)
                return
            if cursor is None and results == Results(()):
                nothing = SearchFailed(f"{self.search.name}: no result for {person.keyword!r}")
                yield self._search_failed(person, nothing)
            for address, problem in results.failures:
                yield self.collection.refuse(person, address, problem)
            for candidate in results.candidates:
                if self._enough(person):
                    return
                if self.collection.settled(person.subject, candidate.url):
                    continue
                gathered = self._picture(person, candidate)
                if gathered is None:
                    return
                yield gathered
                later = isinstance(gathered.error, CollectError) and passing(gathered.error)
                failures = failures + 1 if later else 0
                if failures == _GIVE_UP_AFTER:
                    self.collection.count(LEFT_FOR_LATER)
                    return
            cursor = results.next
            if cursor is None:
                return

    def _enough(self, person: Person) -> bool:
        return self.stop.is_set() or self.collection.kept(person.subject) >= self.per_subject

    def _results(self, person: Person, cursor: str | None) -> Results:
        # Some candidates will be refused: look for half as many again.
        wanted = self.per_subject + self.per_subject // 2
        key = (self.search.name, person.keyword, cursor or "", self.search.scope(wanted))
        known = self.collection.noted(*key)
        if known is not None:
            return Results(tuple(Candidate(**c) for c in known["candidates"]), known["next"])
        with self.width.unit():
            results = self.search.page(person, cursor, wanted)
        if results.unusable:
            self.collection.count("unusable search result", results.unusable)
        found = [asdict(candidate) for candidate in results.candidates]
        if not any(passing(error) for _, error in results.failures):
            self.collection.note(*key, value={"candidates": found, "next": results.next})
        return results

    def _search_failed(self, person: Person, error: CollectError) -> Gathered:
        """Recorded but not settled: the next run searches again."""
        return self.collection.search_failed(person, self.search.name, error)

    def _picture(self, person: Person, candidate: Candidate) -> Gathered | None:
        """What became of the picture, None when the run was stopped in the middle of it."""
        copied = self.collection.copy_of(candidate.url, person)
        if copied is not None:
            return copied
        try:
            with self.width.unit():
                answer = self.guest.get(candidate.url, accept="image/*")
        except CollectError as error:
            if self.stop.is_set():
                return None
            return self.collection.refuse(person, candidate.url, error)
        if not answer.body:
            return self.collection.refuse(person, candidate.url, BadAnswer(f"{answer.url}: empty"))
        return self.collection.keep(
            person,
            candidate.url,
            answer.body,
            Provenance(
                url=answer.url,
                page=_web(candidate.page),
                licence=candidate.licence,
                author=candidate.author,
                fetched_at=timestamp(),
            ),
        )
