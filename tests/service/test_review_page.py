"""The review page over HTTP, and in a real Chromium; skipped, with the reason, where one is missing."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")
pytest.importorskip("httpx", reason="not installed: httpx")

from starlette.testclient import TestClient

from lineament.datasets.proposals import Proposal
from lineament.datasets.review import Review, open_review
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.service.guarding import Keys
from lineament.service.review import create_app
from lineament.service.thumbnails import SMALL_PX

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
    assert page.inner_text("#left") == "4 left to decide"
    assert "wrong person 97" in page.inner_text("figure[aria-selected=true]")
    press(page, "a", "x")
    assert choices(review) == [("a/1.jpg", "move", "Bob"), ("a/2.jpg", "remove", None)]
    assert page.inner_text("#left") == "2 left to decide"
    assert "nothing left here" in page.inner_text("#subject-left")
    press(page, "ArrowRight", "k")
    assert choices(review)[-1] == ("a/0.jpg", "keep", None)
    press(page, "u", "u", "u", "u")
    assert page.inner_text("#left") == "4 left to decide"
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
