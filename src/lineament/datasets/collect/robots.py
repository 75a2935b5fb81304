"""robots.txt as RFC 9309 defines it: groups by product token, the longest rule wins, ``*`` and ``$``.

Not `urllib.robotparser`: it takes the first rule rather than the longest and reads ``*`` in a path
literally, so that it permits pages which a site forbids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

MAX_BYTES = 500 * 2**10
"""What RFC 9309 asks a crawler to read at least."""


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules for one program on one site: (allow, path pattern), and the delay asked for in seconds."""

    rules: tuple[tuple[bool, str], ...] = ()
    delay: float | None = None

    def allows(self, path: str) -> bool:
        """Whether a path with its query may be fetched; of two rules of one length, the allowing one."""
        path = _plain(path)
        best, verdict = -1, True
        for allow, pattern in self.rules:
            if (len(pattern) > best or (len(pattern) == best and allow)) and _matches(pattern, path):
                best, verdict = len(pattern), allow
        return verdict


NOTHING_FORBIDDEN = Robots()
ALL_FORBIDDEN = Robots(((False, "/"),))


def parse(body: bytes, product: str) -> Robots:
    """The group for ``product`` (its token alone, such as ``lineament``), or else that for ``*``."""
    text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
    # Only two groups can matter, so that the agents of one line each cost nothing, however many there are.
    ours, everybody = _Group(), _Group()
    product = product.lower()
    named: list[_Group] = []
    in_rules = False
    for line in re.split(r"[\r\n]+", text):
        key, colon, value = line.split("#", 1)[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            if in_rules:
                named, in_rules = [], False
            agent = re.split(r"[/\s]", value.lower(), maxsplit=1)[0]
            group = {product: ours, "*": everybody}.get(agent)
            if group is not None and group not in named:
                group.named = True
                named.append(group)
        elif key in ("allow", "disallow", "crawl-delay"):
            in_rules = True
            for group in named:
                group.take(key, value)
    group = ours if ours.named else everybody
    return Robots(tuple(group.rules), max(group.delays, default=None))


@dataclass(eq=False, slots=True)
class _Group:
    named: bool = False
    rules: list[tuple[bool, str]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def take(self, key: str, value: str) -> None:
        if key == "crawl-delay":
            if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value):
                self.delays.append(float(value))
        elif value:
            self.rules.append((key == "allow", _plain(value)))


def _plain(path: str) -> str:
    """One spelling: escapes of unreserved characters undone, everything else escaped."""
    return quote(unquote(path, errors="surrogateescape"), safe="/?&=*$:@!'()+,;~", errors="surrogateescape")


def _matches(pattern: str, path: str) -> bool:
    """Linear matching without regular expressions, whose worst case a site could choose."""
    anchored = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for i, piece in enumerate(rest):
        if anchored and i == len(rest) - 1:
            return len(path) - len(piece) >= at and path.endswith(piece)
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return not anchored or at == len(path)
