"""Every regular expression of the sources, where it is used and how, and texts made to cost it most."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import lineament
from lineament.gallery.file_names import _bounded

SOURCES = Path(lineament.__file__).parent
_METHODS = {"search", "match", "fullmatch", "findall", "finditer", "sub", "subn", "split"}


@dataclass(frozen=True)
class Expression:
    """One expression: the module, its name or its text, the pattern, and the methods it is used by."""

    module: str
    name: str
    pattern: re.Pattern[Any]
    methods: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.module}: {self.name}"


def expressions() -> dict[str, Expression]:
    """All that `re` is called with, and that is kept under a name, in the whole package."""
    found: dict[str, Expression] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "re." not in text:
            continue
        module = ".".join(("lineament", *path.relative_to(SOURCES).with_suffix("").parts))
        for one in _in_module(module.removesuffix(".__init__"), ast.parse(text), text):
            found[one.key] = one
    return found


def _in_module(module: str, tree: ast.Module, text: str) -> Iterator[Expression]:
    short = module.removeprefix("lineament.")
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in _METHODS | {"compile"}
        ):
            continue
        written = ast.unparse(node.args[0])
        flags = next((ast.unparse(k.value) for k in node.keywords if k.arg == "flags"), None)
        position = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(node.func.attr, 2)
        if flags is None and len(node.args) > position:
            flags = ast.unparse(node.args[position])
        pattern = _evaluated(module, written, flags)
        name, methods = written, (node.func.attr,)
        if node.func.attr == "compile":
            name, methods = _uses(tree, node, text)
        yield Expression(short, name, pattern, methods)


def _evaluated(module: str, written: str, flags: str | None) -> re.Pattern[Any]:
    names = vars(importlib.import_module(module))
    try:
        return re.compile(eval(written, dict(names)), eval(flags, dict(names)) if flags else 0)
    except NameError:  # built from what a call is given
        return re.compile(IN_CALLS[f"{module.removeprefix('lineament.')}: {written}"], re.IGNORECASE)


IN_CALLS = {
    "gallery.file_names: written": "|".join(
        _bounded(name, folders=False) for name in ("Ann Lee", "Zoe\u0308")
    ),
    "training.sweeping.brought: f'{re.escape(architecture)}(-.*)?'": "resnet18(-.*)?",
    "datasets.formats._people: re.escape(folder) + '_\\\\d{4,}'": r"Ann_Lee_\d{4,}",
}
"""Patterns that a function puts together, as it does for an ordinary argument."""


def _uses(tree: ast.Module, call: ast.Call, text: str) -> tuple[str, tuple[str, ...]]:
    """The name that a compiled expression is kept under, and the methods of it that are called."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        if targets and any(part is call for part in ast.walk(value)):
            name = ast.unparse(targets[0])
            plain = value is call
            methods = set(re.findall(rf"\b{name}\.(\w+)\(", text)) & _METHODS if plain else set()
            if not plain:
                name += " " + ast.unparse(call.args[0])
            return name, tuple(sorted(methods or {"fullmatch", "match"}))
    return ast.unparse(call.args[0]), ("fullmatch", "match")


