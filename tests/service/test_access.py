"""Who may ask what: keys, scopes, galleries, and whoever is on this machine where there are no keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

from served import ADA, Served, bearer, photo, served

from lineament.errors import UsageError
from lineament.service.access import WithoutKeys, require_loopback
from lineament.service.keys import PREFIX

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("access")) as one:
        yield one


def operations(service: Served) -> list[tuple[str, str]]:
    """Every method and path of the description, and /metrics, which it leaves out."""
    paths = service.client.get("/openapi.json").json()["paths"]
    found = [(method, re.sub(r"\{\w+\}", "x", path)) for path in paths for method in paths[path]]
    assert len(found) >= 15
    return [*((method.upper(), path) for method, path in found), ("GET", "/metrics")]


def test_without_a_valid_key_every_operation_answers_401(service: Served) -> None:
    """No key, an empty one, one in the wrong place, one that nobody has, one that was revoked: 401 in the
    envelope, whether the path is one or not, and before any body is looked at."""
    ended, secret = service.keys.new()
    service.keys.revoke(ended.id)
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {service.admin}"},
        {"Authorization": service.admin},
        {"X-Api-Key": "x"},
        bearer(PREFIX + "x" * 43),
        bearer(secret),
    ]
    client = service.as_("")
    for method, path in [*operations(service), ("GET", "/v1/nothing"), ("POST", "/nothing"), ("GET", "/")]:
        for headers in wrong:
            client.headers.pop("Authorization", None)
            answer = client.request(method, path, headers=headers, content=b"x" * 100)
            assert answer.status_code == 401, (method, path, headers)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert set(answer.json()["error"]) == {"type", "message", "request_id"}


def test_a_key_of_compreface_opens_nothing_of_ours_and_the_other_way_round(service: Served) -> None:
    """Each interface takes its own kind of key."""
    _, uuid = service.keys.new_compreface()
    assert service.as_(uuid).get("/v1/subjects").status_code == 401
    assert (
        service.client.get("/api/v1/recognition/subjects", headers={"x-api-key": uuid}).status_code == 200
    )
    answer = service.client.get("/api/v1/recognition/subjects", headers={"x-api-key": service.admin})
    assert answer.status_code == 400 and answer.json()["code"] == 26


def test_a_scope_opens_what_it_names_and_no_more(service: Served) -> None:
    """Each key gets 403 outside of its scope, and the admin's gets it nowhere."""
    needed = {
        "read": [
            ("GET", "/v1/subjects"),
            ("GET", "/v1/models"),
            ("GET", "/metrics"),
            ("GET", "/v1/gallery"),
        ],
        "identify": [("POST", "/v1/detect"), ("POST", "/v1/identify"), ("POST", "/v1/embeddings")],
        "enrol": [("POST", "/v1/subjects/x/samples"), ("POST", "/v1/subjects/x/disputes")],
        "admin": [
            ("DELETE", "/v1/subjects/x"),
            ("GET", "/v1/subjects/x/export"),
            ("PATCH", "/v1/subjects/x"),
        ],
    }
    for scope in needed:
        client = service.as_(service.keys.new([scope])[1])
        for other, calls in needed.items():
            for method, path in calls:
                status = client.request(method, path).status_code
                assert (status == 403) == (scope not in (other, "admin")), (
                    scope,
                    method,
                    path,
                    status,
                )


def test_a_key_sees_its_own_gallery_only(service: Served, tmp_path: Path) -> None:
    """Two keys for two galleries: who is enrolled by one is nobody to the other."""
    clients = [
        service.as_(service.keys.new(gallery=f"sqlite:{tmp_path / name}.db")[1])
        for name in ("one", "other")
    ]
    enrolled = clients[0].post("/v1/subjects/Ada/samples", content=photo(ADA), headers=JPEG)
    assert enrolled.status_code == 201
    lists = [client.get("/v1/subjects").json()["subjects"] for client in clients]
    assert lists == [[{"subject": "Ada", "samples": 1}], []]
    found = [client.post("/v1/identify", content=photo(ADA), headers=JPEG).json() for client in clients]
    assert [one["pictures"][0]["faces"][0]["decision"] for one in found] == ["match", "no_match"]
    assert clients[1].delete("/v1/subjects/Ada").status_code == 404


def test_the_path_that_was_sent_decides(service: Served) -> None:
    """A quoted letter, a doubled slash, dots and a Host of any kind lead to no route and around no key."""
    client = service.as_("")
    del client.headers["Authorization"]
    for path in (
        "/%76%31/subjects",
        "//v1/subjects",
        "/v1/../v1/subjects",
        "/healthz/..%2fv1/subjects",
        "/v1//",
    ):
        for host in ("service.test", "127.0.0.1", "x/healthz?"):
            assert client.get(path, headers={"Host": host}).status_code == 401, path
    for path in ("/%76%31/subjects", "//v1/subjects", "/v1%2Fsubjects"):
        assert service.client.get(path).status_code == 404, path


