"""Options that several commands share have one meaning, and one place."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from lineament import cli

ROOT = Path(cli.__path__[0])


def test_no_option_is_written_in_two_files() -> None:
    """An option or argument of the same text is declared once and imported; trainings have their own."""
    written: dict[str, set[str]] = defaultdict(set)
    for path in sorted(ROOT.rglob("*.py")):
        if path.parent.name == "train":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated":
                text = ast.unparse(node)
                if "typer.Option(" in text or "typer.Argument(" in text:
                    written[text].add(path.relative_to(ROOT).as_posix())
    assert len(written) > 100
    assert not {text: files for text, files in written.items() if len(files) > 1}
