"""Searching a web page with a real headless Chromium, through Selenium, as its description says.

Each page of a search gets a browser of its own: a fresh profile, closed afterwards, so that memory is
given back and no search knows of another. The browser reaches the network only through a `gate`; it
gathers addresses, and the pictures themselves are fetched by `Guest`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag

from lineament.datasets.collect.addresses import Resolve, parse, system_resolve
from lineament.datasets.collect.gate import Gate, open_gate
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.politeness import Guest
from lineament.datasets.collect.run import Candidate, Results
from lineament.datasets.collect.search_pages import SearchPage
from lineament.datasets.collect.traffic import Asked
from lineament.errors import (
    CollectError,
    HttpError,
    MissingExtra,
    SearchFailed,
    ServerBusy,
    UsageError,
)

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAX_URL, _MAX_TEXT, _MAX_RESULTS = 8_192, 500, 5_000

# Started in the driver's place: it ends the driver, and the browser with it, when our end of its standard
# input closes, which is what happens to it when this process is killed.
_LEASH = """
import os, signal, subprocess, sys
driver = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
sys.stdin.buffer.read()
try:
    os.killpg(driver.pid, signal.SIGKILL)
except (OSError, AttributeError):
    driver.kill()
driver.wait()
"""

_READ = """
const [page, whole] = arguments;
const pick = (root, css) => css ? root.querySelector(css) : root;
const text = (root, css) => {
  const element = css && root.querySelector(css);
  return element ? element.textContent.trim() : null;
};
const address = (element, name) => {
  if (!element) return null;
  const value = element.getAttribute(name);
  if (!value) return null;
  try { return new URL(value, document.baseURI).href; } catch { return null; }
};
const roots = whole ? [document] : [...document.querySelectorAll(page.result)].slice(0, page.most);
return roots.map(root => ({
  url: whole && !page.full_size ? null : address(pick(root, page.full_size), page.full_size_attribute),
  link: whole ? null : address(pick(root, page.link), 'href'),
  licence: text(root, page.licence),
  author: text(root, page.author),
}));
"""


@dataclass(frozen=True, slots=True)
class Chromium:
    """How the browser is started. ``program`` and ``driver`` are found on the path when left empty.

    ``sandbox`` off lets a page that breaks out of the renderer act as this user; Chromium cannot do
    without being told so as root.
    """

    program: str = ""
    driver: str = ""
    sandbox: bool = True
    page_seconds: float = 30.0
    search_seconds: float = 300.0
    max_bytes: int = 512 * 2**20


@dataclass(slots=True)
class BrowserSearch:
    """Searches the page described, one browser a call; safe to share between threads.

    ``refused`` counts what pages asked their browser for and the gate did not let through, ``own`` what the
    browser asked for of itself, which the gate did not let through either.
    """

    description: SearchPage
    guest: Guest
    chromium: Chromium = field(default_factory=Chromium)
    resolve: Resolve = system_resolve
    refused: Counter[str] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """The description's."""
        return f"browser:{self.description.name}"

    def scope(self, wanted: int) -> str:
        """A page that scrolls ends where enough was found."""
        return str(wanted) if self.description.paging == "scroll" else ""

    def page(self, person: Person, cursor: str | None, wanted: int) -> Results:
        """The candidates of one search page; the cursor is the address of a later one."""
        require_browser(self.chromium)
        address = cursor or self.description.address(person.keyword)
        with self._browsing(address) as visit:
            visit.open(address)
            found = visit.results(wanted)
            if not found and cursor is None:
                raise SearchFailed(
                    f"{address}: nothing there fits {self.description.result!r}; no such pictures, or the "
                    f"description of {self.description.name} does not fit the page"
                )
            following = visit.next_page()
            return visit.candidates(found, following)

    @contextmanager
    def _browsing(self, address: str) -> Iterator[_Visit]:
        from selenium.common.exceptions import TimeoutException, WebDriverException

        policy = self.guest.fetcher.policy
        asked = Asked()
        with open_gate(
            self.description.permits,
            resolve=self.resolve,
            allow_private=policy.allow_private,
            max_bytes=self.chromium.max_bytes,
            sites=policy.sites,
            own_sites=policy.own_sites,
        ) as gate:
            try:
                with _started(
                    self.chromium, gate, self.description, self.guest.fetcher.user_agent
                ) as driver:
                    try:
                        yield _Visit(driver, self.description, self.guest, self.chromium)
                    finally:
                        with contextlib.suppress(WebDriverException):
                            asked.hear(driver.get_log("performance"))  # type: ignore[no-untyped-call]
                self.guest.heard(True)
            except TimeoutException as error:
                self.guest.heard(False)
                raise SearchFailed(f"{address}: not there in time: {_short(error)}") from None
            except WebDriverException as error:
                self.guest.heard(False)
                raise SearchFailed(f"{address}: the browser failed: {_short(error)}") from None
            finally:
                for (reason, host), count in gate.refused.items():
                    counter = self.own if asked.is_own(host) else self.refused
                    counter[f"{reason}: {host}"] += count


