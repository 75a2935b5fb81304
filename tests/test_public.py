"""The public names, and what importing them may cost."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def building() -> Any:
    """The script that writes the reference."""
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = building()
WINGS: list[str] = BUILD.wings()
PACKAGES = [name for name in WINGS if hasattr(importlib.import_module(name), "__path__")]


@pytest.mark.parametrize("wing", WINGS)
def test_public_names_are_sorted_and_exist(wing: str) -> None:
    """Each wing lists at most fifteen public names, sorted; all resolve and ``dir`` has them."""
    module = importlib.import_module(wing)
    assert module.__all__ == sorted(set(module.__all__)) and module.__all__
    assert len(module.__all__) <= 15 or wing == "lineament.types"
    for name in module.__all__:
        assert getattr(module, name) is not None and not name.startswith("_")
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="Analyser"):
        module.Analyser  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_is_that_of_a_module(package: str) -> None:
    """Python sets an imported sub-module as an attribute of its package, so no other thing has its name."""
    module = importlib.import_module(package)
    modules = {info.name for info in pkgutil.iter_modules(module.__path__)}
    assert not modules & set(module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_what_python_finds(package: str) -> None:
    """What is imported for type checkers, what is found at run time and ``__all__`` are the same names."""
    module = importlib.import_module(package)
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    typed = {(one.asname or one.name): (node.module, one.name) for node in imports for one in node.names}
    for name, (home, own) in typed.items():
        assert name in module.__all__
        assert getattr(module, name) is getattr(importlib.import_module(str(home)), own)
    own = {name for name in vars(module) if not name.startswith("_")}
    assert set(module.__all__) <= set(typed) | own


FRESH = """
import importlib, pkgutil, sys
import lineament
wings = sys.argv[1:]
def seen():
    found = {}
    for wing in wings:
        module = importlib.import_module(wing)
        found.update({(wing, name): getattr(module, name) for name in module.__all__})
        for info in pkgutil.iter_modules(getattr(module, "__path__", [])):
            if info.ispkg:
                found[wing, info.name] = getattr(module, info.name)
    return found
from lineament import attributes, detectors, embedders
before = seen()
for info in pkgutil.walk_packages(lineament.__path__, "lineament."):
    if not info.name.endswith("__main__"):
        importlib.import_module(info.name)
lineament.registry.detectors.create("haar")
lineament.Analyzer("haar", embedder=None, quality=False).close()
lineament.open_store("memory:").close()
after = seen()
moved = [key for key in before if before[key] is not after[key]]
from lineament import detectors as again
for package in (detectors, embedders, attributes, again):
    assert package is sys.modules[package.__name__], package
print(len(before), moved)
"""


def test_a_name_means_the_same_before_and_after_use() -> None:
    """In a fresh interpreter every public name and sub-package is the same thing after all was imported."""
    run = subprocess.run([sys.executable, "-c", FRESH, *WINGS], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    count, moved = run.stdout.strip().split(" ", 1)
    assert int(count) > 200 and moved == "[]"


def test_the_reference_holds_exactly_the_public_names() -> None:
    """The generated page has every name of every ``__all__``, each with what it is, and no other."""
    problems: list[str] = []
    page = BUILD.api_page(problems)
    assert problems == []
    found: list[tuple[str, str]] = []
    wing = ""
    for line in page.splitlines():
        if line.startswith("## `"):
            wing = line.split("`")[1]
        elif line.startswith("- **`"):
            found.append((wing, str(re.match(r"- \*\*`(\w+)", line)[1])))  # type: ignore[index]
            assert line.partition("`** ")[2], line
    assert found == [(wing, name) for wing in WINGS for name in importlib.import_module(wing).__all__]


def test_the_reference_shows_annotations_and_defaults() -> None:
    """Whoever reads the page can write the call: types, defaults and what comes back."""
    page = BUILD.api_page([])
    assert (
        "`load(source: Source | inputs.Held, *, limits: Limits = ..., min_side: int | None = None" in page
    )
    assert "-> Image`**" in page and "  - `analyze(sources: Iterable[Source] | Source" in page


@pytest.mark.parametrize("page", ["library"])
def test_the_examples_of_the_how_to_run(page: str, tmp_path: Path) -> None:
    """The Python blocks of the page, one after the other, run as they stand on the sample photos."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "refused" in run.stdout and "match" in run.stdout


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
