"""Which URLs and which network addresses may be asked: http and https, public addresses, usual ports.

A site that is searched chooses the URLs it answers with, so every one of them is hostile until checked.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from lineament.errors import ForbiddenUrl, Unreachable, UsageError
from lineament.io.names import shown

Resolve = Callable[[str, int], Sequence[str]]
"""Every address of a host and port."""

Site = tuple[str, int]
"""A host in ASCII and a port."""

_MAX_URL = 8_192
_DEFAULT_PORTS = {"http": 80, "https": 443}
# A resolver reads 0x7f.1, 017700000001 and 2130706433 as addresses; browsers do too, others do not.
_ENDS_IN_NUMBER = re.compile(r"(^|\.)(\d+|0[xX][0-9a-fA-F]*)\.?$")
# What is allowed to stand unquoted in a path and query, escapes included.
_SAFE_PATH = "/:@!$&'()*+,;=-._~%"
_SAFE_QUERY = _SAFE_PATH + "?[]"


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL: ``host`` in ASCII without brackets, ``path`` with its query, as sent."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header tells them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def site(self) -> Site:
        """Host and port."""
        return self.host, self.port

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a robots.txt holds for."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """The URL in its one canonical spelling."""
        return self.origin + self.path


def parse(url: str) -> Target:
    """Check a URL's form; raises `ForbiddenUrl`. Nothing is resolved."""
    name = shown(url)
    if len(url) > _MAX_URL:
        raise ForbiddenUrl(f"a URL of more than {_MAX_URL} characters: {name}")
    if any(c <= " " or c == "\\" or "\x7f" <= c <= "\xa0" for c in url):
        raise ForbiddenUrl(f"space, control character or backslash in the URL {name!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ForbiddenUrl(f"not a URL: {name} ({error})") from None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise ForbiddenUrl(f"only http and https are fetched, not {name}")
    if "@" in parts.netloc:
        raise ForbiddenUrl(f"a URL with a login is not fetched: {name}")
    if port == 0:
        raise ForbiddenUrl(f"port 0 in {name}")
    host = _host(parts.hostname or "", name)
    try:
        path = quote(parts.path or "/", safe=_SAFE_PATH)
        if parts.query:
            path += "?" + quote(parts.query, safe=_SAFE_QUERY)
    except UnicodeEncodeError:
        raise ForbiddenUrl(f"the URL {name} is not valid Unicode") from None
    return Target(scheme, host, port or _DEFAULT_PORTS[scheme], path)


def _host(host: str, name: str) -> str:
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise ForbiddenUrl(f"not an IPv6 address in {name}") from None
        if address.scope_id is not None:
            raise ForbiddenUrl(f"an address with a network interface in {name}")
        return str(address)
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ForbiddenUrl(f"not a host name in {name}") from None
    if not host or not re.fullmatch(r"[a-z0-9._-]+", host):
        raise ForbiddenUrl(f"not a host name in {name}")
    if _ENDS_IN_NUMBER.search(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ForbiddenUrl(f"an address in disguise, {host}, in {name}") from None
    return host.removesuffix(".")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet, whatever it is wrapped in."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return False
        if (inner := _wrapped(ip)) is not None:
            return is_public(str(inner))
        if ip not in _ALLOCATED_V6:
            return False
    return (
        ip.is_global
        and not (
            ip.is_private
            or ip.is_loopback
            or ip.is_link_local
            or ip.is_multicast
            or ip.is_reserved
            or ip.is_unspecified
        )
        and not any(ip in network for network in _SPECIAL)
    )


def own_sites(entries: Sequence[str]) -> frozenset[Site]:
    """The sites that ``HOST`` (ports 80 and 443) and ``HOST:PORT`` name, each exactly; raises `UsageError`.

    An IPv6 address with a port stands in brackets.
    """
    found: set[Site] = set()
    for entry in entries:
        bare = ":" in entry and _is_v6(entry)
        try:
            target = parse(f"http://[{entry}]/" if bare else f"http://{entry}/")
        except ForbiddenUrl as error:
            raise UsageError(f"{shown(entry)!r} names no site: {error}") from None
        if target.path != "/" or "://" in entry:
            raise UsageError(
                f"{shown(entry)!r} names no site: write a host or host:port, such as localhost:8000"
            )
        ports = {80, 443} if bare or not re.search(r":\d+$", entry) else {target.port}
        if _is_address(target.host) and not (is_public(target.host) or is_own(target.host)):
            raise UsageError(f"{target.host} is no address of a site: link-local, multicast or reserved")
        found |= {(target.host, port) for port in ports}
    return frozenset(found)


def is_own(address: str) -> bool:
    """Whether an address is of this machine or of a private network, where a site of one's own can be.

    Link-local addresses are not among them, nor those at which clouds hand out keys to who asks.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in _OWN) and not any(ip in network for network in _CLOUD_KEYS)


def _is_v6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


_OWN = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "127.0.0.0/8",
            "100.64.0.0/10",  # shared by a provider's customers; overlay networks use it too
            "::1/128",
            "fc00::/7",
        ),
    )
)
_CLOUD_KEYS = tuple(map(ipaddress.ip_network, ("100.100.100.200/32", "fd00:ec2::/32")))

_ALLOCATED_V6 = ipaddress.IPv6Network("2000::/3")
"""All that the open internet uses; site-local, unassigned and future ranges lie outside."""
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments, among them anycast of the own provider
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # relays of 6to4
            "192.175.48.0/24",  # AS112
            "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",
            "2002::/16",  # 6to4: through whatever relay is near
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
"""In IANA's registries of special addresses; not every version of Python knows all of them."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _wrapped(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def system_resolve(host: str, port: int) -> list[str]:
    """The system's addresses of a host, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def pinned(
    target: Target,
    resolve: Resolve,
    allow_private: Collection[str] = (),
    named: Collection[str] = (),
    own: Collection[Site] = (),
) -> str:
    """The one address to connect to. Resolves once; one address that is not public refuses them all.

    Ports other than 80 and 443 are asked only of the ``named`` sites (``host:port``): whoever is searched
    could else make us knock at the mail or database server of a third. A site in ``own``, one host at one
    port, may also lead to addresses that `is_own`; another name for such an address gains nothing.

    Raises `ForbiddenUrl`, or `Unreachable` when the name has no address.
    """
    try:
        addresses = list(resolve(target.host, target.port))
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{target.host}: no such host ({error})") from None
    if not addresses:
        raise Unreachable(f"{target.host}: no such host")
    theirs = target.site in own
    for address in addresses:
        usual = target.port in _DEFAULT_PORTS.values() or target.authority in named or theirs
        if not usual and address not in allow_private:
            raise ForbiddenUrl(f"{target.authority}: only ports 80 and 443 are asked of sites nobody named")
        if not (is_public(address) or address in allow_private or (theirs and is_own(address))):
            raise ForbiddenUrl(f"{target.host} leads to {address}, which is not a public address")
    return addresses[0]
