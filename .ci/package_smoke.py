"""Try the installed package: its modules, the help of every command, and commands that read its data files.

Run by `.ci/package.py` with an interpreter that has the package and nothing of the checkout:
``python -I package_smoke.py SAMPLES MODULE...``, where the modules are those that extras bring.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pkgutil
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import typer

import lineament
from lineament.cli.commands import app
from lineament.errors import LineamentError
from lineament.io.assets import cached_path
from lineament.io.catalog import card

PROGRAM = str(Path(sys.executable).with_name("lineament"))
ONE_PHOTO = "obama_2012_portrait.jpg"


def main() -> int:
    """The exit status; what is wrong stands on stderr."""
    samples, extras = Path(sys.argv[1]), set(sys.argv[2:])
    wrong = [*_imports(extras), *_helps(), *_commands(samples)]
    for line in wrong:
        print(f"package: {line}", file=sys.stderr)
    return 1 if wrong else 0


def _imports(extras: set[str]) -> list[str]:
    """Every module is imported; only what an extra brings may be lacking, and a named error may say so."""
    wrong, lacking, fine = [], Counter[str](), 0
    for module in pkgutil.walk_packages(lineament.__path__, "lineament.", onerror=lambda name: None):
        if module.name == "lineament.__main__":
            continue
        try:
            importlib.import_module(module.name)
            fine += 1
        except ModuleNotFoundError as error:
            top = (error.name or "").partition(".")[0]
            if top in extras:
                lacking[top] += 1
            else:
                wrong.append(f"import {module.name}: {error}")
        except LineamentError as error:
            lacking[type(error).__name__] += 1
        except Exception as error:
            wrong.append(f"import {module.name}: {type(error).__name__}: {error}")
    told = ", ".join(f"{name} {count}" for name, count in lacking.most_common())
    print(f"package: {fine} modules import; {lacking.total()} wait for an extra ({told})")
    return wrong


def _helps() -> list[str]:
    """``--help`` of every command and group says how that command is used."""
    wrong, count = [], 0
    root = typer.main.get_command(app)
    waiting = [((), root)]
    while waiting:
        path, command = waiting.pop()
        waiting += [((*path, name), below) for name, below in getattr(command, "commands", {}).items()]
        said, status = io.StringIO(), None
        with contextlib.redirect_stdout(said):
            try:
                root.main([*path, "--help"], prog_name="lineament")
            except SystemExit as ended:
                status = ended.code
            except Exception as error:
                status = f"{type(error).__name__}: {error}"
        if status or not said.getvalue().startswith(f"Usage: {' '.join(('lineament', *path))} "):
            wrong.append(f"lineament {' '.join(path)} --help: {status}: {said.getvalue()[:200]}")
        count += 1
    print(f"package: {count} commands and groups tell their --help")
    return wrong


def _commands(samples: Path) -> list[str]:
    """The program itself, where it reads what the package carries: catalogue, label formats, a page."""
    for person in ("obama", "biden"):
        Path("people", person).mkdir(parents=True)
        for photo in samples.glob(f"{person}_*.jpg"):
            shutil.copy(photo, Path("people", person))
    tries = [
        (["--help"], "Usage: lineament"),
        (["--version"], lineament.__version__),
        (["models", "list"], "yunet"),
        (["dataset", "import", "people"], "5 pictures"),
        (["dataset", "audit", "people", "--out", "audit"], "written: audit"),
    ]
    if cached_path(card("yunet")).is_file():
        tries.append((["detect", str(samples / ONE_PHOTO)], ONE_PHOTO))
    else:
        print(
            f"package: NOT TRIED: lineament detect {ONE_PHOTO}: the weights of yunet are not in the cache"
        )
    wrong = []
    for arguments, wanted in tries:
        ran = subprocess.run(
            [PROGRAM, *arguments],
            env=os.environ | {"LINEAMENT_OFFLINE": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        shown = f"lineament {' '.join(arguments)}"
        if ran.returncode or wanted not in ran.stdout:
            wrong.append(
                f"{shown} ended with {ran.returncode}, without {wanted!r}:\n{ran.stdout}{ran.stderr}"
            )
        else:
            print(f"package: {shown}: as wanted")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