@dataclass(slots=True)
class _Visit:
    """One browser at work."""

    driver: Chrome
    page: SearchPage
    guest: Guest
    chromium: Chromium
    clock: Callable[[], float] = time.monotonic
    _end: float = 0.0

    def __post_init__(self) -> None:
        self._end = self.clock() + self.chromium.search_seconds

    def open(self, url: str) -> None:
        """Go to a page, as politely as to a picture."""
        target = parse(url)
        self.guest.require_allowed(target)
        self.guest.take_turn(target)
        self.driver.get(target.url)
        landed = self.driver.current_url
        if not landed.startswith(("http://", "https://")):
            raise SearchFailed(f"{target.url} did not open")
        if urldefrag(landed).url != target.url:
            self.guest.require_allowed(parse(landed))
        status = self._script(
            "const n = performance.getEntriesByType('navigation')[0]; return n ? n.responseStatus : 0;"
        )
        if status in (429, 503):
            self.guest.leave_alone(target.host, self.guest.manners.max_wait_seconds)
            raise ServerBusy(f"{target.url}: status {status}")
        if isinstance(status, int) and status >= 400:
            raise HttpError(f"{target.url}: status {status}", status)

    def results(self, wanted: int) -> list[dict[str, Any]]:
        """What the page holds, after scrolling for as long as that brings more."""
        if self.page.wait_for:
            self._wait(lambda: self._count(self.page.wait_for) > 0, self.chromium.page_seconds)
        count = self._count(self.page.result)
        for _ in range(self.page.max_scrolls if self.page.paging == "scroll" else 0):
            if count >= wanted or self.clock() > self._end:
                break
            self._script("window.scrollTo(0, document.documentElement.scrollHeight);")
            more = self._wait_for_more(count)
            if more == count:
                break
            count = more
        return self._read(whole=False)

    def next_page(self) -> str | None:
        """The address behind the link to the next page."""
        if self.page.paging != "next":
            return None
        link = self._script(
            "const e = document.querySelector(arguments[0]); return e ? e.href : null;", self.page.next
        )
        return link if isinstance(link, str) and len(link) <= _MAX_URL else None

    def candidates(self, found: list[dict[str, Any]], following: str | None) -> Results:
        """Results turned into candidates, opening each one's own page where the description says so."""
        here = self.driver.current_url
        candidates: list[Candidate] = []
        unusable = 0
        failures: list[tuple[str, CollectError]] = []
        for entry in found:
            page = _text(entry.get("link"), _MAX_URL)
            if self.page.open_result:
                if page is None or self.clock() > self._end:
                    unusable += 1
                    continue
                try:
                    self.open(page)
                except CollectError as error:
                    failures.append((page, error))
                    continue
                about = (self._read(whole=True) or [{}])[0]
            else:
                about = entry
            url = _text(about.get("url"), _MAX_URL)
            if url is None:
                unusable += 1
                continue
            licence = _text(about.get("licence"), _MAX_TEXT) or self.page.licence_text or None
            author = _text(about.get("author"), _MAX_TEXT)
            candidates.append(Candidate(url, page or here, licence, author))
        return Results(tuple(candidates), following, unusable, tuple(failures))

    def _read(self, *, whole: bool) -> list[dict[str, Any]]:
        names = ("result", "full_size", "full_size_attribute", "link", "licence", "author")
        page = {name: getattr(self.page, name) for name in names}
        found = self._script(_READ, {**page, "most": _MAX_RESULTS}, whole)
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    def _count(self, selector: str) -> int:
        count = self._script("return document.querySelectorAll(arguments[0]).length;", selector)
        return count if isinstance(count, int) else 0

    def _wait_for_more(self, had: int) -> int:
        self._wait(lambda: self._count(self.page.result) > had, self.page.settle_seconds)
        return self._count(self.page.result)

    def _wait(self, there: Callable[[], bool], seconds: float) -> None:
        """Until it is there or the time is over; what reads the page afterwards sees which."""
        end = min(self.clock() + seconds, self._end)
        while not there() and self.clock() < end:
            time.sleep(0.05)

    def _script(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)


