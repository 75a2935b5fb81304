"""``/v1``: faces in pictures, people in the gallery, and writes that are done once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

from served import ADA, ADA_AGAIN, BOB, Served, empty, photo, served

from lineament.analyzer import Analyzer
from lineament.records import Changes

JPEG = {"Content-Type": "image/jpeg"}
ODD = "a/b?c#d%2F \u00e9\u202e<script>"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("faces")) as one:
        yield one


@pytest.fixture
def service(shared: Served) -> Served:
    """The one service of this file, with nobody in its gallery."""
    store = shared.gallery().store
    store.commit(Changes(erase=[name for name, _ in store.subjects()]))
    return shared


def enrol(service: Served, name: str, *pictures: bytes, **query: Any) -> Any:
    files = [("picture", ("p.jpg", one)) for one in pictures]
    return service.client.post(f"/v1/subjects/{quoted(name)}/samples", files=files, params=query)


def quoted(name: str) -> str:
    return quote(name, safe="")


def b64(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


def test_a_picture_may_come_in_three_ways(service: Served) -> None:
    """As it is, as parts of a form, and as base64: the same faces; several pictures keep their order, each
    with its own outcome."""
    raw = service.client.post("/v1/detect", content=photo(ADA), headers=JPEG).json()
    form = service.client.post("/v1/detect", files={"picture": ("a.jpg", photo(ADA))}).json()
    text = service.client.post("/v1/detect", json={"pictures": [b64(photo(ADA))]}).json()
    assert raw == form == text
    several = [b64(photo(ADA)), b64(empty()), b64(b"GIF89a broken"), b64(photo(BOB))]
    found = service.client.post("/v1/detect", json={"pictures": several}).json()["pictures"]
    assert [one["picture"] for one in found] == [1, 2, 3, 4]
    assert [one["outcome"] for one in found] == ["ok", "no_face", "refused", "ok"]
    assert found[2]["error"]["type"] == "CorruptPicture" and found[0]["faces"][0]["quality"] is None


def test_answers_are_those_of_the_library(service: Served) -> None:
    """Boxes, landmarks, quality and embeddings are what the analyzer says of the same bytes."""
    with Analyzer() as analyzer:
        wanted = analyzer.analyze_one(photo(ADA))
    answer = service.client.post("/v1/embeddings", content=photo(ADA), headers=JPEG).json()
    [face] = answer["pictures"][0]["faces"]
    assert wanted.faces.embeddings is not None and answer["model"] == str(wanted.faces.model)
    np.testing.assert_allclose(face["embedding"], wanted.faces.embeddings[0], atol=1e-4)
    np.testing.assert_allclose(face["box"], wanted.faces.boxes[0], atol=1e-2)
    described = service.client.post("/v1/analyze", content=photo(ADA), headers=JPEG).json()
    assert described["pictures"][0]["faces"][0]["quality"]["score"] == pytest.approx(
        wanted.faces.quality[0].score,
        abs=1e-3,  # type: ignore[index]
    )
    assert "embedding" not in described["pictures"][0]["faces"][0]


def test_two_pictures_are_compared_at_the_measured_threshold(service: Served) -> None:
    """One person is a match and two are none, by the threshold's own provenance; what is missing is
    named."""
    same = service.client.post("/v1/verify", files={"a": photo(ADA), "b": photo(ADA, 300)}).json()
    other = service.client.post("/v1/verify", files={"a": photo(ADA), "b": photo(BOB)}).json()
    assert (same["decision"], other["decision"]) == ("match", "no_match")
    assert same["threshold"]["target_rate"] == 0.001 and same["a"] == {**same["a"], "face": 1, "faces": 1}
    assert service.client.post("/v1/verify", files={"a": photo(ADA)}).status_code == 400
    none = service.client.post("/v1/verify", json={"a": b64(photo(ADA)), "b": b64(empty())})
    assert none.status_code == 422 and none.json()["error"]["type"] == "NoFaceFound"
    absent = service.client.post(
        "/v1/verify", files={"a": photo(ADA), "b": photo(BOB)}, params={"face_a": "9"}
    )
    assert absent.status_code == 422 and absent.json()["error"]["type"] == "NoSuchFace"
    wrong = service.client.post(
        "/v1/verify", files={"a": photo(ADA), "b": photo(BOB)}, params={"face_a": "x"}
    )
    assert wrong.status_code == 400


def test_a_subject_from_its_first_picture_to_its_erasure(service: Served) -> None:
    """Enrolled, found, compared, listed, shown, disputed, renamed, merged, exported and erased, as the
    library does it; under a name that no path could hold."""
    first = enrol(service, ODD, photo(ADA))
    assert first.status_code == 201, first.text
    again = enrol(service, ODD, photo(ADA))
    assert again.status_code == 200
    [one], [two] = first.json()["pictures"], again.json()["pictures"]
    assert one["enrolled"] and not two["enrolled"] and two["sample"] == one["sample"]
    assert two["error"]["type"] == "AlreadyEnrolled"
    assert enrol(service, "Bob", photo(BOB)).status_code == 201

    found = service.client.post(
        "/v1/identify", content=photo(ADA, 300), headers=JPEG, params={"top": 1}
    ).json()
    [face] = found["pictures"][0]["faces"]
    assert face["decision"] == "match" and [c["subject"] for c in face["candidates"]] == [ODD]
    compared = service.client.post(
        f"/v1/subjects/{quoted(ODD)}/verify", content=photo(ADA, 300), headers=JPEG
    )
    assert compared.json()["decision"] == "match"

    disputed = service.client.post("/v1/subjects/Bob/disputes", content=photo(ADA_AGAIN), headers=JPEG)
    assert disputed.status_code == 201 and "embedding" not in disputed.json()
    shown = service.client.get("/v1/subjects/Bob").json()
    assert len(shown["samples"]) == 1 and [d["id"] for d in shown["disputes"]] == [disputed.json()["id"]]
    assert "source" not in json.dumps(shown)

    renamed = service.client.patch(f"/v1/subjects/{quoted(ODD)}", json={"subject": "Ada"})
    assert (
        renamed.status_code == 200 and service.client.get(f"/v1/subjects/{quoted(ODD)}").status_code == 404
    )
    exported = service.client.get("/v1/subjects/Ada/export").json()
    assert len(exported["samples"][0]["embedding"]) == 128 and exported["model"].startswith("light@")
    gone = service.client.delete(f"/v1/samples/{disputed.json()['id']}")
    assert gone.json()["records"] == 1
    merged = service.client.post("/v1/subjects/Ada/merge", json={"into": "Bob"})
    assert merged.status_code == 200
    assert service.client.get("/v1/subjects").json() == {
        "subjects": [{"subject": "Bob", "samples": 2}],
        "next": None,
    }
    erased = service.client.delete("/v1/subjects/Bob")
    assert erased.json()["records"] == 3 and "files" not in erased.json()
    assert service.client.get("/v1/gallery").json()["people"] == 0
    assert service.client.delete("/v1/subjects/Bob").status_code == 404


def test_a_refused_picture_is_told_by_the_library_s_name(service: Served) -> None:
    """What cannot be enrolled ends in the library's error and its status, with nobody else's name in it; of
    several pictures each has its own."""
    enrol(service, "Ada", photo(ADA))
    for name, picture, status, kind in (
        ("Bob", empty(), 422, "NoFaceFound"),
        ("Bob", b"%PDF-1.7", 415, "UnsupportedFormat"),
        ("Bob", photo(ADA)[:3000], 422, "CorruptPicture"),
        ("Bob", b"", 422, "EmptyPicture"),
        ("Bob", photo(ADA), 409, "FaceOfAnotherSubject"),
        ("Bob", photo(ADA, 300), 409, "FaceOfAnotherSubject"),
        ("a\nb", photo(BOB), 422, "InvalidSubject"),
        (" a", photo(BOB), 422, "InvalidSubject"),
        ("x" * 256, photo(BOB), 422, "InvalidSubject"),
    ):
        answer = enrol(service, name, picture)
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind), answer.text
        assert "Ada" not in answer.text
    mixed = enrol(service, "Bob", empty(), photo(BOB))
    assert mixed.status_code == 201
    assert [one["enrolled"] for one in mixed.json()["pictures"]] == [False, True]
    allowed = enrol(service, "Ada too", photo(ADA, 300), allow="other-subject")
    assert allowed.status_code == 201, allowed.text


def test_subjects_come_a_page_at_a_time(service: Served) -> None:
    """Cursors lead through all names once and in order; a cursor that is none is refused."""
    gallery = service.gallery()
    enrol(service, "a", photo(ADA))
    [record] = gallery.show("a").samples
    names = ["a", *(f"n{n:02}" for n in range(6)), "\u00e9/\u202e"]
    gallery.store.commit(
        Changes(put=[replace(record, id=f"{n:024}", subject=one) for n, one in enumerate(names[1:])])
    )
    found: list[str] = []
    cursor = None
    for _ in range(4):
        page = service.client.get(
            "/v1/subjects", params={"limit": 3, **({"after": cursor} if cursor else {})}
        ).json()
        found += [one["subject"] for one in page["subjects"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == sorted(names)
    for wrong in ("\u00e9", "a", "_w"):
        assert service.client.get("/v1/subjects", params={"after": wrong}).status_code == 400


def test_a_write_with_an_idempotency_key_is_done_once(service: Served) -> None:
    """The same request again gives the first answer and does nothing; another one under the same key is
    refused, and another actor's key is another key. What failed is done again."""
    once = {"Idempotency-Key": "one", **JPEG}
    url = "/v1/subjects/Ada/samples"
    failed = service.client.post(url, content=empty(), headers=once)
    assert failed.status_code == 422
    first = service.client.post(url, content=photo(ADA), headers=once)
    again = service.client.post(url, content=photo(ADA), headers=once)
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first.headers
    other = service.client.post(url, content=photo(BOB), headers=once)
    assert other.status_code == 422 and other.json()["error"]["type"] == "KeyReused"
    someone = service.as_(service.keys.new()[1]).post(url, content=photo(ADA), headers=once)
    assert someone.status_code == 200 and "Idempotency-Replayed" not in someone.headers
    assert (
        service.client.post(url, content=photo(ADA), headers={"Idempotency-Key": "x" * 256}).status_code
        == 400
    )

    gone = {"Idempotency-Key": "gone"}
    erased = service.client.delete("/v1/subjects/Ada", headers=gone)
    assert service.client.delete("/v1/subjects/Ada", headers=gone).json() == erased.json()
    assert service.client.delete("/v1/subjects/Ada").status_code == 404
    anew = service.client.post(url, content=photo(ADA), headers=once)
    assert anew.status_code == 201 and "Idempotency-Replayed" not in anew.headers


