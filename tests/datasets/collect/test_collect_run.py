from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

import numpy as np
import pytest
from collect_site import Site, answer, drip, guest, jpeg, redirect

from lineament.datasets.collect.api import Openverse
from lineament.datasets.collect.collection import JOURNAL_NAME, Collection
from lineament.datasets.collect.fetching import Policy
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.politeness import Guest, Manners
from lineament.datasets.collect.run import gather, short, stoppable
from lineament.datasets.opening import open_dataset
from lineament.errors import ManifestError, UsageError
from lineament.io import images
from lineament.io.manifest import Manifest
from lineament.io.writing import LEFTOVER

ADA, GRACE = Person("Ada Lovelace", "Ada Lovelace"), Person("grace", "Grace Hopper")


def openverse(site: Site, people: dict[str, list[str]], page_size: int = 4) -> None:
    """Let the site answer searches for these keywords with these picture paths, in pages."""

    def search(request: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(request.path).query)
        paths = people.get(query["q"][0], [])
        number = int(query["page"][0])
        entries = [
            {
                "url": site.url + path,
                "foreign_landing_url": f"https://photos.test{path}",
                "creator": "A. Uthor",
                "license": "by",
                "license_version": "4.0",
                "license_url": "https://creativecommons.org/licenses/by/4.0/",
            }
            for path in paths[(number - 1) * page_size : number * page_size]
        ]
        count = -(-len(paths) // page_size)
        body = {"result_count": len(paths), "page_count": count, "page": number, "results": entries}
        answer(200, json.dumps(body).encode())(request)

    site.pages["/v1/images/"] = search


def fill(site: Site, name: str, count: int) -> list[str]:
    """Put pictures on the site; returns their paths."""
    paths = [f"/{name}/{i}.jpg" for i in range(count)]
    site.pages.update({path: jpeg(crc32(f"{name} {i}".encode())) for i, path in enumerate(paths)})
    return paths


def collect(
    site: Site, folder: Path, people: list[Person], per_subject: int = 6, visitor: Guest | None = None
) -> tuple[Counter[str], Manifest]:
    visitor = visitor or guest()[0]
    with Collection(folder, people, purpose="testing", source="api") as collection:
        search = Openverse(visitor, base=site.url)
        gathered = list(gather(collection, search, visitor, per_subject=per_subject, workers=4))
    return Counter(g.outcome for g in gathered), open_dataset(folder)


def test_each_person_gets_pictures_with_their_provenance(site: Site, tmp_path: Path) -> None:
    """URL, page, licence, author, time, keyword, purpose and SHA-256 stand in the manifest, byte-exact."""
    openverse(site, {"Ada Lovelace": fill(site, "ada", 9), "Grace Hopper": fill(site, "grace", 3)})
    counts, manifest = collect(site, tmp_path / "out", [ADA, GRACE])
    assert counts == {"kept": 9}
    assert Counter(row.subject for row in manifest) == {"Ada Lovelace": 6, "grace": 3}
    for row in manifest:
        origin = row.provenance.url or ""
        assert manifest.file(row).read_bytes() == site.pages[origin.removeprefix(site.url)]
        assert row.provenance.page == origin.replace(site.url, "https://photos.test")
        assert row.provenance.licence == "by 4.0 (https://creativecommons.org/licenses/by/4.0/)"
        assert row.provenance.author == "A. Uthor"
        assert row.provenance.purpose == "testing" and row.provenance.fetched_at
        assert row.provenance.keyword in ("Ada Lovelace", "Grace Hopper")
        assert row.size_wh == (48, 48)
        assert row.path.startswith(("grace/", "Ada_Lovelace-"))
    step = manifest.steps[-1]
    assert step["names"] == ["Ada Lovelace", "grace"] and step["purpose"] == "testing"
    assert step["outcomes"] == {"kept": 9}


def test_those_with_too_few_pictures_are_told(site: Site, tmp_path: Path) -> None:
    """A shortfall is a counted result, not silence."""
    openverse(site, {"Ada Lovelace": fill(site, "ada", 2)})
    visitor, _ = guest()
    with Collection(tmp_path, [ADA, GRACE], purpose="testing", source="api") as collection:
        list(gather(collection, Openverse(visitor, base=site.url), visitor, per_subject=2, workers=2))
        assert short(collection, 2) == [("grace", 0)]


def test_a_page_that_no_report_may_link_to_is_not_recorded(site: Site, tmp_path: Path) -> None:
    """A site sends javascript: where its page's address should be; the picture is kept without it."""
    [path] = fill(site, "ada", 1)
    entry = {"url": site.url + path, "foreign_landing_url": "javascript:alert(1)"}
    site.pages["/v1/images/"] = json.dumps({"results": [entry]}).encode()
    _, manifest = collect(site, tmp_path, [ADA])
    assert [row.provenance.page for row in manifest] == [None]


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_every_fault_of_a_site_is_a_named_counted_outcome(
    site: Site, tmp_path: Path, stop: threading.Event
) -> None:
    """One bad picture of each kind: each counted under its name, the good ones around them kept."""
    good = fill(site, "ada", 3)
    ok = b"HTTP/1.1 200 OK\r\n\r\n"
    faults = {
        "/500": (answer(500), "HttpError"),
        "/404": (answer(404), "HttpError"),
        "/slow": (drip(ok, b"x", stop), "TooSlow"),
        "/endless": (drip(ok, b"x" * 50_000, stop), "AnswerTooLarge"),
        "/page": (b"<!doctype html><title>login</title>", "UnsupportedFormat"),
        "/svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "UnsupportedFormat"),
        "/empty": (b"", "BadAnswer"),
        "/pixel": (images.encode_png(np.zeros((4, 4, 3), np.uint8)), "PictureTooSmall"),
        "/cut": (jpeg(2)[:-400], "CorruptPicture"),
        "/half": (answer(200, jpeg(3)[:300], Content_Length=str(len(jpeg(3)))), "Unreachable"),
        "/busy": (answer(429, Retry_After="1"), "ServerBusy"),
        "/home": (redirect("http://127.0.0.2/"), "ForbiddenUrl"),
        "/cloud": (redirect("http://169.254.169.254/latest/"), "ForbiddenUrl"),
        "/loop": (redirect("/loop"), "BadAnswer"),
        "/twin": (jpeg(crc32(b"ada 0")), "DuplicatePicture"),
    }
    site.pages.update({path: page for path, (page, _) in faults.items()})
    openverse(site, {"Ada Lovelace": [good[0], *faults, *good[1:]]})
    policy = Policy(allow_private=("127.0.0.1",), total_seconds=0.5, connect_seconds=0.5, max_bytes=200_000)
    counts, manifest = collect(site, tmp_path, [ADA], visitor=guest(policy)[0])
    expected = Counter(name for _, name in faults.values())
    assert counts == expected + Counter(kept=3)
    assert manifest.steps[-1]["outcomes"] == counts
    assert len(list(tmp_path.glob("*/*"))) == 3


def test_a_picture_found_for_two_people_is_fetched_once(site: Site, tmp_path: Path) -> None:
    """A group photo belongs to both folders; the site is asked for it once."""
    openverse(site, {"Ada Lovelace": fill(site, "both", 1), "Grace Hopper": ["/both/0.jpg"]})
    visitor, _ = guest()
    with Collection(tmp_path, [ADA, GRACE], purpose="testing", source="api") as collection:
        list(gather(collection, Openverse(visitor, base=site.url), visitor, per_subject=1, workers=1))
    rows = open_dataset(tmp_path).rows
    assert {row.subject for row in rows} == {"Ada Lovelace", "grace"}
    assert site.asked["/both/0.jpg"] == 1


def test_a_second_run_asks_for_nothing_again(site: Site, tmp_path: Path) -> None:
    """Only failures that may have passed are tried again, and more is fetched if more is asked for."""
    paths = fill(site, "ada", 8)
    site.pages["/later.jpg"], site.pages["/never.jpg"] = answer(503), answer(404)
    openverse(site, {"Ada Lovelace": ["/later.jpg", "/never.jpg", *paths]}, page_size=20)
    collect(site, tmp_path, [ADA], per_subject=5)
    before = (tmp_path / "manifest.jsonl").read_bytes()
    site.asked.clear()
    collect(site, tmp_path, [ADA], per_subject=5)
    assert not site.asked
    assert (tmp_path / "manifest.jsonl").read_bytes() == before
    site.pages["/later.jpg"] = jpeg(77)
    counts, manifest = collect(site, tmp_path, [ADA], per_subject=7)
    assert counts == {"kept": 2} and len(manifest) == 7
    assert site.pictures_asked == {"/later.jpg": 1, paths[5]: 1}


def test_a_removed_picture_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    """Who erases a photo has decided; a later run leaves it out of the manifest and the site alone."""
    openverse(site, {"Ada Lovelace": fill(site, "ada", 2)})
    _, manifest = collect(site, tmp_path, [ADA])
    manifest.file(manifest.rows[0]).unlink()
    site.asked.clear()
    _, after = collect(site, tmp_path, [ADA])
    assert [row.id for row in after] == [manifest.rows[1].id]
    assert not site.pictures_asked


def test_kill_9_loses_nothing_and_fetches_nothing_twice(site: Site, tmp_path: Path) -> None:
    """Killed while one answer is under way: the next process asks for that and what is still missing."""
    held, release = threading.Event(), threading.Event()
    paths = {person.keyword: fill(site, person.folder, 6) for person in (ADA, GRACE)}
    openverse(site, paths)
    stuck = paths["Grace Hopper"][3]
    picture = site.pages[stuck]
    assert isinstance(picture, bytes)

    def hold(request: BaseHTTPRequestHandler) -> None:
        held.set()
        release.wait(20)

    site.pages[stuck] = hold
    names = tmp_path / "names.txt"
    names.write_text("Ada Lovelace\ngrace\tGrace Hopper\n", encoding="utf-8")
    out = tmp_path / "out"
    here = Path(__file__).parent
    command = [sys.executable, str(here / "collecting_process.py"), str(out), str(names), site.url, "1"]
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as first:
        assert held.wait(60)
        first.send_signal(signal.SIGKILL)
        first.wait()
    release.set()
    assert not (out / "manifest.jsonl").exists()
    (out / "grace" / ".0123456789abcdef.jpg").write_bytes(b"half a picture")
    with (out / JOURNAL_NAME).open("ab") as journal:
        journal.write(b'{"key": "half a li')
    asked = Counter(site.asked)
    assert sum(asked[path] for path in paths["Ada Lovelace"]) == 6
    site.pages[stuck] = picture
    second = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert second.stdout.split() == ["kept"] * 3
    assert Counter(site.asked) - asked == {"/robots.txt": 1, **dict.fromkeys(paths["Grace Hopper"][3:], 1),
        "/v1/images/?q=Grace+Hopper&page=2&page_size=20": 1}  # fmt: skip
    manifest = open_dataset(out)
    assert Counter(row.subject for row in manifest) == {"Ada Lovelace": 6, "grace": 6}
    urls = {row.provenance.url for row in manifest}
    assert urls == {site.url + path for found in paths.values() for path in found}
    assert {p.name for p in (out / "grace").iterdir()} == {
        Path(row.path).name for row in manifest if row.subject == "grace"
    }


def test_a_run_that_is_closed_early_keeps_what_it_has(site: Site, tmp_path: Path) -> None:
    """Ctrl-C: the iterator is closed, the manifest written, the rest comes with the next run."""
    openverse(site, {"Ada Lovelace": fill(site, "ada", 6)})
    visitor, _ = guest()
    with Collection(tmp_path, [ADA], purpose="testing", source="api") as collection:
        outcomes = gather(collection, Openverse(visitor, base=site.url), visitor, per_subject=6, workers=1)
        assert next(outcomes).outcome == "kept"
        outcomes.close()
    first = len(open_dataset(tmp_path))
    assert 1 <= first <= 6
    _, manifest = collect(site, tmp_path, [ADA])
    assert len(manifest) == 6
    assert max(n for path, n in site.asked.items() if path.endswith(".jpg")) == 1


def test_stopping_ends_the_waiting_too(site: Site, tmp_path: Path) -> None:
    """A worker that waits for its turn at a slow host neither holds up the end nor asks out of turn."""
    openverse(site, {"Ada Lovelace": fill(site, "ada", 6)})
    stop = threading.Event()
    searcher, _ = guest()
    visitor = Guest(searcher.fetcher, Manners(host_seconds=1_000), sleep=stoppable(stop))
    with Collection(tmp_path, [ADA], purpose="testing", source="api") as collection:
        search = Openverse(searcher, base=site.url)
        outcomes = gather(collection, search, visitor, workers=1, stop=stop)
        threading.Timer(0.2, stop.set).start()
        assert list(outcomes) == []
    assert not collection.counts
    assert set(site.asked) == {"/v1/images/?q=Ada+Lovelace&page=1&page_size=20", "/robots.txt"}


def test_a_site_that_is_down_is_not_asked_for_everything(site: Site, tmp_path: Path) -> None:
    """After ten passing failures in a row the person waits for another run, which then gets them."""
    paths = fill(site, "ada", 30)
    good = {path: site.pages[path] for path in paths}
    site.pages.update(dict.fromkeys(paths, answer(503)))
    openverse(site, {"Ada Lovelace": paths})
    counts, _ = collect(site, tmp_path, [ADA])
    assert counts == {"ServerBusy": 10}
    assert sum("/v1/" in path for path in site.asked) == 3
    site.pages.update(good)
    counts, manifest = collect(site, tmp_path, [ADA])
    assert counts == {"kept": 6} and len(manifest) == 6


def test_collecting_needs_a_purpose_and_people(tmp_path: Path) -> None:
    """Neither an empty purpose nor an empty list of people starts anything."""
    for people, purpose in (([ADA], " "), ([], "testing")):
        with pytest.raises(UsageError):
            Collection(tmp_path / "out", people, purpose=purpose, source="api")
    assert not (tmp_path / "out").exists()


def test_a_folder_is_filled_by_one_process_at_a_time(tmp_path: Path) -> None:
    """A second one is refused rather than mixing its journal in."""
    with (
        Collection(tmp_path, [ADA], purpose="testing", source="api"),
        pytest.raises(UsageError, match="another"),
        Collection(tmp_path, [ADA], purpose="testing", source="api"),
    ):
        pass


def test_a_data_set_that_went_on_is_not_collected_into(site: Site, tmp_path: Path) -> None:
    """Rows that a later step removed must not come back."""
    openverse(site, {"Ada Lovelace": fill(site, "ada", 2)})
    _, manifest = collect(site, tmp_path, [ADA])
    manifest.with_rows(manifest.rows[:1], step="clean").save(tmp_path / "manifest.jsonl")
    with pytest.raises(ManifestError, match="further steps"):
        collect(site, tmp_path, [ADA])
    assert len(open_dataset(tmp_path)) == 1


def test_a_full_disk_ends_the_run_by_name_and_damages_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture that does not fit leaves no trace; those before it are in the manifest."""
    openverse(site, {"Ada Lovelace": fill(site, "ada", 4)})
    real = os.fsync
    synced: list[int] = []

    def full(descriptor: int) -> None:
        if LEFTOVER.fullmatch(Path(f"/proc/self/fd/{descriptor}").readlink().name):
            synced.append(descriptor)
            if len(synced) > 2:
                raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match="No space left") as caught:
        collect(site, tmp_path, [ADA])
    assert type(caught.value).__name__ == "OutputError"
    monkeypatch.undo()
    assert len(open_dataset(tmp_path)) == 2
    _, manifest = collect(site, tmp_path, [ADA])
    assert len(manifest) == 4 and len(list(tmp_path.glob("*/*"))) == 4
