"""Run a page of ``docs/journeys/`` from its first block to its last, in a fresh folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from journey_pages import Block, PageError, blocks

from lineament.counting import plural

ROOT = Path(__file__).parents[2]
SECONDS = 900
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_RULE = re.compile(r"[─━]+")


class PageFailure(AssertionError):
    """A block that did not do what the page says: file and line, the command, and what it printed."""


def run_page(page: Path, folder: Path) -> list[str]:
    """Run every block that is not skipped, in ``folder``; returns the commands that were run, in order."""
    env = _environment(folder.parent / f"{folder.name}-bin")
    done: list[str] = []
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}:{block.line}"
        if block.small.skip:
            continue
        for words in block.small.stand_ins:
            script = [sys.executable, str(ROOT / "tests/journeys/stand_ins.py"), *shlex.split(words)]
            _run(script, folder, env, f"{where}: stand-in {words}", 0)
        if block.kind == "file":
            target = folder / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.small_body(), encoding="utf-8")
        elif block.kind == "python":
            _run(
                [sys.executable, "-c", block.small_body()],
                folder,
                env,
                f"{where}: script",
                block.small.status,
            )
            done.append("python")
        else:
            done += _commands(block, folder, env, where)
    return done


def _commands(block: Block, folder: Path, env: dict[str, str], where: str) -> list[str]:
    commands = block.commands()
    for number, command in enumerate(commands, 1):
        status = block.small.status if number == len(commands) else 0
        shell = ["bash", "-euo", "pipefail", "-c", command.text]
        printed = _run(shell, folder, env, f"{where}: {command.text}", status)
        if (missing := first_missing(command.shown, printed)) is not None:
            raise PageFailure(
                f"{where}: {command.text}\nthe page shows a line that was not "
                f"printed (numbers may differ):\n"
                f"  {missing}\nprinted:\n{printed}"
            )
    return [command.text for command in commands]


def _run(words: list[str], folder: Path, env: dict[str, str], what: str, status: int) -> str:
    done = subprocess.run(
        words,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    printed = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.returncode != status:
        raise PageFailure(f"{what}\nexit status {done.returncode}, expected {status}; printed:\n{printed}")
    return printed


_MANY = re.compile(r"0\\ ([a-z]+)(\\ (?:are|have|were))?(?![a-z])")
_VERBS = {r"\ is": r"\ are", r"\ has": r"\ have", r"\ was": r"\ were"}


def first_missing(shown: tuple[str, ...], printed: str) -> str | None:
    """The first of the lines shown that is not printed after the ones before it; None when all are.

    Numbers may be any, and of one thing as well as of many; blanks and rules may have any length, ``…``
    stands for anything, and lines may be left out.
    """
    lines = iter([_plain(line) for line in printed.splitlines()])
    for line in shown:
        parts = [_MANY.sub(_one_or_many, re.escape(part)) for part in _plain(line).split("…")]
        wanted = re.compile(".*".join(parts))
        if line.strip() != "…" and not any(wanted.fullmatch(one) for one in lines):
            return line
    return None


def _one_or_many(many: re.Match[str]) -> str:
    """A pattern for a noun after a number, and its verb, in singular and plural."""
    word, verb = many[1], many[2] or ""
    ones = {word[:-1], word[:-2], f"{word[:-3]}y", "person"}
    nouns = [word, *sorted(one for one in ones if one and plural(one) == word)]
    if len(nouns) == 1:
        return many[0]
    verbs = "".join(f"|{one}" for one, several in _VERBS.items() if verb == several)
    return rf"0\ (?:{'|'.join(nouns)})(?:{verb}{verbs})"


def _plain(line: str) -> str:
    return " ".join(_RULE.sub("─", _NUMBER.sub("0", _ANSI.sub("", line))).split())


def _environment(programs: Path) -> dict[str, str]:
    """The environment of this process, where ``lineament`` and ``python`` are those under test."""
    programs.mkdir(parents=True, exist_ok=True)
    for name, words in {"lineament": "-m lineament ", "python": ""}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words}"$@"\n')
        (programs / name).chmod(0o755)
    source = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    told = {"PYTHONPATH": source, "COLUMNS": "200", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **told, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


__all__ = ["PageError", "PageFailure", "first_missing", "run_page"]
