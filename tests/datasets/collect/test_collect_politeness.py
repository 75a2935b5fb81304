from __future__ import annotations

from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest
from collect_site import ALLOWED, Site, answer, guest, redirect
from hypothesis import given
from hypothesis import strategies as st

from lineament.datasets.collect import robots
from lineament.datasets.collect.fetching import Fetcher
from lineament.datasets.collect.politeness import Manners, passing, retry_after
from lineament.datasets.collect.width import Width
from lineament.errors import (
    BadAnswer,
    ForbiddenByRobots,
    HttpError,
    ServerBusy,
    Unreachable,
)


def rules(text: str) -> robots.Robots:
    return robots.parse(text.encode(), "lineament")


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: other\nDisallow: /", "/a", True),
        ("User-agent: *\nDisallow: /\nUser-agent: Lineament/1.0\nDisallow: /x", "/a", True),
        ("User-agent: other\nUser-agent: lineament\nDisallow: /a", "/a/b", False),
        ("User-agent: *\nAllow: /w/load.php?\nDisallow: /w/", "/w/load.php?a", True),
        ("User-agent: *\nDisallow: /w/\nAllow: /w/load.php?", "/w/load.php?a", True),
        ("User-agent: *\nAllow: /\nDisallow: /w/", "/w/index.php", False),
        ("User-agent: *\nDisallow: /*?search=", "/index?search=x", False),
        ("User-agent: *\nDisallow: /*?search=", "/index", True),
        ("User-agent: *\nDisallow: /*.jpg$", "/a/b.jpg", False),
        ("User-agent: *\nDisallow: /*.jpg$", "/a/b.jpg?x", True),
        ("User-agent: *\nDisallow: /a$", "/a", False),
        ("User-agent: *\nDisallow: /a$", "/ab", True),
        ("User-agent: *\nDisallow: /%7Ejoe/", "/~joe/x", False),
        ("User-agent: *\nDisallow: /ä", "/%C3%A4", False),
        ("\ufeffUser-Agent : *\r\ndisallow : /a # comment\r\n", "/a", False),
        ("User-agent: *\nSitemap: x\nDisallow: /a", "/a", False),
    ],
)
def test_robots_rules_are_read_as_the_standard_says(text: str, path: str, allowed: bool) -> None:
    """RFC 9309: our own group before ``*``, the longest rule wins, ``*`` and ``$`` work."""
    assert rules(text).allows(path) is allowed


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_robots_file_can_be_read(body: bytes, path: str) -> None:
    """No content fails, and none allows less than nothing or more than all."""
    assert robots.parse(body, "lineament").allows("/" + path.encode("utf-8", "ignore").decode()) in (
        True,
        False,
    )


def test_what_robots_forbids_is_never_asked_for(site: Site) -> None:
    """robots.txt is read once, before anything else; a redirect into a forbidden part is refused too."""
    site.pages.update(
        {
            "/robots.txt": b"User-agent: *\nDisallow: /private/",
            "/private/a": b"no",
            "/a": b"yes",
            "/b": redirect("/private/a"),
        }
    )
    visitor, _ = guest()
    assert visitor.get(f"{site.url}/a").body == b"yes"
    for path in ("/private/a", "/b"):
        with pytest.raises(ForbiddenByRobots):
            visitor.get(site.url + path)
    assert site.asked == {"/robots.txt": 1, "/a": 1, "/b": 1}


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_site_that_cannot_tell_its_rules_is_left_alone(site: Site, status: int) -> None:
    """A server error on robots.txt forbids everything for this run, without asking again and again."""
    site.pages.update({"/robots.txt": answer(status), "/a": b"a"})
    visitor, _ = guest()
    for _ in range(3):
        with pytest.raises(ServerBusy):
            visitor.get(f"{site.url}/a")
    assert site.asked == {"/robots.txt": 3}


def test_a_robots_file_of_absurd_size_forbids_everything(site: Site) -> None:
    """What cannot be read whole cannot be honoured."""
    site.pages.update({"/robots.txt": b"#" * (robots.MAX_BYTES + 1), "/a": b"a"})
    with pytest.raises(ForbiddenByRobots):
        guest()[0].get(f"{site.url}/a")


def test_one_host_is_asked_once_an_interval(site: Site) -> None:
    """Every request but the first waits; a Crawl-delay longer than ours is honoured."""
    site.pages["/a"] = b"a"
    visitor, clock = guest(manners=Manners(host_seconds=2))
    for _ in range(3):
        visitor.get(f"{site.url}/a")
    assert clock.slept == [2, 2, 2]  # robots.txt was the first request
    site.pages["/robots.txt"] = b"User-agent: *\nCrawl-delay: 7"
    visitor, clock = guest(manners=Manners(host_seconds=2))
    for _ in range(3):
        visitor.get(f"{site.url}/a")
    assert clock.slept == [2, 7, 7]


