"""``/api/v1``: the calls that CompreFace documents, and the habits of its clients."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

from served import ADA, BOB, Served, empty, photo, served
from starlette.testclient import TestClient

from lineament.records import Changes
from lineament.service.compreface.answers import image_id, sample_id
from lineament.service.compreface.queries import Query
from lineament.service.compreface.scale import rounded, scaled

API = "/api/v1"
NO_FACE = {"message": "No face is found in the given image", "code": 28}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("compreface")) as one:
        yield one


@pytest.fixture
def client(shared: Served) -> TestClient:
    """A client with a key of CompreFace's, to a gallery without anybody."""
    store = shared.gallery().store
    store.commit(Changes(erase=[name for name, _ in store.subjects()]))
    shared.app._app.state.announced.of(None).clear()  # type: ignore[attr-defined]
    made = shared.as_("unused")
    del made.headers["Authorization"]
    made.headers["x-api-key"] = shared.keys.new_compreface()[1]
    return made


def group(*pictures: bytes) -> bytes:
    """Several photos as one, the first the largest face."""
    from lineament.io import images

    parts = [images.load(one).pixels for one in pictures]
    height = max(len(part) for part in parts)
    padded = [np.pad(part, ((0, height - len(part)), (0, 0), (0, 0))) for part in parts]
    return images.encode_jpeg(np.concatenate(padded, axis=1))


def sent(picture: bytes, name: str = "photo.jpg") -> dict[str, Any]:
    return {"files": {"file": (name, picture)}}


def add(client: TestClient, subject: str, picture: bytes) -> dict[str, str]:
    answer = client.post(f"{API}/recognition/faces", params={"subject": subject}, **sent(picture))
    assert answer.status_code == 201, answer.text
    told: dict[str, str] = answer.json()
    return told


