"""With the real Chromium; skipped, with the reason printed, where it or Selenium is not installed."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from collect_site import Site, answer, guest, jpeg

from lineament.datasets.collect.browser import BrowserSearch, Chromium, require_browser
from lineament.datasets.collect.collection import Collection
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.run import gather
from lineament.datasets.collect.search_pages import SearchPage, open_page, shipped
from lineament.datasets.opening import open_dataset
from lineament.errors import ConfigError, ForbiddenByRobots, HttpError, SearchFailed, UsageError

ADA = Person("Ada Lovelace", "Ada & <Lovelace>")
MISSING = [
    name
    for name, there in (
        ("chromium", any(shutil.which(n) for n in ("chromium", "chromium-browser", "google-chrome"))),
        ("chromedriver", shutil.which("chromedriver")),
        ("selenium (pip install 'lineament[collect]')", importlib.util.find_spec("selenium")),
    )
    if not there
]
needs_browser = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
CHROMIUM = Chromium(sandbox=os.name != "posix" or os.geteuid() != 0)

GROWING = """<!doctype html><title>search</title><style>div {{ height: 900px }}</style><main></main><script>
let n = 0;
function more() {{
  const main = document.querySelector('main');
  for (let i = 0; i < 4 && n < {count}; i++, n++) main.insertAdjacentHTML('beforeend',
    `<div class=hit><a href="/photo/${{n}}"><img data-full="/full/${{n}}.jpg" src="/thumb/${{n}}.jpg"></a>
     <i class=by> Photographer
       ${{n}}</i><b class=terms>CC BY 4.0</b></div>`);
}}
more();
addEventListener('scroll', () => setTimeout(more, 30));
</script>"""


def described(site: Site, **more: object) -> SearchPage:
    values: dict[str, object] = {
        "name": "local",
        "url": f"{site.url}/search?q={{query}}",
        "result": ".hit",
        "full_size": "img",
        "full_size_attribute": "data-full",
        "link": "a",
        "licence": ".terms",
        "author": ".by",
        "settle_seconds": 1.0,
        **more,
    }
    return SearchPage(**values)  # type: ignore[arg-type]


def searching(site: Site, **more: object) -> BrowserSearch:
    return BrowserSearch(described(site, **more), guest()[0], CHROMIUM)


@needs_browser
def test_a_page_that_grows_is_scrolled_until_enough_is_found(site: Site, tmp_path: Path) -> None:
    """Pictures with page, author and licence arrive; thumbnails are not loaded; words are sent exactly."""
    asked: list[str] = []

    def search(request: BaseHTTPRequestHandler) -> None:
        asked.append(parse_qs(urlsplit(request.path).query)["q"][0])
        answer(200, GROWING.format(count=30).encode(), Content_Type="text/html")(request)

    site.pages["/search"] = search
    site.pages.update({f"/full/{i}.jpg": jpeg(i) for i in range(30)})
    source = searching(site, paging="scroll")
    with Collection(tmp_path, [ADA], purpose="testing", source="browser") as collection:
        outcomes = Counter(
            g.outcome for g in gather(collection, source, source.guest, per_subject=6, workers=2)
        )
    assert outcomes == {"kept": 6}
    assert asked == [ADA.keyword]
    row = next(r for r in open_dataset(tmp_path) if r.provenance.url == f"{site.url}/full/5.jpg")
    assert row.provenance.page == f"{site.url}/photo/5"
    assert (row.provenance.author, row.provenance.licence) == ("Photographer 5", "CC BY 4.0")
    assert not any(path.startswith("/thumb/") for path in site.asked)
    assert all(h["User-Agent"] == "lineament-test" for h in site.headers)


@needs_browser
def test_next_links_and_result_pages_are_followed(site: Site) -> None:
    """Each result's own page is opened where the description says so; the cursor is the next address."""
    first = b"""<a class=hit href=/photo/1>1</a><a class=hit href=/photo/gone>2</a>
      <a id=next href='/search?p=2'>next</a>"""
    photo = b"<img id=big src=/full/1.jpg><p class=terms>CC0</p>"
    site.pages["/search"] = lambda request: answer(
        200,
        b"<a class=hit href=/photo/1>1</a>" if "p=2" in request.path else first,
        Content_Type="text/html",
    )(request)
    site.pages["/photo/1"] = photo
    source = searching(
        site,
        open_result=True,
        full_size="#big",
        full_size_attribute="src",
        link="",
        paging="next",
        next="#next",
    )
    results = source.page(ADA, None, 10)
    assert [(c.url, c.page, c.licence) for c in results.candidates] == [
        (f"{site.url}/full/1.jpg", f"{site.url}/photo/1", "CC0")
    ]
    assert [(url, type(error)) for url, error in results.failures] == [
        (f"{site.url}/photo/gone", HttpError)
    ]
    assert results.next == f"{site.url}/search?p=2"
    assert source.page(ADA, results.next, 10).next is None