def test_every_answer_has_the_strict_headers(service: Served) -> None:
    """Nothing may be framed, run, guessed or kept by a browser; the server says nothing of itself."""
    for path in ("/healthz", "/v1/subjects", "/nothing", "/openapi.json"):
        answer = service.client.get(path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-Id"])
        assert "server" not in answer.headers


def test_no_page_may_call_unless_its_origin_is_on_the_list(service: Served, tmp_path: Path) -> None:
    """CORS is closed: a preflight gets 401 and no permission; with the origin named, it is let through."""
    asks = {"Origin": "https://page.test", "Access-Control-Request-Method": "POST"}
    client = service.as_("")
    answer = client.options("/v1/identify", headers=asks)
    assert answer.status_code == 401 and "access-control-allow-origin" not in answer.headers
    with served(tmp_path, origins=("https://page.test",)) as open_:
        allowed = open_.client.options("/v1/identify", headers=asks)
        assert allowed.status_code == 204
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://page.test"
        other = open_.client.get("/v1/subjects", headers={"Origin": "https://other.test"})
        assert "access-control-allow-origin" not in other.headers


def test_a_key_that_asks_too_often_waits(tmp_path: Path) -> None:
    """Half a minute's share at once, then 429 with a time to come again; another key is not held up."""
    from lineament.service.settings import Limits

    with served(tmp_path, limits=Limits(requests_a_minute=6)) as service:
        statuses = [service.client.get("/v1/gallery").status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        answer = service.client.get("/v1/gallery")
        assert (
            answer.json()["error"]["type"] == "TooManyRequests" and int(answer.headers["Retry-After"]) >= 1
        )
        assert service.as_(service.keys.new()[1]).get("/v1/gallery").status_code == 200
        assert service.client.get("/healthz").status_code == 200


def test_without_keys_only_this_machine_is_answered(tmp_path: Path) -> None:
    """Under its own name and port, and to no web page; a foreign name that leads here gets nothing."""
    with served(tmp_path, access=WithoutKeys(8000)) as service:
        client = service.as_("")
        del client.headers["Authorization"]
        for host in ("127.0.0.1:8000", "localhost:8000", "[::1]:8000"):
            assert client.get("/v1/subjects", headers={"Host": host}).status_code == 200
        for host in ("evil.test", "127.0.0.1", "localhost:8001", "localhost:8000.evil.test"):
            assert client.get("/v1/subjects", headers={"Host": host}).status_code == 421
        local = {"Host": "localhost:8000"}
        for page in ({"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            assert client.get("/v1/subjects", headers={**local, **page}).status_code == 403
        assert client.get("/api/v1/recognition/subjects", headers=local).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.test", ""])
def test_without_keys_no_other_address_is_listened_on(host: str) -> None:
    """Whatever others can reach is refused before a socket is opened."""
    with pytest.raises(UsageError, match="others could ask"):
        require_loopback(host)


def test_no_name_key_path_or_traceback_reaches_the_log(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of JSON a request: its id, route, status and time; a bug is told by where it is, to the client
    not even that."""
    from lineament.service.routes import system

    secret_name = "Grace Brewster Murray"

    def bug(_gallery: object) -> None:
        raise RuntimeError(f"of {secret_name} in /home/someone/people.db")

    service.client.get(f"/v1/subjects/{secret_name}")
    service.client.get(f"/v1/{secret_name}")
    monkeypatch.setattr(system.GalleryStatus, "of", bug)
    failed = service.client.get("/v1/gallery")
    assert failed.status_code == 500 and failed.json()["error"]["type"] == "InternalError"
    text = service.log.getvalue()
    for hidden in ("Grace", "Murray", "someone", "people.db", "Traceback", service.admin, str(Path.cwd())):
        assert hidden not in text and hidden not in failed.text
    lines = [json.loads(line) for line in text.splitlines()]
    told = next(one for one in lines if one.get("request_id") == failed.headers["X-Request-Id"])
    assert told["route"] == "/v1/gallery" and told["status"] == 500
    assert re.fullmatch(r"RuntimeError at lineament\.service\.\S+:\d+", told["error"])
    assert {"/v1/subjects/{subject}", "/v1/*"} <= {one.get("route") for one in lines}
    figures = service.client.get("/metrics").text
    assert "Grace" not in figures and 'route="/v1/subjects/{subject}"' in figures
