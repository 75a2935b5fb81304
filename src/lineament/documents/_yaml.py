"""YAML as plain values, straight from the parser's events: nothing is built before it is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from lineament.documents._bounds import MAX_DEPTH, MAX_DIGITS, TOO_DEEP, Malformed, finite, once

_PREFIX = "tag:yaml.org,2002:"


def parsed(text: str) -> Any:
    """The values of one document without aliases and special tags; raises `Malformed` with the line."""
    import yaml

    try:
        return _values(yaml.parse(text, Loader=getattr(yaml, "CLoader", yaml.Loader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f"line {mark.line + 1}: "
        why = str(error.problem or error)
        hint = " (a Windows path needs single quotes)" if re.search("escape|hexdec", why) else ""
        raise Malformed(f"{line}not YAML: {why}{hint}") from None
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise Malformed(f"not YAML: {error}") from None


def _values(events: Iterable[Any]) -> Any:
    import yaml

    outer: list[tuple[Any, list[Any]]] = []
    here: list[Any] = []
    documents = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise _refused(event, f"an alias, *{str(event.anchor)[:40]}; write the value out")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refused(event, "several documents in one file")
        elif isinstance(event, yaml.ScalarEvent):
            here.append(_scalar(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            _tag(event, ("seq", "map"))
            if len(outer) == MAX_DEPTH:
                raise _refused(event, TOO_DEEP)
            outer.append((event, here))
            here = []
        elif isinstance(event, yaml.CollectionEndEvent):
            start, before = outer.pop()
            before.append(_mapping(start, here) if isinstance(start, yaml.MappingStartEvent) else here)
            here = before
    return here[0] if here else None


def _mapping(start: Any, items: list[Any]) -> dict[Any, Any]:
    if any(isinstance(key, list | dict) for key in items[::2]):
        raise _refused(start, "a list or a mapping as a key")
    try:
        return once(list(zip(items[::2], items[1::2], strict=True)))
    except Malformed as error:
        raise _refused(start, str(error)) from None


def _scalar(event: Any) -> Any:
    import yaml

    tag, text = _tag(event, ("str", "int", "float", "bool", "null")), str(event.value)
    if tag is None and not event.implicit[0]:
        return text
    if tag is None:
        tag = str(_resolver().resolve(yaml.ScalarNode, text, (True, False))).removeprefix(_PREFIX)
    try:
        return _CONVERT.get(tag, str)(text)
    except Malformed as error:
        raise _refused(event, str(error)) from None
    except (ValueError, KeyError):
        raise _refused(event, f"{text[:40]!r} is no {tag}") from None


def _tag(event: Any, known: Iterable[str]) -> str | None:
    """The tag that stands there, without its prefix; None where none does."""
    if event.tag in (None, "!"):
        return None
    tag = str(event.tag).removeprefix(_PREFIX)
    if tag not in known:
        raise _refused(event, f"the tag {tag[:60]!r}")
    return tag


def _refused(event: Any, why: str) -> Malformed:
    return Malformed(f"line {event.start_mark.line + 1}: not YAML that is read here: {why}")


@cache
def _resolver() -> Any:
    import yaml

    return yaml.resolver.Resolver()


def _int(text: str) -> int | str:
    plain = text.replace("_", "").lower()
    if ":" in plain:
        return text  # YAML 1.1 takes it for a number to the base of 60, and nobody who writes it does
    digits = plain.lstrip("+-")
    if len(digits) > MAX_DIGITS:
        raise Malformed(f"a whole number of {len(digits):,} digits; the limit is {MAX_DIGITS}")
    base = {"0b": 2, "0x": 16}.get(digits[:2], 8 if digits[:1] == "0" and len(digits) > 1 else 10)
    return int(plain, base)


def _float(text: str) -> float | str:
    plain = text.replace("_", "").lower()
    return text if ":" in plain else finite(plain.replace(".inf", "inf").replace(".nan", "nan"))


_BOOL = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_CONVERT: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: _BOOL[text.lower()],
    "int": _int,
    "float": _float,
}