@pytest.mark.parametrize("service", ["recognition", "detection", "verification"])
def test_keys_are_refused_as_clients_expect(client: TestClient, shared: Served, service: str) -> None:
    """Missing, malformed and unknown keys: 400 or 404 with the codes 20, 26 and 10; never 401."""
    path = f"{API}/{service}/x"
    unknown, ended = str(uuid.uuid4()), shared.keys.new_compreface()
    shared.keys.revoke(ended[0].id)
    del client.headers["x-api-key"]
    missing = client.post(path)
    assert (missing.status_code, missing.json()) == (
        400,
        {"message": "Missing header: x-api-key", "code": 20},
    )
    for wrong in ("", "x", unknown[:-1], unknown.replace("-", ""), shared.admin):
        answer = client.post(path, headers={"x-api-key": wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, 26)
    for wrong in (unknown, ended[1]):
        answer = client.post(path, headers={"X-API-KEY": wrong})
        told = f"{service.capitalize()} service with API Key {wrong} not found"
        assert (answer.status_code, answer.json()) == (404, {"message": told, "code": 10})


def test_subjects_are_added_renamed_merged_and_deleted(client: TestClient) -> None:
    """The statuses and bodies of the documented calls; a subject that has no face yet is listed, too."""
    url = f"{API}/recognition/subjects"
    added = client.post(url, json={"subject": "Ann"})
    assert (added.status_code, added.json()) == (201, {"subject": "Ann"})
    again = client.post(url, json={"subject": "Ann"})
    assert (again.status_code, again.json()) == (400, {"message": "Subject already exists", "code": 43})
    add(client, "Bob B", photo(BOB))
    for path in (url, url + "/"):
        assert client.get(path).json() == {"subjects": ["Bob B", "Ann"]}
    # The Python client sends a field more, and does not quote.
    renamed = client.put(f"{url}/Bob B", json={"api_endpoint": "Bob B", "subject": "Bob"})
    assert (renamed.status_code, renamed.json()) == (200, {"updated": True})
    assert client.put(f"{url}/Bob", json={"subject": "Bob"}).json() == {"updated": False}
    add(client, "Robert", photo(BOB, 300))
    assert client.put(f"{url}/Robert", json={"subject": "Bob"}).json() == {"updated": True}
    assert client.get(f"{API}/recognition/faces").json()["total_elements"] == 2
    assert client.put(f"{url}/Ann", json={"subject": "Anna"}).json() == {"updated": True}
    assert client.delete(f"{url}/Anna").json() == {"subject": "Anna"}
    for method in ("PUT", "DELETE"):
        answer = client.request(method, f"{url}/Nobody", json={"subject": "x"})
        assert (answer.status_code, answer.json()) == (
            404,
            {"message": "Subject Nobody not found", "code": 42},
        )
    client.post(url, json={"subject": "Cleo"})
    assert client.delete(url).json() == {"deleted": 2}
    assert client.get(url).json() == {"subjects": []}


@pytest.mark.parametrize(
    ("subject", "code"),
    [("", 26), ("  ", 26), ("x" * 51, 26), ("a;b", 36), ("a/b", 36), ("a\\b", 36), (None, 26)],
)
def test_names_of_subjects_follow_upstream_s_rules(client: TestClient, subject: object, code: int) -> None:
    """Blank, long and with certain characters: refused as there; a face may have such a subject all the
    same."""
    answer = client.post(f"{API}/recognition/subjects", json={"subject": subject})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    if code == 36:
        assert add(client, str(subject), photo(ADA))["subject"] == subject


def test_faces_are_added_listed_and_deleted(client: TestClient) -> None:
    """By form or base64, a page at a time, one by one, several, of a subject and all; ids are UUIDs."""
    url = f"{API}/recognition/faces"
    first = add(client, "Ann", photo(ADA))
    assert str(uuid.UUID(first["image_id"])) == first["image_id"] and first["subject"] == "Ann"
    assert add(client, "Ann", photo(ADA)) == first
    text = base64.b64encode(photo(BOB)).decode()
    for body in (text, f"data:image/jpeg;base64,{text}"):
        second = client.post(url, params={"subject": "Bob"}, json={"file": body})
        assert second.status_code == 201, second.text
    listed = client.get(url).json()
    assert sorted(one["subject"] for one in listed["faces"]) == ["Ann", "Bob"]
    shape = {name: listed[name] for name in ("page_number", "page_size", "total_pages", "total_elements")}
    assert shape == {"page_number": 0, "page_size": 20, "total_pages": 1, "total_elements": 2}
    pages = [client.get(url, params={"page": n, "size": 1}).json() for n in range(3)]
    assert [len(page["faces"]) for page in pages] == [1, 1, 0] and pages[0]["total_pages"] == 2
    assert pages[0]["faces"] + pages[1]["faces"] == listed["faces"]
    assert client.get(url, params={"subject": "Ann"}).json()["faces"] == [first]
    photo_of = client.get(f"{url}/{first['image_id']}/img")
    assert (photo_of.status_code, photo_of.content) == (200, b"")
    assert client.delete(f"{url}/{first['image_id']}").json() == first
    gone = client.delete(f"{url}/{first['image_id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, 44)
    add(client, "Ann", photo(ADA))
    deleted = client.post(f"{url}/delete", json=[first["image_id"], str(uuid.uuid4()), "x"])
    assert deleted.json() == [first]
    add(client, "Ann", photo(ADA))
    assert client.delete(url, params={"subject": "Nobody"}).json() == {"deleted": 0}
    assert client.delete(url, params={"subject": "Ann"}).json() == {"deleted": 1}
    add(client, "Ann", photo(ADA))
    assert client.delete(url).json() == {"deleted": 2}


def test_what_cannot_be_enrolled_has_upstream_s_code(client: TestClient) -> None:
    """No face and a broken picture are 28, several faces 31, a missing part 34, no subject 33."""
    url = f"{API}/recognition/faces"
    for picture in (empty(), b"no picture", photo(ADA)[:4000]):
        answer = client.post(url, params={"subject": "Ann"}, **sent(picture))
        assert (answer.status_code, answer.json()) == (400, NO_FACE)
    several = client.post(url, params={"subject": "Ann"}, **sent(group(photo(ADA), photo(BOB))))
    assert (several.status_code, several.json()["code"]) == (400, 31)
    for files, code in (
        ({"other": ("a.jpg", photo(ADA))}, 34),
        ({"file": ("a.txt", photo(ADA))}, 21),
        ({"file": (None, photo(ADA))}, 21),
    ):
        answer = client.post(url, params={"subject": "Ann"}, files=files)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    for body, code in (({}, 5), ({"file": ""}, 5), ({"file": "no base64!"}, 21)):
        assert client.post(url, params={"subject": "Ann"}, json=body).json()["code"] == code
    assert client.post(url, **sent(photo(ADA))).json()["code"] == 33
    assert client.post(url, params={"subject": " "}, **sent(photo(ADA))).json()["code"] == 26
    assert client.get(f"{API}/recognition/subjects").json() == {"subjects": []}


def test_recognising_always_names_the_nearest(client: TestClient) -> None:
    """A subject however far, similarities that cross 0.5 where our decision changes, the largest face
    first; an empty collection gives an empty list."""
    url = f"{API}/recognition/recognize"
    assert client.post(url, **sent(photo(ADA))).json()["result"][0]["subjects"] == []
    add(client, "Ann", photo(ADA))
    [face] = client.post(url, **sent(photo(ADA, 300))).json()["result"]
    assert set(face) == {"box", "subjects"} and set(face["box"]) == {
        "probability", "x_max", "x_min", "y_max", "y_min"
    }  # fmt: skip
    [nearest] = face["subjects"]
    assert nearest["subject"] == "Ann" and nearest["similarity"] > 0.9
    [stranger] = client.post(url, **sent(photo(BOB))).json()["result"]
    assert stranger["subjects"][0]["subject"] == "Ann" and stranger["subjects"][0]["similarity"] < 0.5
    add(client, "Bob", photo(BOB))
    both = client.post(
        url, params={"prediction_count": 5}, **sent(group(photo(BOB), photo(ADA, 240)))
    ).json()
    assert [[one["subject"] for one in face["subjects"]] for face in both["result"]] == [
        ["Bob", "Ann"],
        ["Ann", "Bob"],
    ]
    largest = client.post(url, params={"limit": 1}, **sent(group(photo(BOB), photo(ADA, 240)))).json()
    assert [face["subjects"][0]["subject"] for face in largest["result"]] == ["Bob"]
    assert client.post(url, **sent(empty())).json() == NO_FACE
    high = client.post(url, params={"det_prob_threshold": "1"}, **sent(photo(ADA)))
    assert high.json() == NO_FACE


def test_plugins_are_told_where_they_are_asked_for(client: TestClient) -> None:
    """Landmarks, age, gender, pose and embedding, with blanks in the list and names that are none; with
    status also versions and times."""
    plugins = "landmarks, age,gender,pose,calculator,undefined"
    query = f"?&limit=0&det_prob_threshold=0.5&prediction_count=1&status=True&face_plugins={plugins}"
    answer = client.post(f"{API}/recognition/recognize{query}", **sent(photo(ADA))).json()
    [face] = answer["result"]
    assert len(face["landmarks"]) == 5 and face["landmarks"][0][0] < face["landmarks"][1][0]
    assert face["age"]["low"] <= face["age"]["high"] and face["gender"]["value"] in ("male", "female")
    assert 0 <= face["gender"]["probability"] <= 1 and set(face["pose"]) == {"pitch", "roll", "yaw"}
    assert len(face["embedding"]) == 128 and face["execution_time"]["detector"] > 0
    assert answer["plugins_versions"]["detector"] == "yunet"
    plain = client.post(f"{API}/detection/detect", **sent(photo(ADA))).json()
    assert set(plain) == {"result"} and set(plain["result"][0]) == {"box"}


def test_pictures_and_enrolled_faces_are_verified(client: TestClient) -> None:
    """The source has one face and the target any number; an enrolled face is compared by its id, and an id
    that is none gives an empty subject."""
    both = group(photo(ADA), photo(BOB, 240))
    files = {"source_image": ("s.jpg", photo(ADA, 300)), "target_image": ("t.jpg", both)}
    [answer] = client.post(f"{API}/verification/verify", files=files).json()["result"]
    similar = [face["similarity"] for face in answer["face_matches"]]
    assert set(answer["source_image_face"]) == {"box"} and similar[0] > 0.9 and similar[1] < 0.5
    swapped = {"source_image": files["target_image"], "target_image": files["source_image"]}
    assert client.post(f"{API}/verification/verify", files=swapped).json()["code"] == 31
    text = {name: base64.b64encode(file[1]).decode() for name, file in files.items()}
    assert client.post(f"{API}/verification/verify", json=text).json()["result"] == [answer]
    assert client.post(f"{API}/verification/verify", json={}).json()["code"] == 5
    face = add(client, "Ann", photo(ADA))
    [one] = client.post(
        f"{API}/recognition/faces/{face['image_id']}/verify", **sent(photo(ADA, 300))
    ).json()["result"]
    assert one["subject"] == "Ann" and one["similarity"] > 0.9
    [none] = client.post(f"{API}/recognition/faces/{uuid.uuid4()}/verify", **sent(photo(ADA))).json()[
        "result"
    ]
    assert (none["subject"], none["similarity"]) == ("", 0)


def test_embeddings_come_back_as_they_went_out_and_foreign_ones_are_refused(client: TestClient) -> None:
    """What `calculator` gave is searched and compared; numbers of another model, length or kind are 26."""
    face = add(client, "Ann", photo(ADA))
    seen = client.post(
        f"{API}/detection/detect", params={"face_plugins": "calculator"}, **sent(photo(ADA, 300))
    )
    [vector] = [one["embedding"] for one in seen.json()["result"]]
    url = f"{API}/recognition/embeddings"
    [found] = client.post(f"{url}/recognize", json={"embeddings": [vector]}).json()["result"]
    assert found["similarities"][0]["subject"] == "Ann" and found["similarities"][0]["similarity"] > 0.9
    [same] = client.post(f"{url}/faces/{face['image_id']}/verify", json={"embeddings": [vector]}).json()[
        "result"
    ]
    other = [-one for one in vector]
    compared = client.post(
        f"{API}/verification/embeddings/verify", json={"source": vector, "targets": [other, vector]}
    ).json()["result"]
    assert compared[0]["similarity"] > 0.999 and compared[1]["similarity"] < 0.001
    assert [one["embedding"] for one in compared] == [vector, other] and same["similarity"] > 0.9
    for wrong in (
        [0.1] * 512,
        [0.1] * 128,
        ["x"] * 128,
        [1e39] * 128,
        [None] * 128,
        vector[:-1],
        [[vector]],
        1,
    ):
        answer = client.post(f"{url}/recognize", json={"embeddings": [wrong]})
        assert (answer.status_code, answer.json()["code"]) == (400, 26), wrong
    assert client.post(f"{url}/recognize", json={"embeddings": []}).json()["code"] == 5


def test_odd_queries_mean_what_their_clients_mean() -> None:
    """A query that begins with &, options joined by question marks, names that come twice, blanks and
    escapes, as the clients in the wild send them."""
    for query, values in (
        (b"&limit=2&prediction_count=3", {"limit": "2", "prediction_count": "3"}),
        (b"subject=Ann?det_prob_threshold=0.8", {"subject": "Ann", "det_prob_threshold": "0.8"}),
        (b"limit=0?prediction_count=1&status=true?face_plugins=age", {"limit": "0", "face_plugins": "age"}),
        (b"subject=Who%3F+am%20I", {"subject": "Who? am I"}),
        (b"subject=a&subject=b", {"subject": "a"}),
        (b"subject=%C3%A9", {"subject": "\u00e9"}),
        (b"", {}),
    ):
        found = Query.of(query).values
        assert {name: found[name] for name in values} == values, query
    assert Query.of(b"status=True").flag("status") and not Query.of(b"status=false").flag("status")
    assert Query.of(b"prediction_count=-1").predictions is None and Query.of(b"").predictions == 1


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=x", "prediction_count=0", "prediction_count=-2", "det_prob_threshold=nan"],
)
def test_options_that_are_none_are_refused(client: TestClient, query: str) -> None:
    """A number out of its range, or none at all, is 400 with the code 26."""
    answer = client.post(f"{API}/recognition/recognize?{query}", **sent(photo(ADA)))
    assert (answer.status_code, answer.json()["code"]) == (400, 26)


def test_of_two_parts_of_one_name_the_file_counts(client: TestClient) -> None:
    """Some pages append the picture and then its data URL; a trailing slash loses no body."""
    both = [("file", (None, "data:image/jpeg;base64,AA==")), ("file", ("blob", photo(ADA)))]
    answer = client.post(f"{API}/detection/detect/", files=both)  # type: ignore[arg-type]
    assert answer.status_code == 200 and len(answer.json()["result"]) == 1


def test_paths_and_methods_that_are_none_are_404(client: TestClient) -> None:
    """With CompreFace's body; what it serves without a key is not served at all."""
    absent = ("GET /nothing", "PATCH /recognition/subjects", "POST /migrate", "GET /consistence/status",
              f"GET /static/{uuid.uuid4()}/images/x")  # fmt: skip
    for method, path in (one.split() for one in absent):
        answer = client.request(method, API + path)
        assert answer.status_code == 404 and set(answer.json()) == {"message", "code"}, path


def test_the_scale_is_monotone_and_crosses_a_half_at_the_threshold() -> None:
    """Whatever is more similar by cosine is at least as similar there; 0 and 1 are its ends."""
    cosines = np.linspace(-1, 1, 400)
    for threshold in (0.2, 0.36, 0.6):
        on = [scaled(float(one), threshold) for one in cosines]
        assert on == sorted(on) and 0 <= on[0] <= on[-1] <= 1
        assert scaled(threshold, threshold) == 0.5
        assert all((one > 0.5) == (cosine > threshold) for one, cosine in zip(on, cosines, strict=True))
    assert rounded(0.123455) == pytest.approx(0.12346, abs=1.1e-5) and rounded(1.0) == 1


def test_an_id_goes_out_as_a_uuid_and_comes_back() -> None:
    """A sample's id is found again in what clients take for a UUID; ids of another form stay as they
    are."""
    sample = "0123456789abcdef01234567"
    assert sample_id(image_id(sample)) == sample_id(image_id(sample).upper()) == sample
    assert uuid.UUID(image_id(sample)) and image_id("mine") == sample_id("mine") == "mine"
