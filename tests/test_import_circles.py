"""Which module imports which, imports inside of functions included: nothing goes round in a circle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import lineament

PACKAGE = Path(lineament.__file__).parent
ALLOWED = {("lineament.types.pictures", "lineament.io.pillow_picture")}
"""`Image.from_pil` is where a reader looks for it, but takes the code that decodes files."""


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("lineament", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(text: str, known: set[str]) -> set[str]:
    """The modules among ``known`` that a text imports anywhere; what only type checkers see is left out."""
    found = set()
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in known else node.module)
    return found & known


def test_nothing_is_imported_in_a_circle() -> None:
    """No module needs itself, however many steps away and wherever the import stands."""
    files = modules()
    graph = {
        name: {
            other
            for other in imported(path.read_text(encoding="utf-8"), set(files)) - {name}
            if (name, other) not in ALLOWED
        }
        for name, path in files.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_a_circle_inside_functions_is_seen() -> None:
    """The search for imports looks into functions, and past what only type checkers see."""
    text = (
        "if TYPE_CHECKING:\n    from lineament import seen_by_checkers\n"
        "def f():\n    from lineament.io import images\n    import lineament.types\n"
    )
    known = {"lineament.io", "lineament.io.images", "lineament.types", "lineament.seen_by_checkers"}
    assert imported(text, known) == {"lineament.io.images", "lineament.types"}
