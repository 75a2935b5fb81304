"""Sites of one's own: named exactly, or not asked; and whose a browser's refused requests were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from collect_site import Site, answer, jpeg, redirect
from test_collect_browser import CHROMIUM, described, needs_browser, searching
from test_collect_command import names, run  # noqa: F401

from lineament.datasets.collect.addresses import own_sites, parse, pinned
from lineament.datasets.collect.fetching import Fetcher, Policy
from lineament.datasets.collect.traffic import Asked
from lineament.datasets.opening import open_dataset
from lineament.errors import ForbiddenUrl, UsageError


@pytest.mark.parametrize(
    ("entry", "sites"),
    [
        ("localhost:8000", {("localhost", 8000)}),
        ("nas.local", {("nas.local", 80), ("nas.local", 443)}),
        ("192.168.1.5", {("192.168.1.5", 80), ("192.168.1.5", 443)}),
        ("10.0.0.7:5000", {("10.0.0.7", 5000)}),
        ("NAS.Local:80", {("nas.local", 80)}),
        ("[::1]:8080", {("::1", 8080)}),
        ("fd12::5", {("fd12::5", 80), ("fd12::5", 443)}),
    ],
)
def test_an_entry_names_one_host_and_its_ports(entry: str, sites: set[tuple[str, int]]) -> None:
    """Without a port the usual two; nothing else is opened by it."""
    assert own_sites([entry]) == sites


@pytest.mark.parametrize(
    "entry",
    [
        *("*", "*.local", "192.168.0.0/16", "http://nas.local", "nas.local/photos", "a@nas.local", ""),
        *("169.254.169.254", "[fe80::1]:80", "0.0.0.0", "224.0.0.1", "100.100.100.200", "fd00:ec2::254"),
        *("0x7f000001", "2130706433", "nas.local:0", "nas.local:http", "nas local"),
    ],
)
def test_patterns_ranges_and_addresses_of_no_site_are_refused(entry: str) -> None:
    """No wildcard, network or URL; link-local addresses and those where clouds hand out keys neither."""
    with pytest.raises(UsageError):
        own_sites([entry])


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://nas.local:8000/", "169.254.169.254"),
        ("http://nas.local:8000/", "fe80::1"),
        ("http://nas.local:8000/", "::ffff:10.0.0.1"),
        ("http://nas.local:8001/", "10.0.0.1"),
        ("http://nas.local/", "10.0.0.1"),
        ("http://other.local:8000/", "10.0.0.1"),
        ("http://10.0.0.1:8000/", "10.0.0.1"),
        ("http://x.nas.local:8000/", "10.0.0.1"),
    ],
)
def test_only_the_named_site_may_lead_inside(url: str, address: str) -> None:
    """Another port, host, or name for its address gains nothing, nor does it lead to link-local ones."""
    own = own_sites(["nas.local:8000"])
    assert pinned(parse("http://nas.local:8000/x"), lambda _h, _p: ["10.0.0.1"], own=own) == "10.0.0.1"
    with pytest.raises(ForbiddenUrl):
        pinned(parse(url), lambda _h, _p: [address], own=own)


def test_a_redirect_leads_from_nowhere_into_a_site_of_ones_own(site: Site) -> None:
    """Nor from there to another private site; within the site it is followed."""
    own = frozenset({("127.0.0.1", site.port)})
    site.pages |= {"/a": redirect("/b"), "/b": b"<p>", "/out": redirect("http://127.0.0.2:81/")}
    assert Fetcher(Policy(own_sites=own)).get(f"{site.url}/a").body == b"<p>"
    with pytest.raises(ForbiddenUrl):
        Fetcher(Policy(own_sites=own)).get(f"{site.url}/out")
    stranger = Policy(own_sites=frozenset({("localhost", site.port)}), allow_private=("127.0.0.1",))
    site.pages["/in"] = redirect(f"http://localhost:{site.port}/b")
    with pytest.raises(ForbiddenUrl, match="a site of your own"):
        Fetcher(stranger).get(f"{site.url}/in")


def page_file(site: Site, path: Path) -> Path:
    path.write_text(
        f"name='own'\nurl='{site.url}/search?q={{query}}'\nresult='.hit'\nfull_size='img'\n"
        "full_size_attribute='data-full'\n",
        encoding="utf-8",
    )
    return path


@needs_browser
def test_a_site_of_ones_own_is_collected_from(names: Path, tmp_path: Path, site: Site) -> None:  # noqa: F811
    """With its name pictures come; failures are shown with address and reason, and stand in thejournal.
    Another name opens nothing."""
    hits = "".join(f"<a class=hit><img data-full=/full/{i}.jpg></a>" for i in range(5))
    site.pages["/search"] = hits.encode()
    site.pages |= {f"/full/{i}.jpg": jpeg(i) for i in range(3)} | {"/full/3.jpg": answer(404)}
    names.write_text("George_W_Bush\n", encoding="utf-8")
    page = page_file(site, tmp_path / "own.toml")
    sandbox = () if CHROMIUM.sandbox else ("--no-sandbox",)
    common = ("--purpose", "x", "--source", "browser", "--page", page, *sandbox, "--host-seconds", 0.1)
    elsewhere = run(names, "--out", tmp_path / "no", *common, "--allow-private", "127.0.0.2")
    assert "search page of your own" in str(elsewhere.exception) and not site.asked
    done = run(names, "--out", tmp_path / "out", *common, "--allow-private", f"127.0.0.1:{site.port}")
    assert done.exit_code == 0, done.output
    assert "'George_W_Bush' is searched for as 'George W Bush'" in done.output
    assert any(path.endswith("q=George%20W%20Bush") for path in site.asked)
    assert f"{site.url}/full/3.jpg: HttpError: " in done.output and "status 404" in done.output
    assert "google" not in done.output
    rows = list(open_dataset(tmp_path / "out"))
    assert {row.subject for row in rows} == {"George_W_Bush"} and len(rows) == 3
    assert all(row.path.startswith("George_W_Bush-") for row in rows)
    journal = (tmp_path / "out" / "collect.journal").read_text(encoding="utf-8")
    assert journal.count("HttpError") == 2 and "traffic" in journal


@needs_browser
def test_what_a_browser_asks_of_itself_is_not_a_refusal(site: Site) -> None:
    """Its maker's services and the icon of the tab are counted apart; what pages ask for is counted, their
    maker's scripts, frames and workers too."""
    site.pages[
        "/search"
    ] = b"""<link rel=icon href=http://icons.test/i.ico><a class=hit><img data-full=/1></a>
      <script src=https://www.google-analytics.com/x.js></script><img src=http://fonts.gstatic.com/x.png>
      <iframe src=/frame></iframe><script>new Worker('/w.js')</script><p id=done>"""
    site.pages["/frame"] = b"<img src=http://inframe.test/>"
    site.pages["/w.js"] = answer(200, b"fetch('http://inworker.test/')", Content_Type="text/javascript")
    source = searching(site, load_pictures=True, wait_for="#done", paging="scroll")
    from test_collect_browser import ADA

    source.page(ADA, None, 100)
    hosts = {reason.split(": ", 1)[1] for reason in source.refused}
    assert {"www.google-analytics.com", "fonts.gstatic.com", "inframe.test"} <= hosts
    assert not {"icons.test", "update.googleapis.com", "clients2.google.com", "accounts.google.com"} & hosts
    assert described(site).name == "local"


