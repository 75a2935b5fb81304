"""Hostile pictures and names over HTTP end as they do in the library."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

from served import ADA, Served, photo, served

from hostile.names import HOSTILE_NAMES
from hostile.pictures import OK, files
from lineament.errors import InvalidSubject
from lineament.gallery.subjects import require_valid

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("hostile")) as one:
        yield one


def test_hostile_pictures_get_the_library_s_verdict(service: Served) -> None:
    """Each of the hostile files, sent in batches, is read or refused by the very error the library
    gives."""
    given = files()
    assert len(given) > 80
    names = sorted(given)
    ends: dict[str, str] = {}
    for start in range(0, len(names), 30):
        chunk = names[start : start + 30]
        sent = [("picture", (f"{n}.jpg", given[name][0])) for n, name in enumerate(chunk)]
        answer = service.client.post("/v1/detect", files=sent)
        assert answer.status_code == 200, answer.text
        for name, one in zip(chunk, answer.json()["pictures"], strict=True):
            ends[name] = OK if one["error"] is None else one["error"]["type"]
    assert ends == {name: wanted for name, (_, wanted) in given.items()}


@pytest.mark.parametrize("kind", sorted(HOSTILE_NAMES))
def test_hostile_names_are_kept_exactly_or_refused(service: Served, kind: str) -> None:
    """A name that the library takes is found, shown and erased under exactly that name; any other is
    refused by `InvalidSubject`; none is a path, a query or markup, and none ends in a 500."""
    name = HOSTILE_NAMES[kind]
    path = f"/v1/subjects/{quote(name, safe='', errors='surrogateescape')}"
    gallery = service.gallery()
    for known, _ in gallery.subjects():
        gallery.remove(known)
    try:
        require_valid(name)
    except InvalidSubject:
        answer = service.client.post(f"{path}/samples", content=photo(ADA), headers=JPEG)
        assert answer.status_code in (400, 404, 405, 422), answer.text
        assert gallery.subjects() == []
        return
    if set(name) == {"."}:
        path = path.replace(name, "%2E" * len(name))
    answer = service.client.post(f"{path}/samples", content=photo(ADA), headers=JPEG)
    if set(name) == {"."}:
        assert answer.status_code in (201, 404, 405)  # a client takes dots out of the path, quoted or not
        return
    assert answer.status_code == 201 and answer.json()["subject"] == name, answer.text
    assert service.client.get("/v1/subjects").json()["subjects"] == [{"subject": name, "samples": 1}]
    assert service.client.get(path).json()["subject"] == name
    assert service.client.delete(path).status_code == 200
    assert gallery.subjects() == []