def costly(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """Beginnings, what is repeated behind them, and ends, at which a backtracking engine may go astray."""
    tree = parser.parse(
        pattern.pattern, pattern.flags & ~re.UNICODE if _is_bytes(pattern) else pattern.flags
    )
    seen = set()
    pumps = [("", pump) for pump in (*' a0-_.<[{,\n"/', "a.", "0 ", "_a")]
    for before, body in _repeats(list(tree), ""):
        pumps += [(before, body), ("", body), ("", before + body)]
    for before, pump in pumps:
        for end in ("", "\0", "!\n"):
            if pump and (before, pump, end) not in seen:
                seen.add((before, pump, end))
                yield before, pump, end


def _is_bytes(pattern: re.Pattern[Any]) -> bool:
    return isinstance(pattern.pattern, bytes)


def _repeats(items: list[Any], before: str) -> Iterator[tuple[str, str]]:
    for kind, value in items:
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
            _, most, body = value
            for text in _texts(list(body)):
                if most > 16:
                    yield before, text
            yield from _repeats(list(body), before)
        elif kind is kinds.SUBPATTERN:
            yield from _repeats(list(value[3]), before)
        elif kind is kinds.ATOMIC_GROUP:
            yield from _repeats(list(value), before)
        elif kind is kinds.BRANCH:
            for branch in value[1]:
                yield from _repeats(list(branch), before)
        before += next(iter(_texts([(kind, value)])))


def _texts(items: list[Any]) -> list[str]:
    """A few texts that the items match."""
    texts = [""]
    for kind, value in items:
        more = _texts_of(kind, value)
        texts = [a + b for a in texts[:3] for b in more[:3]]
    return texts


def _texts_of(kind: Any, value: Any) -> list[str]:
    if kind is kinds.LITERAL:
        return [chr(value)]
    if kind is kinds.NOT_LITERAL:
        return ["a" if value != ord("a") else "b"]
    if kind is kinds.ANY:
        return ["a", " "]
    if kind is kinds.IN:
        return _members(value)
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
        least, most, body = value
        return [text * max(least, 1 if most else 0) for text in _texts(list(body))]
    if kind is kinds.SUBPATTERN:
        return _texts(list(value[3]))
    if kind is kinds.ATOMIC_GROUP:
        return _texts(list(value))
    if kind is kinds.BRANCH:
        return [_texts(list(branch))[0] for branch in value[1]]
    return [""]


_CATEGORIES = {
    kinds.CATEGORY_DIGIT: "0", kinds.CATEGORY_SPACE: " ", kinds.CATEGORY_WORD: "a",
    kinds.CATEGORY_NOT_DIGIT: "a", kinds.CATEGORY_NOT_SPACE: "a", kinds.CATEGORY_NOT_WORD: "-",
}  # fmt: skip


def _members(items: list[Any]) -> list[str]:
    if items[0][0] is kinds.NEGATE:
        allowed = [c for c in "a 0-_.<x" if not any(_holds(kind, value, c) for kind, value in items[1:])]
        return allowed[:2] or ["\x01"]
    found = []
    for kind, value in items:
        if kind is kinds.LITERAL:
            found.append(chr(value))
        elif kind is kinds.RANGE:
            found.append(chr(value[0]))
        elif kind is kinds.CATEGORY:
            found.append(_CATEGORIES[value])
    return [*found[:1], *found[-1:]]


def _holds(kind: Any, value: Any, letter: str) -> bool:
    if kind is kinds.LITERAL:
        return chr(value) == letter
    if kind is kinds.RANGE:
        return bool(value[0] <= ord(letter) <= value[1])
    digit, space, word = letter.isdigit(), letter.isspace(), letter.isalnum() or letter == "_"
    return {
        kinds.CATEGORY_DIGIT: digit, kinds.CATEGORY_SPACE: space, kinds.CATEGORY_WORD: word,
        kinds.CATEGORY_NOT_DIGIT: not digit, kinds.CATEGORY_NOT_SPACE: not space,
        kinds.CATEGORY_NOT_WORD: not word,
    }[value]  # fmt: skip


def calls(one: Expression, text: str) -> Iterator[Any]:
    """The calls that the sources make of it."""
    subject: Any = text.encode("latin-1", "replace") if _is_bytes(one.pattern) else text
    for method in one.methods:
        if method in ("sub", "subn"):
            empty: Any = b"" if _is_bytes(one.pattern) else ""
            yield lambda m=method, e=empty: getattr(one.pattern, m)(e, subject)
        elif method == "finditer":
            yield lambda: sum(1 for _ in one.pattern.finditer(subject))
        else:
            yield lambda m=method: getattr(one.pattern, m)(subject)
