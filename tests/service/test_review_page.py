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
from lineament.service.guarding import Keys, cookie_name
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
    """The same with the cookie that the page sets, and the page's own header."""
    assert client.get("/", params={"token": keys.token}).status_code == 200
    client.headers["X-CSRF-Token"] = keys.csrf
    return client


def test_without_the_token_nothing_is_shown(client: TestClient, review: Review) -> None:
    """No token, a wrong one, a cookie of another port: 403 everywhere, and nothing is written."""
    for path in ("/", "/?token=", "/?token=x", "/api/overview", "/api/subjects/0", "/pictures/0/small",
                 "/static/review.js", "/docs", "/openapi.json"):  # fmt: skip
        assert client.get(path).status_code == 403, path
    assert client.post("/api/decisions", json={"picture": 0, "choice": "remove"}).status_code == 403
    assert not review.log.path.exists()


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: TestClient, keys: Keys) -> None:
    """HttpOnly, SameSite=Strict, named after the port; every answer carries the strict policy."""
    answer = client.get("/", params={"token": keys.token})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(cookie_name(PORT)) and "httponly" in cookie and "samesite=strict" in cookie
    for one in (
        answer,
        client.get("/nowhere"),
        client.get("/static/review.js"),
        client.get("/pictures/0/small"),
    ):
        policy = one.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert one.headers["cache-control"] == "no-store"
        assert one.headers["x-content-type-options"] == "nosniff"
    assert (
        "<script>" not in answer.text and "style=" not in answer.text and " on" + "click" not in answer.text
    )


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", ""])
def test_other_names_for_this_host_get_nothing(user: TestClient, keys: Keys, host: str) -> None:
    """A foreign name that resolves here (DNS rebinding) is refused even with every key."""
    assert user.get("/api/overview", headers={"Host": host}).status_code == 421
    assert user.get("/", params={"token": keys.token}, headers={"Host": host}).status_code == 421


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
    """With the cookie alone, as a foreign page's request would have, nothing is decided."""
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
    assert user.post("/api/undo", content=b"{", headers=headers).status_code == 400


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
def test_decisions_outlive_the_page_and_two_tabs_agree(page: Page, review: Review, address: str) -> None:
    """After loading again everything decided is there; a second tab sees it, and the last write wins."""
    press(page, "x")
    second = page.context.new_page()
    second.goto(address)
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