def test_retry_after_is_waited_out(site: Site) -> None:
    """429 with a time: exactly that long, then the picture."""
    waits = iter([answer(429, Retry_After="17"), answer(200, b"a")])

    def in_turn(request: BaseHTTPRequestHandler) -> None:
        next(waits)(request)

    site.pages["/a"] = in_turn
    visitor, clock = guest(manners=Manners(host_seconds=0))
    assert visitor.get(f"{site.url}/a").body == b"a"
    assert sum(clock.slept) == pytest.approx(17)


def test_a_host_that_asks_for_an_hour_is_left_alone_for_it(site: Site) -> None:
    """Not waited for, and not asked again either, not even for another page."""
    site.pages.update({"/a": answer(429, Retry_After="3600"), "/b": b"b"})
    visitor, clock = guest()
    for path in ("/a", "/b", "/b"):
        with pytest.raises(ServerBusy):
            visitor.get(site.url + path)
    assert site.pictures_asked == {"/a": 1}
    clock.now += 3_601
    assert visitor.get(f"{site.url}/b").body == b"b"


def test_failures_that_may_pass_are_tried_three_times_with_growing_pauses(site: Site) -> None:
    """500, 503 and no connection are tried again; 404 is not."""
    site.pages.update({"/500": answer(500), "/503": answer(503)})
    for path, error, times in (("/500", HttpError, 3), ("/503", ServerBusy, 3), ("/404", HttpError, 1)):
        visitor, clock = guest(manners=Manners(host_seconds=0))
        with pytest.raises(error):
            visitor.get(site.url + path)
        assert site.asked[path] == times
        assert clock.slept == pytest.approx([1, 2] if times == 3 else [])
    resolved: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        resolved.append(host)
        raise OSError

    visitor, _ = guest(resolve=resolve)
    with pytest.raises(Unreachable):
        visitor.get("http://gone.test/", ask_robots=False)
    assert len(resolved) == 3


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("5", 5),
        (" 5 ", 5),
        ("-5", None),
        ("soon", None),
        ("Sun, 06 Nov 2022 08:49:37 GMT", 37),
        ("Sun, 06 Nov 2022 08:48:00 GMT", 0),
        ("Sun, 06 Nov 99999 08:48:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """Both forms of RFC 9110; nonsense counts as absent, the past as now."""
    assert retry_after(value, lambda: datetime(2022, 11, 6, 8, 49, 0, tzinfo=UTC)) == seconds


def test_only_passing_failures_are_worth_another_run() -> None:
    """What a server refuses for good is settled."""
    assert passing(HttpError("x", 500)) and passing(ServerBusy("x")) and passing(Unreachable("x"))
    assert (
        not passing(HttpError("x", 404))
        and not passing(BadAnswer("x"))
        and not passing(ForbiddenByRobots("x"))
    )


def test_the_interface_for_programs_is_not_asked_for_robots(site: Site) -> None:
    """ask_robots=False asks the page alone, at the host's rate all the same."""
    site.pages.update({"/robots.txt": b"User-agent: *\nDisallow: /", "/api": b"{}"})
    visitor, clock = guest()
    for _ in range(2):
        visitor.get(f"{site.url}/api", ask_robots=False)
    assert site.asked == {"/api": 2} and clock.slept == [1]
    assert isinstance(visitor.fetcher, Fetcher) and visitor.fetcher.policy == ALLOWED


def test_width_halves_when_the_network_suffers_and_grows_back_by_one() -> None:
    """More than 5 failures of 20 halve it, 20 good requests add one, never above what was asked for."""
    width = Width(10, available=lambda: 0.9)
    for _ in range(6):
        width.heard(False)
    assert width.now == 5
    for _ in range(20):
        width.heard(True)
    assert width.now == 6
    for _ in range(200):
        width.heard(True)
    assert width.now == 10
    for _ in range(100):
        width.heard(False)
    assert width.now == 1 and width.least_seen == 1


def test_width_halves_once_a_shortage_of_memory_and_does_not_grow_in_one() -> None:
    """Below 15 % it halves as a unit starts, again only after one has ended; below 25 % it stays."""
    share = [0.10]
    width = Width(8, available=lambda: share[0])
    with width.unit():
        assert width.now == 4
        with width.unit():
            assert width.now == 4
    with width.unit():
        assert width.now == 2
    share[0] = 0.20
    for _ in range(40):
        width.heard(True)
    assert width.now == 2
    share[0] = 0.30
    for _ in range(20):
        width.heard(True)
    assert width.now == 3