def test_the_models_and_thresholds_say_where_they_come_from(service: Served) -> None:
    """Each model with its licence and digest, each threshold with its data; readiness is told once
    loaded."""
    models = {one["name"]: one for one in service.client.get("/v1/models").json()["models"]}
    assert {"yunet", "sface"} <= set(models) and len(models["sface"]["sha256"]) == 64
    thresholds = service.client.get("/v1/thresholds").json()
    assert thresholds["comparisons"]["measured_on"] and thresholds["searches"] in thresholds["measured"]
    assert service.client.get("/readyz").json() == {"status": "ready"}
    figures = service.client.get("/metrics").text
    assert 'lineament_requests_total{method="GET",route="/v1/models",status="200"} 1' in figures
    assert (
        "lineament_request_duration_seconds_bucket" in figures and "lineament_pictures_waiting 0" in figures
    )


def test_what_is_no_value_is_refused_by_its_name(service: Served) -> None:
    """A query that is out of range, a method or a path that is not there: the envelope, never another
    form."""
    for method, path, status in (
        ("GET", "/v1/subjects?limit=0", 400),
        ("GET", "/v1/subjects?limit=x", 400),
        ("POST", "/v1/identify?top=1000", 400),
        ("DELETE", "/v1/subjects/x?alike=maybe", 400),
        ("PUT", "/v1/subjects", 405),
        ("GET", "/v1/subjects/%ff", 400),
        ("GET", "/v1/subjects/", 404),
        ("POST", "/v1/detect", 415),
    ):
        answer = service.client.request(method, path)
        assert answer.status_code == status, (path, answer.text)
        assert set(answer.json()) == {"error"} and answer.json()["error"]["request_id"]
