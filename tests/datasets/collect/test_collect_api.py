"""Answers of the documented shape, written by hand: the real interfaces were never asked."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from collect_site import Site, guest
from hypothesis import given
from hypothesis import strategies as st

from lineament.datasets.collect.api import Commons, Openverse, open_api, parse_commons, parse_openverse
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.run import Candidate
from lineament.errors import BadAnswer, ConfigError

HOPPER = Person("grace", "Grace Hopper & co")

OPENVERSE = {
    "result_count": 41,
    "page_count": 3,
    "page_size": 20,
    "page": 1,
    "results": [
        {
            "id": "4c1f1c1e-0000-4000-8000-000000000001",
            "title": "Grace Hopper",
            "foreign_landing_url": "https://photos.example.org/1",
            "url": "https://live.example.org/1_b.jpg",
            "creator": "Some One",
            "license": "by-sa",
            "license_version": "2.0",
            "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
            "mature": False,
        },
        {
            "id": "2",
            "url": "https://live.example.org/2.jpg",
            "creator": None,
            "license": "pdm",
            "license_version": None,
            "license_url": None,
            "foreign_landing_url": None,
        },
        {"id": "3", "title": "without an address", "url": None},
    ],
}


def commons_page(index: int, **about: Any) -> dict[str, Any]:
    return {"pageid": index, "ns": 6, "title": f"File:{index}.jpg", "index": index, "imageinfo": [about]}


COMMONS = {
    "continue": {"gsroffset": 50, "continue": "gsroffset||"},
    "query": {
        "pages": [
            commons_page(2, url="https://upload.example.org/2.jpg", mime="image/jpeg"),
            commons_page(
                1,
                url="https://upload.example.org/1.jpg",
                descriptionurl="https://commons.example.org/wiki/File:1.jpg",
                extmetadata={
                    "LicenseShortName": {"value": "Public domain", "source": "commons-desc-page"},
                    "LicenseUrl": {"value": "https://example.org/pd"},
                    "Artist": {"value": '<a href="//x"><bdi>James\n S. &amp; Davis</bdi></a><script>'},
                },
            ),
            {"pageid": 3, "ns": 6, "title": "File:missing.jpg", "missing": True},
        ]
    },
}


def test_openverse_tells_licence_author_and_page() -> None:
    """What is absent stays absent; an entry without an address is counted."""
    results = parse_openverse(OPENVERSE)
    assert results.candidates == (
        Candidate(
            "https://live.example.org/1_b.jpg",
            "https://photos.example.org/1",
            "by-sa 2.0 (https://creativecommons.org/licenses/by-sa/2.0/)",
            "Some One",
        ),
        Candidate("https://live.example.org/2.jpg", None, "pdm", None),
    )
    assert (results.next, results.unusable) == ("2", 1)
    assert parse_openverse({**OPENVERSE, "page": 3}).next is None
    assert parse_openverse({**OPENVERSE, "results": []}).next is None


def test_commons_tells_them_in_the_order_of_its_index() -> None:
    """Its texts are HTML and are read as text; the continuation is the offset."""
    results = parse_commons(COMMONS)
    assert results.candidates == (
        Candidate(
            "https://upload.example.org/1.jpg",
            "https://commons.example.org/wiki/File:1.jpg",
            "Public domain (https://example.org/pd)",
            "James S. & Davis",
        ),
        Candidate("https://upload.example.org/2.jpg"),
    )
    assert (results.next, results.unusable) == ("50", 1)
    nothing = parse_commons({"batchcomplete": True})
    assert (nothing.candidates, nothing.next) == ((), None)


@pytest.mark.parametrize("answer", [None, [], "x", 3, {"results": {}}, {"detail": "throttled"}])
def test_answers_of_another_shape_are_bad_answers(answer: Any) -> None:
    """An error page in JSON is not an empty result."""
    with pytest.raises(BadAnswer):
        parse_openverse(answer)


@pytest.mark.parametrize(
    "answer", [None, [], {"error": {"info": "maxlag"}}, {"query": []}, {"query": {"pages": {"1": {}}}}]
)
def test_errors_of_commons_are_bad_answers(answer: Any) -> None:
    """Its errors come with status 200."""
    with pytest.raises(BadAnswer):
        parse_commons(answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["results", "url", "query", "pages", "imageinfo", "extmetadata", "Artist", "value"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_results_or_a_bad_answer(answer: Any) -> None:
    """An interface may change in any way; nothing else comes out, and every candidate has a URL."""
    for parse in (parse_openverse, parse_commons):
        try:
            results = parse(answer)
        except BadAnswer:
            continue
        assert all(isinstance(c.url, str) and c.url for c in results.candidates)


@pytest.mark.parametrize(
    ("api", "path", "body", "words"),
    [
        (Openverse, "/v1/images/", OPENVERSE, ("q", "Grace Hopper & co")),
        (Commons, "/w/api.php", COMMONS, ("gsrsearch", "filetype:bitmap Grace Hopper & co")),
    ],
)
def test_the_words_and_the_page_are_asked_for(
    site: Site, api: Any, path: str, body: dict[str, Any], words: tuple[str, str]
) -> None:
    """One request a page, the words quoted whole; no robots.txt for an interface made for programs."""
    site.pages[path] = json.dumps(body).encode()
    search = api(guest()[0], base=site.url)
    following = search.page(HOPPER, None, 10).next
    search.page(HOPPER, following, 10)
    first, second = (parse_qs(urlsplit(asked).query) for asked in site.asked)
    assert first[words[0]] == second[words[0]] == [words[1]]
    assert second != first and following in {value[0] for value in second.values()}
    site.pages[path] = b"<html>sorry"
    with pytest.raises(BadAnswer, match="not JSON"):
        search.page(HOPPER, None, 10)


def test_an_unknown_interface_names_the_known_ones() -> None:
    """A typing error is told before anything is asked."""
    with pytest.raises(ConfigError, match="openverse, commons"):
        open_api("flickr", guest()[0])
    assert open_api("commons", guest()[0]).name == "commons"