@needs_browser
def test_a_page_cannot_make_its_browser_ask_inside(site: Site) -> None:
    """Scripts, frames and pictures of a hostile page reach no private address: the gate refuses each."""
    page = """<a class=hit href=x><img data-full=/1.jpg></a>
      <img src='http://169.254.169.254/latest/'><iframe src='http://[::1]:8080/'></iframe>
      <iframe src='http://inside.test/'></iframe><script src='http://0x7f000002/'></script>
      <img src='http://tracker.test/'><script>
      const done = () => document.body.insertAdjacentHTML('beforeend', '<p id=done>');
      const loaded = new Promise(yes => addEventListener('load', yes));
      fetch('http://10.0.0.1/').catch(() => 0).then(() => loaded).then(done);
      </script>"""
    site.pages["/search"] = page.encode()
    resolved: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        resolved.append(host)
        return {"inside.test": ["192.168.7.7"]}.get(host, [host])

    class Permissive(SearchPage):
        def permits(self, host: str) -> bool:
            return host != "tracker.test" and "google" not in host

    fields = dataclasses.asdict(described(site, wait_for="#done", load_pictures=True))
    source = BrowserSearch(Permissive(**fields), guest()[0], CHROMIUM, resolve)
    results = source.page(ADA, None, 1)
    assert [c.url for c in results.candidates] == [f"{site.url}/1.jpg"]
    inside = {"169.254.169.254", "::1", "inside.test", "127.0.0.2", "10.0.0.1"}
    assert set(resolved) == {"127.0.0.1", *inside}
    assert {f"ForbiddenUrl: {host}" for host in inside} <= set(source.refused)
    assert source.refused["host not listed: tracker.test"]


@needs_browser
def test_a_browser_asks_nobody_but_the_hosts_of_the_description(site: Site) -> None:
    """Neither trackers nor the browser's maker: what the description does not list is not even resolved."""
    site.pages["/search"] = (
        b"<a class=hit href=x><img data-full=/1.jpg></a><img src='http://tracker.test/'>"
    )
    resolved: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        resolved.append(host)
        return [host]

    BrowserSearch(described(site, load_pictures=True), guest()[0], CHROMIUM, resolve).page(ADA, None, 1)
    assert set(resolved) == {"127.0.0.1"}


@needs_browser
def test_what_a_search_page_may_do_wrong_is_named(site: Site) -> None:
    """robots.txt, error statuses and a page that never answers."""
    site.pages["/search"] = answer(500)
    with pytest.raises(HttpError):
        searching(site).page(ADA, None, 1)
    release = threading.Event()
    site.pages["/search"] = lambda _request: release.wait(20) and None
    slow = BrowserSearch(described(site), guest()[0], Chromium(sandbox=CHROMIUM.sandbox, page_seconds=0.5))
    with pytest.raises(SearchFailed, match="in time"):
        slow.page(ADA, None, 1)
    release.set()
    site.pages["/robots.txt"] = b"User-agent: *\nDisallow: /search"
    site.asked.clear()
    with pytest.raises(ForbiddenByRobots):
        searching(site).page(ADA, None, 1)
    assert site.asked == {"/robots.txt": 1}


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@needs_browser
@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="watches processes through /proc, which is not here"
)
def test_no_browser_outlives_a_killed_collect(site: Site, release: threading.Event) -> None:
    """kill -9 of the process that collects also ends its driver and its browser."""
    held = threading.Event()

    def hold(request: BaseHTTPRequestHandler) -> None:
        held.set()
        release.wait(30)

    site.pages["/search"] = hold
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_collect_browser import *\n"
        "site = Site(); site.port = int(sys.argv[2]); searching(site).page(ADA, None, 1)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(Path(__file__).parent), str(site.port)]
    ) as process:
        assert held.wait(60)
        family = descendants(process.pid)
        assert any(b"chrom" in command for command in family.values())
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = threading.Event()
    for _ in range(200):
        left = {pid for pid, command in family.items() if command_of(pid) == command}
        if not left:
            break
        deadline.wait(0.05)
    assert not left


def command_of(pid: int) -> bytes:
    """The command line of a process, empty when it is gone or only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def descendants(pid: int) -> dict[int, bytes]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    found, waiting = {}, [pid]
    while waiting:
        parent = waiting.pop()
        for child in (c for c, p in parents.items() if p == parent):
            found[child] = command_of(child)
            waiting.append(child)
    return {child: command for child, command in found.items() if command}


def test_the_descriptions_that_come_along_are_well_formed() -> None:
    """Every shipped TOML is read, and says that nobody has verified it."""
    assert shipped() == ["commons", "commons-category", "openverse"]
    for name in shipped():
        page = open_page(name)
        assert page.name == name
        assert page.address("Ada & <x>/..").endswith(("Ada%20%26%20%3Cx%3E%2F..",))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://example.org/"},
        {"url": "file:///{query}"},
        {"url": "http://127.1/{query}"},
        {"result": ""},
        {"paging": "next"},
        {"hosts": ("*",)},
    ],
)
def test_a_description_that_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    """No place for the words, no http, no selector: ConfigError before any browser starts."""
    with pytest.raises(ConfigError):
        SearchPage(**{"name": "x", "url": "https://example.org/?q={query}", "result": "a", **wrong})  # type: ignore[arg-type]


def test_unknown_names_and_keys_are_told(tmp_path: Path) -> None:
    """A typing error names the nearest description or setting."""
    with pytest.raises(ConfigError, match="openverse"):
        open_page("openvers")
    file = tmp_path / "mine.toml"
    file.write_text("name='x'\nurl='https://example.org/{query}'\nresults='a'\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="result"):
        open_page(str(file))


def test_a_missing_browser_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded on the user's behalf; as root the sandbox must be given up knowingly."""
    pytest.importorskip("selenium", reason="not installed: selenium (pip install 'lineament[collect]')")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="apt-get install"):
        require_browser(Chromium())
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    with pytest.raises(UsageError, match="--no-sandbox"):
        require_browser(Chromium(program="x", driver="y"))
