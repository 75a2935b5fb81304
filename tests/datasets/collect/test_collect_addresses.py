from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.datasets.collect.addresses import is_public, parse, pinned, system_resolve
from lineament.errors import ForbiddenUrl, Unreachable

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2001:0:0:0:0:0:80ff:fffe",
    "2001:db8::1",
    "fe80::1%eth0",
    "nonsense",
    "fec0::1",
    "feff:ffff::1",
    "3fff::1",
    "3fff:fff::1",
    "192.88.99.1",
    "::ffff:192.88.99.1",
    "64:ff9b::c058:6301",
    "192.0.0.9",
    "192.0.0.170",
    "192.31.196.1",
    "192.52.193.1",
    "192.175.48.1",
    "2620:4f:8000::1",
    "2002:808:808::1",
    "2001::1",
    "2001:4:112::1",
    "64:ff9b:1::808:808",
    "::ffff:0:808:808",
    "100::1",
    "100:0:0:1::1",
    "5f00::1",
    "200::1",
    "4000::1",
    "fe00::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_private_address_is_public_however_it_is_wrapped(address: str) -> None:
    """Loopback, private, link-local, shared, reserved, multicast, also mapped, 6to4, Teredo and NAT64;
    site-local, documentation, protocol assignments, AS112, relays, and IPv6 that nobody was given."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "192.88.98.1",
        "192.88.100.1",
        "2606:4700:4700::1111",
        "2a00:1450::1",
        "2003::1",
        "3ffe::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    """The check lets through what it is there for."""
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a.jpg",
        "gopher://example.org/",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//example.org/a.jpg",
        "a.jpg",
        "",
        "http://",
        "http:///a.jpg",
        "http://user:pw@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org/a b.jpg",
        "http://example.org/a\r\nX-Injected: 1",
        "http://example.org/\0",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://127.0.0.1../",
        "http://[::1%25lo]/",
        "http://[::1",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://exa%6dple.org/",
        "http://-" + "a" * 64 + ".org/",
        "http://example.org/" + "a" * 9_000,
        "http://example.org/\ud800",
    ],
)
def test_urls_in_no_honest_form_are_refused(url: str) -> None:
    """Other schemes, logins, control characters and numeric hosts in disguise end in ForbiddenUrl."""
    with pytest.raises(ForbiddenUrl):
        parse(url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "①②⑦.0.0.1", "[::ffff:a9fe:a9fe]"]
)
def test_hosts_that_lead_to_this_machine_are_refused_when_resolved(host: str) -> None:
    """With the system's own resolver, no spelling of a private host gives an address to connect to."""
    with pytest.raises((ForbiddenUrl, Unreachable)):
        pinned(parse(f"http://{host}/"), system_resolve)


def test_a_public_looking_name_with_a_private_address_is_refused() -> None:
    """A name such as 10.0.0.1.nip.io is judged by where it leads."""
    with pytest.raises(ForbiddenUrl, match=r"10\.0\.0\.1"):
        pinned(parse("http://10.0.0.1.nip.io/"), lambda _host, _port: ["10.0.0.1"])


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    """Otherwise the order of a resolver's answer would decide."""
    with pytest.raises(ForbiddenUrl):
        pinned(parse("http://mixed.test/"), lambda _host, _port: ["8.8.8.8", "::1"])


def test_the_override_allows_exactly_the_address_it_names() -> None:
    """allow_private is a list of addresses, not a switch."""
    target = parse("http://here.test/")
    assert pinned(target, lambda _h, _p: ["127.0.0.1"], ("127.0.0.1",)) == "127.0.0.1"
    with pytest.raises(ForbiddenUrl):
        pinned(target, lambda _h, _p: ["127.0.0.2"], ("127.0.0.1",))


@pytest.mark.parametrize("port", [1, 22, 25, 81, 444, 3306, 6379, 8080, 8443, 11211, 65535])
def test_unusual_ports_are_asked_only_of_sites_that_the_user_named(port: int) -> None:
    """A site that is searched could lead to any service of a third; what it serves itself is at 80 or 443.
    The named site is one host at one port."""
    target = parse(f"http://photos.test:{port}/")
    for named in ((), ("photos.test",), (f"other.test:{port}",), ("photos.test:9",)):
        with pytest.raises(ForbiddenUrl, match="ports 80 and 443"):
            pinned(target, lambda _h, _p: ["8.8.8.8"], (), named)
    assert pinned(target, lambda _h, _p: ["8.8.8.8"], (), (f"photos.test:{port}",)) == "8.8.8.8"
    with pytest.raises(ForbiddenUrl):
        pinned(target, lambda _h, _p: ["10.0.0.1"], (), (f"photos.test:{port}",))


@pytest.mark.parametrize(
    "url",
    ["http://a.test/", "http://a.test:80/", "https://a.test/", "https://a.test:443/", "http://a.test:443/"],
)
def test_the_usual_ports_are_asked(url: str) -> None:
    """80 and 443, with either scheme."""
    assert pinned(parse(url), lambda _h, _p: ["8.8.8.8"]) == "8.8.8.8"


def test_a_name_without_an_address_is_unreachable() -> None:
    """Both an empty answer and the resolver's error."""

    def fails(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    for resolve in (fails, lambda _h, _p: []):
        with pytest.raises(Unreachable):
            pinned(parse("http://gone.test/"), resolve)


def test_a_url_has_one_canonical_spelling() -> None:
    """Host in lower-case IDNA, default port left out, fragment dropped, escapes kept, the rest quoted."""
    target = parse("HTTP://BÜCHER.example:80/ä%20b?q=ü&x=%2F#part")
    assert target.url == "http://xn--bcher-kva.example/%C3%A4%20b?q=%C3%BC&x=%2F"
    assert parse("https://[2606:4700::1111]:8443/").authority == "[2606:4700::1111]:8443"


@given(st.text(max_size=80))
def test_any_text_is_either_a_target_or_forbidden(text: str) -> None:
    """No input ends in anything else, and an accepted one is accepted again in its canonical spelling."""
    for url in (text, f"http://{text}", f"https://example.org/{text}"):
        try:
            target = parse(url)
        except ForbiddenUrl:
            continue
        assert parse(target.url) == target
