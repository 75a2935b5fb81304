"""The review page over HTTP, and in a real Chromium; skipped, with the reason, where one is missing."""

from __future__ import annotations

import importlib.util
import json
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")
pytest.importorskip("httpx", reason="not installed: httpx")

import httpx
from starlette.testclient import TestClient

from lineament.datasets.cleaning.proposals import Proposal
from lineament.datasets.reviewing.review import Review, open_review
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.plots.thumbnails import SMALL_PX
from lineament.service.desk import ReviewDesk
from lineament.service.ending import Ending
from lineament.service.guarding import Keys
from lineament.service.review import create_app, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PORT = 8123
HOME = f"http://127.0.0.1:{PORT}"
EVIL = "~<img src=x onerror=document.title='owned'>\u202e{{7*7}}\udcff"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    BROWSER is None or importlib.util.find_spec("playwright") is None,
    reason="not installed: chromium or playwright",
)


def picture(folder: Path, name: str, subject: str, shade: int) -> ManifestRow:
    """A drawn picture on disk and its row."""
    pixels = np.full((300, 400, 3), shade, np.uint8)
    pixels[100:200, 150:250] = (255 - shade, 90, shade)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    images.save(folder / name, pixels)
    digest = f"{shade:064x}"
    return ManifestRow(row_id(digest, name), name, digest, subject=subject)


@pytest.fixture
def review(tmp_path: Path) -> Review:
    """Ada has four pictures with two proposals, Bob three, the hostile subject one."""
    rows = [picture(tmp_path, f"a/{n}.jpg", "Ada", 20 + n) for n in range(4)]
    rows += [picture(tmp_path, f"b/{n}.jpg", "Bob", 120 + n) for n in range(3)]
    rows += [picture(tmp_path, "e/<script>alert(1)<.jpg", EVIL, 200)]
    (tmp_path / "b" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    rows.append(ManifestRow("broken", "b/broken.jpg", "0" * 64, subject="Bob"))
    manifest = Manifest(tuple(rows), folder=tmp_path)
    with (tmp_path / "proposals.jsonl").open("w") as file:
        for values in (
            Proposal("a/1.jpg", "Ada", "move", "wrong person", 0.97, to="Bob", detail="0.1 to the others"),
            Proposal("a/2.jpg", "Ada", "remove", "near duplicate", 0.91, of="a/0.jpg"),
            Proposal("b/broken.jpg", "Bob", "review", "refused", 1.0, detail="<b>broken</b>"),
            Proposal("e/<script>alert(1)<.jpg", EVIL, "remove", "not a face", 0.9, detail=EVIL),
        ):
            file.write(json.dumps(values.to_json()) + "\n")
    return open_review(manifest)


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def client(review: Review, keys: Keys) -> TestClient:
    """Somebody without any key."""
    return TestClient(create_app(review, port=PORT, keys=keys), base_url=HOME)


@pytest.fixture
def user(client: TestClient, keys: Keys) -> TestClient:
    """The same at the path that the token leads to, with the page's own header."""
    opened = client.get("/", params={"token": keys.token})
    assert opened.status_code == 200 and opened.url.path == f"/{keys.page}/"
    client.base_url = opened.url
    client.headers["X-CSRF-Token"] = keys.csrf
    return client


def test_without_the_token_nothing_is_shown(client: TestClient, review: Review) -> None:
    """No token, a wrong one, a path that is nearly the page's: 403 everywhere, and nothing is written."""
    for path in ("/", "/?token=", "/?token=x", "/api/overview", "/api/subjects/0", "/pictures/0/small",
                 "/static/review.js", "/docs", "/openapi.json", "//", "/x/",
                 "/x/?token=", "//api/overview"):  # fmt: skip
        assert client.get(path).status_code == 403, path
    assert client.post("/api/decisions", json={"picture": 0, "choice": "remove"}).status_code == 403
    assert not review.log.path.exists()


def test_the_token_works_once(client: TestClient, keys: Keys) -> None:
    """It stands in the browser's arguments, where others may read it: who comes second gets nothing, and is
    told that somebody was first. The page itself can be loaded again."""
    home = client.get("/", params={"token": keys.token}).url
    for _ in range(2):
        late = client.get("/", params={"token": keys.token})
        assert late.status_code == 403 and "opened already" in late.text
        assert keys.page not in late.text + str(late.headers) and keys.csrf not in late.text
    assert client.get(home).status_code == 200
    assert client.get(f"/{keys.page}").status_code == 403


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "PUT"])
def test_only_opening_the_page_uses_the_token(client: TestClient, keys: Keys, method: str) -> None:
    """What asks without wanting the page neither opens it nor spends the token."""
    assert client.request(method, "/", params={"token": keys.token}).status_code == 403
    assert client.get("/", params={"token": keys.token}).status_code == 200


