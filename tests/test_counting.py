"""Numbers in words: every writer says them by `lineament.counting`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import lineament
from lineament.counting import plural, quantity

_COUNTED = (
    *("attack", "box", "cell", "class", "column", "comparison", "copy", "crop", "detection", "embedding"),
    *("epoch", "error", "face", "failure", "file", "folder", "frame", "group", "image", "label", "model"),
    *("pair", "person", "photo", "picture", "probe", "proposal", "record", "row", "sample"),
    *("search", "seed", "split", "stranger", "subject", "template", "variant", "video"),
)


@pytest.mark.parametrize(
    ("count", "one", "told"),
    [
        (0, "face", "0 faces"),
        (1, "face", "1 face"),
        (2, "face", "2 faces"),
        (1204, "person", "1,204 people"),
        (1, "copy", "1 copy"),
        (2, "copy", "2 copies"),
        (2, "box", "2 boxes"),
        (2, "class", "2 classes"),
        (2, "batch", "2 batches"),
        (2, "epoch", "2 epochs"),
        (2, "day", "2 days"),
        (2, "mated comparison", "2 mated comparisons"),
        (1, "row is", "1 row is"),
        (3, "row is", "3 rows are"),
        (2, "person has", "2 people have"),
        (1, "photo was", "1 photo was"),
        (2, "photo was", "2 photos were"),
    ],
)
def test_the_word_follows_its_number(count: int, one: str, told: str) -> None:
    """One thing is singular, any other number plural, and a verb that follows agrees."""
    assert quantity(count, one) == told


def test_another_plural_can_be_given() -> None:
    """Where not the last word changes, both forms are given."""
    assert quantity(2, "picture that belongs", "pictures that belong") == "2 pictures that belong"


def test_no_writer_joins_a_number_to_a_plural_by_hand() -> None:
    """No f-string of the package puts a number before the plural of what it counts; constants may."""
    many = "|".join(map(re.escape, sorted({plural(one) for one in _COUNTED})))
    after = re.compile(rf" (?:(?!(?:of|no|with|for) )[a-z-]+ )?({many})\b")
    found = []
    for path in Path(lineament.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                for value, text in zip(node.values, node.values[1:], strict=False):
                    if _is_count(value) and isinstance(text, ast.Constant) and after.match(text.value):
                        found.append(f"{path.name}:{value.lineno}: {ast.unparse(value)}{text.value[:30]}")
    assert not found, "\n".join(found)


def _is_count(value: ast.expr) -> bool:
    if not isinstance(value, ast.FormattedValue) or value.conversion != -1:
        return False
    if value.format_spec is not None and ast.unparse(value.format_spec) not in ("f','", "f''"):
        return False  # of a measured value, as 0.5 pictures a second
    told = value.value
    if isinstance(told, ast.Call) and isinstance(told.func, ast.Name) and told.func.id == "quantity":
        return False
    last = told.attr if isinstance(told, ast.Attribute) else told.id if isinstance(told, ast.Name) else ""
    return not (last.isupper() and len(last) > 1)