def test_only_what_no_page_asked_for_is_the_browsers_own() -> None:
    """A host of the maker that a page asked for is the page's; its others, and icons, are the browser's."""

    def event(url: str, kind: str, initiator: str) -> dict[str, str]:
        told = {"request": {"url": url}, "type": kind, "initiator": {"type": initiator}}
        return {"message": json.dumps({"message": {"method": "Network.requestWillBeSent", "params": told}})}

    asked = Asked()
    asked.hear(
        [
            event("https://fonts.googleapis.com/css", "Stylesheet", "parser"),
            event("https://cdn.test/favicon.ico", "Other", "other"),
            event("https://both.test/favicon.ico", "Other", "other"),
            event("https://both.test/x.js", "Script", "parser"),
            {"message": "{}"}, {"message": "no json"}, {},
        ]
    )  # fmt: skip
    own = ("update.googleapis.com", "safebrowsing.googleapis.com", "cdn.test", "accounts.google.com")
    theirs = ("fonts.googleapis.com", "both.test", "tracker.test", "google.com.evil.test", "notgoogle.com")
    assert all(map(asked.is_own, own)) and not any(map(asked.is_own, theirs))


def test_nothing_gathered_ends_with_1(names: Path, tmp_path: Path) -> None:  # noqa: F811
    """No photo of anybody; a run in which all succeeded or nothing was left to do ends with 0."""
    (tmp_path / "photos" / "Somebody Else").mkdir(parents=True)
    (tmp_path / "photos" / "Somebody Else" / "1.jpg").write_bytes(jpeg(1))
    common = (names, "--out", tmp_path / "out", "--purpose", "x", "--source", "folder", "--from")
    assert run(*common, tmp_path / "photos").exit_code == 1
    (tmp_path / "photos" / "grace").mkdir()
    (tmp_path / "photos" / "grace" / "1.jpg").write_bytes(jpeg(1))
    assert run(*common, tmp_path / "photos").exit_code == 0
    assert run(*common, tmp_path / "photos").exit_code == 0
    (tmp_path / "photos" / "grace" / "2.jpg").write_bytes(b"no picture")
    failed = run(*common, tmp_path / "photos")
    assert failed.exit_code == 1 and "2.jpg: UnsupportedFormat: " in failed.output


@pytest.mark.parametrize(
    "options",
    [
        ("--source", "api", "--allow-private", "localhost"),
        ("--source", "folder", "--negatives", "3"),
        ("--source", "video", "--poses", "left"),
        ("--source", "browser", "--record", "hold"),
        ("--source", "camera", "--poses", "sideways"),
        ("--source", "camera", "--per-subject", "0"),
        ("--source", "browser", "--allow-private", "*.local"),
    ],
)
def test_options_a_source_would_ignore_are_refused(
    names: Path,  # noqa: F811
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    """Nothing that was asked for is passed over silently."""
    done = run(names, "--out", tmp_path / "out", "--purpose", "x", *options)
    assert isinstance(done.exception, UsageError), done.output
    assert not (tmp_path / "out").exists()