def test_nothing_is_kept_where_other_ports_would_get_it(client: TestClient, keys: Keys) -> None:
    """Browsers send the cookies of one port to every other: none is set, and none that is sent helps."""
    page = client.get("/", params={"token": keys.token})
    assert not any("set-cookie" in one.headers for one in (page, *page.history))
    every = "; ".join(f"{name}={key}" for name in ("lineament", f"lineament_{PORT}", "page")
                      for key in (keys.token, keys.page, keys.csrf))  # fmt: skip
    for path in ("/", "/api/overview", "/pictures/0/small", "/static/review.js", "/api/subjects/0"):
        assert client.get(path, headers={"Cookie": every}).status_code == 403, path


def test_every_answer_carries_the_strict_policy(user: TestClient) -> None:
    """Pages, pictures and refusals alike; the page holds no script and no style of its own."""
    page = user.get("/")
    for one in (page, user.get("/nowhere"), user.get("/static/review.js"), user.get("/pictures/0/small"),
                user.get(f"{HOME}/?token=x"), user.post("/api/undo", content=b"{}")):  # fmt: skip
        policy = one.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert one.headers["cache-control"] == "no-store"
        assert one.headers["referrer-policy"] == "no-referrer"
        assert one.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in page.text and "style=" not in page.text and " on" + "click" not in page.text


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", ""])
def test_other_names_for_this_host_get_nothing(user: TestClient, keys: Keys, host: str) -> None:
    """A foreign name that resolves here (DNS rebinding) is refused even with every key."""
    assert user.get("/api/overview", headers={"Host": host}).status_code == 421
    assert user.get(f"{HOME}/", params={"token": keys.token}, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"X-CSRF-Token": "x"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_other_pages_cannot_decide(
    user: TestClient, review: Review, changed: dict[str, str], status: int
) -> None:
    """Even with the path of the page, what does not come from the page itself decides nothing."""
    body = json.dumps({"picture": 0, "choice": "remove"})
    headers = {"Content-Type": "application/json", "Origin": HOME}
    assert user.post("/api/decisions", content=body, headers={**headers, **changed}).status_code == status
    assert not review.log.path.exists()
    assert user.post("/api/decisions", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "values",
    [
        [], None, {}, {"picture": 99, "choice": "keep"}, {"picture": -1, "choice": "keep"},
        {"picture": True, "choice": "keep"}, {"picture": "0", "choice": "keep"},
        {"picture": 0, "choice": "undo"}, {"picture": 0, "choice": ["keep"]},
        {"picture": 0, "choice": "move"}, {"picture": 0, "choice": "move", "to": 99},
        {"picture": 0, "choice": "move", "to_new": ""}, {"picture": 0, "choice": "move", "to_new": "a\nb"},
        {"picture": 0, "choice": "move", "to_new": 5},
    ],
)  # fmt: skip
def test_wrong_requests_decide_nothing(user: TestClient, review: Review, values: Any) -> None:
    """Whatever the body holds, the answer is a named error, and nothing is stored."""
    headers = {"Content-Type": "application/json"}
    answer = user.post("/api/decisions", content=json.dumps(values), headers=headers)
    assert answer.status_code == 400 and answer.json()["error"].isidentifier()
    assert not review.log.path.exists()


def test_large_or_broken_bodies_are_refused(user: TestClient) -> None:
    """More than a decision can need, or no JSON at all, is refused."""
    headers = {"Content-Type": "application/json"}
    assert user.post("/api/decisions", content=b" " * 20_000, headers=headers).status_code == 413
    assert user.post("/api/decisions", content=iter([b"{}"]), headers=headers).status_code == 413
    for body in (
        b"{",
        b"\xff",
        b"[" * 9_000,
        b'{"a":' * 1_800,
        b"9" * 9_000,
        b'{"picture":' + b"1" * 5_000 + b"}",
    ):
        assert user.post("/api/undo", content=body, headers=headers).status_code == 400, body[:20]


def test_pictures_come_by_number_and_small(user: TestClient, tmp_path: Path) -> None:
    """Never a path, never larger than asked; a picture that cannot be read is a named error."""
    (tmp_path / "secret.txt").write_text("secret")
    shown = images.load(user.get("/pictures/0/small").content)
    assert max(shown.size_wh) == SMALL_PX
    for path in ("/pictures/../secret.txt/small", "/pictures/%2e%2e%2fsecret.txt/small",
                 "/pictures/-1/small", "/pictures/99/small",
                 "/static/../review.py", "/static/%2e%2e%2freview.py"):  # fmt: skip
        answer = user.get(path)
        assert answer.status_code in (404, 422) and "secret" not in answer.text.replace("secret.txt", ""), (
            path
        )
    broken = next(p for p in user.get("/api/subjects/1").json()["pictures"] if "broken" in p["name"])
    assert user.get(f"/pictures/{broken['picture']}/small").json()["error"] == "CorruptPicture"


def test_two_clients_see_each_others_decisions(user: TestClient, review: Review) -> None:
    """The last write wins, none is lost, and undo takes back the last one."""
    number = user.get("/api/subjects/0").json()["pictures"][0]["picture"]
    for choice in ("keep", "remove"):
        answer = user.post("/api/decisions", json={"picture": number, "choice": choice}).json()
    assert (answer["decision"]["choice"], answer["left"], answer["subject_left"]) == ("remove", 3, 1)
    assert user.post("/api/undo", json={}).json()["decision"]["choice"] == "keep"
    assert [e.choice for e in review.log.entries] == ["keep", "remove", "undo"]


@pytest.mark.parametrize("change", ["accept", "finish", "stay", "undo", "decisions"])
def test_every_change_needs_the_key_of_the_page(user: TestClient, review: Review, change: str) -> None:
    """What accepts many at once or ends the command is guarded like a single decision."""
    body = {"from": 0.5, "picture": 0, "choice": "remove"}
    assert user.post(f"/api/{change}", json=body, headers={"X-CSRF-Token": "x"}).status_code == 403
    assert (
        user.post(f"/api/{change}", json=body, headers={"Origin": "http://evil.example"}).status_code == 403
    )
    assert user.get(f"/api/{change}").status_code == 405
    assert not review.log.path.exists()
    assert user.post("/api/nothing", json={}).status_code == 404


@pytest.mark.parametrize("value", [0, -1, 1.01, True, None, "0.9", [0.9]])
def test_accepting_from_no_score_accepts_nothing(user: TestClient, review: Review, value: Any) -> None:
    """A value that is no score is a named error, and nothing is stored."""
    answer = user.post("/api/accept", json={"from": value})
    assert answer.status_code == 400 and answer.json()["error"] == "UsageError"
    assert not review.log.path.exists()


def test_all_from_a_score_are_accepted_and_taken_back_together(user: TestClient, review: Review) -> None:
    """The number told is the number accepted; one undo takes back these and nothing a person decided, and
    they can be accepted again."""
    assert [user.get(f"/api/acceptable/{percent}").json()["count"] for percent in (98, 95, 90)] == [0, 1, 3]
    answer = user.post("/api/accept", json={"from": 0.9}).json()
    assert (answer["accepted"], answer["left"]) == (3, 1)
    assert answer["decided"] == {"keep": 0, "remove": 2, "move": 1}
    first = next(p for p in user.get("/api/subjects/0").json()["pictures"] if p["decision"])
    user.post("/api/decisions", json={"picture": first["picture"], "choice": "keep"})
    assert user.post("/api/undo", json={"accepted": True}).json()["taken_back"] == 2
    assert review.counts() | {"pictures": 0, "proposed": 0} == {
        "pictures": 0, "proposed": 0, "left": 3, "keep": 1, "remove": 0, "move": 0, "automatic": 0,
    }  # fmt: skip
    assert user.post("/api/accept", json={"from": 0.9}).json()["accepted"] == 2
    assert user.post("/api/undo", json={"accepted": True}).json()["taken_back"] == 2
    assert user.post("/api/undo", json={"accepted": True}).json()["taken_back"] == 0


def test_names_are_shown_as_people_write_them(tmp_path: Path) -> None:
    """Underscores and a folder's hash are not shown, and how the name is stored is told beside it."""
    rows = [picture(tmp_path, "x/0.jpg", "George_W_Bush", 5), picture(tmp_path, "y/0.jpg", "Ada", 6)]
    rows.append(picture(tmp_path, "z/0.jpg", "ada_lovelace-0a1b2c3d4e", 7))
    with (tmp_path / "proposals.jsonl").open("w") as file:
        for one in (
            Proposal("y/0.jpg", "Ada", "move", "wrong person", 0.9, to="George_W_Bush"),
            Proposal("z/0.jpg", rows[2].subject, "remove", "near duplicate", 0.9, of="x/0.jpg"),
        ):
            file.write(json.dumps(one.to_json()) + "\n")
    desk = ReviewDesk(open_review(Manifest(tuple(rows), folder=tmp_path)))
    shown = [(s["name"], s["stored"]) for s in desk.overview()["subjects"]]
    assert shown == [
        ("Ada", None),
        ("George W Bush", "George_W_Bush"),
        ("ada lovelace", "ada_lovelace-0a1b2c3d4e"),
    ]
    assert desk.subject(0)["pictures"][0]["proposals"][0]["to_name"] == "George W Bush"
    assert desk.subject(2)["pictures"][0]["proposals"][0]["of_name"] == "George W Bush"
    decided = desk.decide({"picture": 0, "choice": "move", "to": 1})
    assert decided["decision"]["to"] == "George W Bush"
    assert [e.to for e in desk._review.log.entries] == ["George_W_Bush"]


def test_it_ends_when_nothing_is_left_and_nobody_takes_back(review: Review) -> None:
    """The countdown begins with the last decision; an undo calls it off, and so does staying."""
    ended: list[str] = []
    ending = Ending(lambda: ended.append("ended"), after_s=3_600)
    desk = ReviewDesk(review, ending, lambda counts: [f"{counts['left']} left"])
    desk.accept({"from": 0.9})
    assert ending.seconds_left() is None
    numbers = [p["picture"] for p in desk.subject(1)["pictures"] if p["proposals"] and not p["decision"]]
    last = desk.decide({"picture": numbers[0], "choice": "keep"})
    assert last["left"] == 0 and last["ends_in"] > 3_500 and last["commands"] == ["0 left"]
    assert desk.undo({"picture": numbers[0]})["ends_in"] is None
    assert desk.decide({"picture": numbers[0], "choice": "keep"})["ends_in"] > 3_500
    assert desk.stay({})["ends_in"] is None and desk.overview()["ends_in"] is None
    assert not ended
    assert desk.finish({})["left"] == 0 and ended == ["ended"]


def test_what_another_program_decided_last_ends_it_too(review: Review) -> None:
    """The page learns of it when it is looked at again, and the countdown begins."""
    desk = ReviewDesk(review, Ending(lambda: None, after_s=3_600))
    other = open_review(review.manifest)
    for one in list(other.proposals):
        other.decide(one, "keep")
    assert desk.overview()["ends_in"] is not None


def test_the_server_ends_by_itself(review: Review) -> None:
    """After the last decision `serve` returns without being interrupted."""
    for one in list(review.proposals)[1:]:
        review.decide(one, "keep")
    opened: queue.Queue[str] = queue.Queue()
    serving = threading.Thread(
        target=serve, args=(review,), kwargs={"ends_after_s": 0, "opened": opened.put}
    )
    serving.start()
    with httpx.Client(follow_redirects=True) as client:
        page = client.get(opened.get())
        key = re.search(r'name="csrf" content="([^"]+)"', page.text)
        assert key is not None
        subject = next(
            n
            for n, s in enumerate(client.get(page.url.join("api/overview")).json()["subjects"])
            if s["left"]
        )
        pictures = client.get(page.url.join(f"api/subjects/{subject}")).json()["pictures"]
        number = next(p["picture"] for p in pictures if p["proposals"] and not p["decision"])
        answer = client.post(
            page.url.join("api/decisions"),
            json={"picture": number, "choice": "keep"},
            headers={"X-CSRF-Token": key[1]},
        )
        assert answer.json()["left"] == 0
    serving.join()
    assert review.left() == 0


# In the browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def address(review: Review, keys: Keys) -> Iterator[str]:
    """The page, really served; gives the address with its token."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(review, port=port, keys=keys, title=EVIL), log_level="error", ws="none"
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{port}/?token={keys.token}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page in a fresh profile; a script error or a dialog fails the test."""
    context = browser.new_context()
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.set_default_timeout(15_000)
    page.goto(address)
    page.wait_for_selector("figure")
    yield page
    context.close()
    assert wrong == []


def press(page: Page, *pressed: str) -> None:
    """Type, and wait until the page has taken it in."""
    for key in pressed:
        page.keyboard.press(key)
    page.wait_for_selector("body[data-busy=no]")


def choices(review: Review) -> list[tuple[str, str, str | None]]:
    review.refresh()
    return [(e.path, e.choice, e.to) for e in review.log.entries]


@needs_browser
def test_a_subject_is_decided_by_keyboard(page: Page, review: Review) -> None:
    """Proposed pictures come first, surest first; each key logs one decision and goes to the next one."""
    assert page.inner_text("#left") == "4 left to decide of 4, in 3 people"
    assert "wrong person 97" in page.inner_text("figure[aria-selected=true]")
    press(page, "a", "x")
    assert choices(review) == [("a/1.jpg", "move", "Bob"), ("a/2.jpg", "remove", None)]
    assert page.inner_text("#left") == "2 left to decide of 4, in 2 people"
    assert "nothing left here" in page.inner_text("#subject-left")
    press(page, "ArrowRight", "k")
    assert choices(review)[-1] == ("a/0.jpg", "keep", None)
    press(page, "u", "u", "u", "u")
    assert page.inner_text("#left") == "4 left to decide of 4, in 3 people"
    assert page.inner_text("#message") == "There is nothing to undo."
    assert len(choices(review)) == 6 and not any(review.decided(i) for i in review.rows)
    press(page, "n")
    assert page.inner_text("#subject") == "Bob"
    assert page.locator("figure").count() == 4
    # The frame learns it when the picture's request has failed.
    page.locator("figure[aria-selected=true] .frame", has_text="cannot be read").wait_for()


@needs_browser
def test_moving_chooses_a_subject_or_makes_one(page: Page, review: Review) -> None:
    """`m` opens a list that narrows while one types; a name that is not there is a new subject."""
    press(page, "m")
    page.keyboard.type("bo")
    page.keyboard.press("Enter")
    page.get_by_text("3 left to decide").wait_for()
    press(page, "m")
    page.keyboard.type("<i>Zoë & x/../y</i>")
    page.keyboard.press("Enter")
    page.get_by_text("2 left to decide").wait_for()
    press(page, "m")
    page.keyboard.press("Escape")
    assert [to for _, _, to in choices(review)] == ["Bob", "<i>Zoë & x/../y</i>"]
    assert "moved to <i>Zoë & x/../y</i>" in page.inner_text("#grid")
    assert page.locator("i").count() == 0


@needs_browser
def test_hostile_names_are_only_text(page: Page) -> None:
    """A name of markup shows as it is, with direction marks and stray bytes escaped; nothing of it runs."""
    press(page, "n", "n")
    shown = "~<img src=x onerror=document.title='owned'>\\u202e{{7*7}}\\xff"
    assert page.inner_text("#subject") == shown
    assert page.inner_text("#name") == "e/<script>alert(1)<.jpg"
    assert shown in page.inner_text("#findings")
    assert page.title() == f"Review: {shown}"
    assert page.locator("img[src=x]").count() == 0 and page.locator("body script").count() == 0
    assert "token" not in page.url


@needs_browser
def test_decisions_outlive_the_page_and_two_tabs_agree(page: Page, review: Review) -> None:
    """After loading again everything decided is there; a second tab sees it, and the last write wins."""
    press(page, "x")
    second = page.context.new_page()
    second.goto(page.url)
    second.wait_for_selector("figure.remove")
    second.click("figure >> nth=0")
    press(second, "k")
    press(page, "ArrowLeft", "ArrowLeft", "m")
    page.keyboard.press("Enter")
    page.wait_for_selector("figure.move")
    second.evaluate("window.dispatchEvent(new Event('focus'))")
    second.wait_for_selector("figure.move")
    assert [choice for _, choice, _ in choices(review)] == ["remove", "keep", "move"]
    page.reload()
    page.wait_for_selector("figure.move")
    press(page, "u")
    page.wait_for_selector("figure.keep")


@needs_browser
def test_the_page_accepts_from_a_value_and_takes_it_back(page: Page, review: Review) -> None:
    """A slider and a number say the same; how many that are is told before; undo takes them back."""
    page.click("#above summary")
    page.get_by_role("button", name="accept 1").wait_for()
    page.fill("#from-number", "90")
    page.get_by_role("button", name="accept 3").wait_for()
    assert page.input_value("#from") == "90"
    assert page.inner_text("#above-left") == "1 would be left to you"
    page.get_by_role("button", name="accept 3").click()
    page.get_by_text("1 left to decide of 4, in 1 person").wait_for()
    assert review.counts()["automatic"] == 3
    press(page, "u")
    page.get_by_text("4 left to decide of 4, in 3 people").wait_for()
    assert review.counts()["automatic"] == 0


@needs_browser
def test_the_page_says_what_is_left_and_who_comes_next(page: Page) -> None:
    """Beside the number in all it names the next person with something left."""
    assert "4 left to decide of 4, in 3 people" in page.inner_text("#left")
    press(page, "x", "x")
    page.get_by_text("nothing left here, next: Bob (1 left)").wait_for()
    assert "Bob (1 left)" in page.inner_text("[data-act=next]")


@needs_browser
@pytest.mark.parametrize("finish", [True, False])
def test_the_command_ends_with_the_page(review: Review, browser: Browser, finish: bool) -> None:
    """Driven in a browser to the last decision, the page names the next command; the command then ends with
    status 0, by the button or by Ctrl-C, and says what was decided and what comes next."""
    folder = review.manifest.folder
    review.manifest.save(folder / "manifest.jsonl")
    command = [sys.executable, "-m", "lineament", "dataset", "review", str(folder), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        address = next(line.strip() for line in process.stdout if line.startswith("http://"))
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("figure")
        page.click("#above summary")
        page.fill("#from-number", "50")
        page.get_by_role("button", name="accept 3").click()
        page.get_by_text("1 left to decide").wait_for()
        page.keyboard.press("n")
        page.wait_for_selector("figure.proposed")
        page.keyboard.press("k")
        page.get_by_text("Nothing is left to decide").wait_for()
        shown = page.locator("#commands code").all_inner_texts()
        assert shown == [
            f"lineament dataset review {folder} --apply {folder / 'reviewed.jsonl'}",
            f"lineament dataset split {folder / 'reviewed.jsonl'} 70/20/10",
        ]
        if finish:
            page.get_by_role("button", name="Finish now").click()
            page.get_by_text("this page can be closed").wait_for()
        else:
            page.get_by_role("button", name="Stay on this page").click()
            page.wait_for_selector("#countdown:empty", state="attached")
            process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        page.close()
    assert process.returncode == 0, said
    assert "none of them left to decide" in said
    assert "decided: 1 keep, 2 remove, 1 move; 3 of them automatically" in said
    assert f"next: {shown[0]}\nthen: {shown[1]}\n" in said, "the page and the terminal name the same"
