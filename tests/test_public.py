"""The public names, and what importing them may cost."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lineament

ROOT = Path(__file__).resolve().parents[1]


def test_public_names_are_sorted_and_exist() -> None:
    """``__all__`` is sorted and complete, every name in it resolves, an unknown one is an error."""
    assert lineament.__all__ == sorted(lineament.__all__)
    homes = [name for names in lineament._HOMES.values() for name in names]
    assert sorted(homes) == lineament.__all__
    for name in lineament.__all__:
        assert getattr(lineament, name) is not None
    with pytest.raises(AttributeError, match="Analyser"):
        lineament.Analyser  # noqa: B018


@pytest.mark.parametrize("module", ["lineament", "lineament.cli.main"])
def test_importing_is_light(module: str) -> None:
    """Importing the package or the command line loads no heavy library."""
    heavy = ("torch", "fastapi", "matplotlib", "cv2", "openvino", "onnx", "scipy", "selenium")
    program = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_readme_example_runs(tmp_path: Path) -> None:
    """The Python lines of the README do what they say: one match, one stranger, one erasure."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert len([line for line in block.splitlines() if line]) <= 10
    program = block.replace("sqlite:people.db", f"sqlite:{tmp_path / 'people.db'}")
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "congress.jpg" in run.stdout and " match " in run.stdout and " no_match " in run.stdout
    assert "[('Barack Obama', 1)]" in run.stdout