@contextmanager
def _started(chromium: Chromium, gate: Gate, page: SearchPage, user_agent: str) -> Iterator[Chrome]:
    """A browser and its driver, both gone afterwards whatever happens."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    class Leashed(ChromeService):
        def command_line_args(self) -> list[str]:
            return ["-c", _LEASH, driver_path, *super().command_line_args()]

    program, driver_path = require_browser(chromium)
    options = ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        f"--proxy-server=http://127.0.0.1:{gate.port}",
        "--proxy-bypass-list=<-loopback>",  # by default a browser asks this machine without its proxy
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-domain-reliability",
        "--disable-extensions",
        "--disable-sync",
        "--disable-breakpad",
        "--no-first-run",
        "--no-pings",
        "--deny-permission-prompts",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--mute-audio",
        "--window-size=1280,2000",
        "--remote-debugging-pipe",  # the browser ends when its driver is gone
        f"--user-agent={user_agent}",
        *([] if page.load_pictures else ["--blink-settings=imagesEnabled=false"]),
        *([] if chromium.sandbox else ["--no-sandbox"]),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    options.add_experimental_option("prefs", {"download_restrictions": 3})
    # Selenium's own manager would look for drivers on the network and count its users; given both
    # programs it is never asked.
    environment = {**os.environ, "SE_AVOID_STATS": "true", "SE_OFFLINE": "true"}
    service = Leashed(executable_path=sys.executable, env=environment)
    driver = Chrome(options=options, service=service)
    try:
        driver.set_page_load_timeout(chromium.page_seconds)
        driver.set_script_timeout(chromium.page_seconds)
        yield driver
    finally:
        driver.quit()


def require_browser(chromium: Chromium) -> tuple[str, str]:
    """Paths of the browser and its driver; raises `UsageError` that says what to install."""
    if importlib.util.find_spec("selenium") is None:
        raise MissingExtra("collecting with a browser", "collect")
    program = chromium.program or next((p for name in _BROWSERS if (p := shutil.which(name))), None)
    driver = chromium.driver or shutil.which("chromedriver")
    if not program or not driver:
        missing = " and ".join(
            name for name, path in (("Chromium", program), ("chromedriver", driver)) if not path
        )
        raise UsageError(
            f"{missing} not found; on Debian: apt-get install chromium chromium-driver. Nothing is "
            "downloaded for you"
        )
    if chromium.sandbox and getattr(os, "geteuid", lambda: 1)() == 0:
        raise UsageError(
            "Chromium's sandbox does not work as root: run as another user, or give --no-sandbox if "
            "this account may be put at the mercy of the pages searched"
        )
    return program, driver


def _text(value: Any, most: int) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return None
    if most == _MAX_URL:
        return value if len(value) <= most else None
    return " ".join(value.split())[:most]


def _short(error: Exception) -> str:
    lines = str(getattr(error, "msg", None) or error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
