"""Who asks: a key in a header, or, without keys, anybody on this very machine.

What is decided here rests on the path as it was sent and on the headers alone. The Host header is never
asked where something lies; without keys it must name this machine, so that no foreign name that resolves to
it (DNS rebinding) opens anything.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers

from lineament.errors import UsageError
from lineament.service.errors import Refused, unauthorised
from lineament.service.keys import Key, KeyFile, Kind, Scope

EVERYTHING = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks: by the id of a key, with its scopes, for one gallery (None: the one served)."""

    id: str
    scopes: frozenset[Scope]
    gallery: str | None = None

    def require(self, scope: Scope) -> None:
        """Raise `Refused` (403) without the scope."""
        if scope not in self.scopes and Scope.ADMIN not in self.scopes:
            raise Refused(403, "Forbidden", f"this key is not for that; it needs the scope {scope}")


class Access(Protocol):
    """Says who asks."""

    def admit(self, headers: Headers) -> Actor:
        """The actor of a request to ``/v1``; raises `Refused` (401, 421)."""
        ...

    def admit_compreface(self, headers: Headers) -> Actor:
        """The actor of a request to ``/api/v1``; raises `CompreFaceKey` with the key that was sent."""
        ...


class CompreFaceKey(Exception):
    """What is wrong with a key of ``/api/v1``: ``missing``, ``malformed`` or ``unknown``."""

    def __init__(self, wrong: str, key: str = "") -> None:
        super().__init__(wrong)
        self.wrong, self.key = wrong, key


class ByKeys:
    """Admits the keys of a file."""

    def __init__(self, keys: KeyFile) -> None:
        self.keys = keys

    def admit(self, headers: Headers) -> Actor:
        """``Authorization: Bearer KEY``, or the key alone in ``X-Api-Key``."""
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            secret = headers.get("x-api-key", "")
        if not secret:
            raise unauthorised()
        return self._actor(self._valid(secret.strip(), Kind.OWN) or _unknown())

    def admit_compreface(self, headers: Headers) -> Actor:
        """The UUID in ``x-api-key``."""
        secret = headers.get("x-api-key")
        if secret is None:
            raise CompreFaceKey("missing")
        if not _is_uuid(secret):
            raise CompreFaceKey("malformed")
        key = self._valid(secret.lower(), Kind.COMPREFACE)
        if key is None:
            raise CompreFaceKey("unknown", secret)
        return self._actor(key)

    def _valid(self, secret: str, kind: Kind) -> Key | None:
        key = self.keys.find(secret)
        return key if key is not None and key.valid and key.kind is kind else None

    def _actor(self, key: Key) -> Actor:
        self.keys.used(key)
        return Actor(key.id, key.scopes, key.gallery)


class WithoutKeys:
    """Admits whoever reaches a loopback address, and asks under its name or number."""

    def __init__(self, port: int) -> None:
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    def admit(self, headers: Headers) -> Actor:
        """Anybody, for everything; raises `Refused` for another Host, and for what a web page sends."""
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            raise Refused(
                421, "Misdirected", "without keys only this machine is answered, under its own name"
            )
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") or _foreign(
            headers, self._hosts
        ):
            raise Refused(403, "Forbidden", "without keys no web page is answered")
        return Actor("local", EVERYTHING)

    def admit_compreface(self, headers: Headers) -> Actor:
        """The same; a key is not looked at."""
        return self.admit(headers)


def require_loopback(host: str) -> None:
    """Raise `UsageError` unless only this machine reaches the address."""
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise UsageError(
            f"--insecure-local takes 127.0.0.1, ::1 or localhost, not {host}: others could ask, too"
        )


def _foreign(headers: Mapping[str, str], hosts: set[str]) -> bool:
    origin = headers.get("origin")
    return origin is not None and origin not in {f"http://{host}" for host in hosts}


def _is_uuid(text: str) -> bool:
    try:
        return len(text) == 36 and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _unknown() -> Key:
    raise unauthorised("this key is not valid here")
