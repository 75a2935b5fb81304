"""robots.txt as RFC 9309 defines it: groups by product token, the longest rule wins, ``*`` and ``$``.

Not `urllib.robotparser`: it takes the first rule rather than the longest and reads ``*`` in a path
literally, so that it permits pages which a site forbids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

MAX_BYTES = 500 * 2**10
"""What RFC 9309 asks a crawler to read at least."""
_MAX_RULES = 5_000


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
    groups: dict[str, tuple[list[tuple[bool, str]], list[float]]] = {}
    agents: list[str] = []
    in_rules = False
    for line in re.split(r"[\r\n]+", text):
        key, colon, value = line.split("#", 1)[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            if in_rules:
                agents, in_rules = [], False
            agents.append(re.split(r"[/\s]", value.lower(), maxsplit=1)[0])
            groups.setdefault(agents[-1], ([], []))
            continue
        in_rules = in_rules or key in ("allow", "disallow", "crawl-delay")
        for agent in agents:
            rules, delays = groups[agent]
            if key in ("allow", "disallow") and value and len(rules) < _MAX_RULES:
                rules.append((key == "allow", _plain(value)))
            elif key == "crawl-delay" and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value):
                delays.append(float(value))
    rules, delays = groups.get(product.lower()) or groups.get("*") or ([], [])
    return Robots(tuple(rules), max(delays, default=None))


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
