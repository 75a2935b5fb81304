"""What a page of ``docs/journeys/`` says: its blocks, and how each is run when the page is tested.

A page is run from the top by ``tests/journeys/test_pages.py``, each block in the folder that the ones
before it left behind. Every fenced block is one of these:

- ``console``: commands after ``$``, and between them lines of what they print;
- ``sh``, ``bash``: a command a line;
- ``python``: one script;
- any language with ``title="NAME"``: a file that the reader writes;
- ``text``: shown, and nothing else.

Where the reader's own photos, hours or camera are meant, an HTML comment before the block says what the
test does instead, a line each::

    <!-- in the test
    stand-in: people album --people 3        lays files down first: tests/journeys/stand_ins.py
    replace: --epochs 20 => --epochs 1       in the block, wherever it stands
    status: 1                                of the block's last command, where it is to fail
    skip: needs a camera                     the block is not run, for this reason
    -->

The site shows these to the reader as a note under the block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

MARK = "<!-- in the test"
COMMENT = re.compile(r"^<!-- in the test[ \t]*\n(.*?)\n?^-->[ \t]*$", re.M | re.S)
FENCE = re.compile(r"^```([\w+-]*)(?:[ \t]+([^\n]*))?\n(.*?)^```[ \t]*$", re.M | re.S)
TITLE = re.compile(r'title="([^"]+)"')
RUN = ("console", "sh", "bash", "python")


class PageError(ValueError):
    """A page that cannot be run as it is written: its file and line, and what to write instead."""


@dataclass(frozen=True)
class Small:
    """What the test does instead of the reader: see the module."""

    stand_ins: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    status: int = 0
    skip: str = ""


@dataclass(frozen=True)
class Command:
    """One command, with the lines that the page shows of what it prints."""

    text: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A fenced block, its fence at ``line``; ``kind`` is a language of `RUN`, ``file`` or ``text``."""

    line: int
    kind: str
    body: str
    title: str = ""
    small: Small = field(default_factory=Small)

    def commands(self) -> list[Command]:
        """The commands as the test gives them, continued lines joined; of a script or a file none."""
        if self.kind not in ("console", "sh", "bash"):
            return []
        found: list[tuple[str, list[str]]] = []
        going_on = False
        for line in self.small_body().splitlines():
            prompt = line.startswith("$ ") or self.kind != "console"
            if going_on:
                text, shown = found[-1]
                found[-1] = (f"{text} {line.strip().removesuffix(chr(92)).strip()}", shown)
            elif prompt:
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                found.append((line.removeprefix("$ ").strip().removesuffix("\\").strip(), []))
            elif not found:
                raise PageError(f"line {self.line}: a console block begins with a command after `$ `")
            else:
                if line.strip():
                    found[-1][1].append(line)
                continue
            going_on = line.rstrip().endswith("\\")
        return [Command(text, tuple(shown)) for text, shown in found]

    def small_body(self) -> str:
        """The block with what the test puts in place of the reader's sizes."""
        body = self.body
        for old, new in self.small.replaced:
            if old not in body:
                raise PageError(
                    f"line {self.line}: the block does not hold `{old}`, which is to be replaced"
                )
            body = body.replace(old, new)
        return body


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order; a `PageError` names the line of what cannot be run."""
    comments = {match.end(): match for match in COMMENT.finditer(text)}
    if text.count(MARK) != len(comments):
        raise PageError(f"`{MARK}` stands on a line of its own, and `-->` on another after its directives")
    found: list[Block] = []
    fences = list(FENCE.finditer(text))
    if len(re.findall(r"^[ \t]*(?:```|~~~)", text, re.M)) != 2 * len(fences):
        raise PageError("a fence is three backticks at the beginning of a line, and is closed likewise")
    for match in fences:
        line = text.count("\n", 0, match.start()) + 1
        before = text[: match.start()].rstrip()
        comment = comments.pop(len(before), None)
        small = _small(comment[1], line) if comment else Small()
        title = TITLE.search(match[2] or "")
        kind = "file" if title else match[1]
        if kind not in (*RUN, "file", "text"):
            raise PageError(
                f"line {line}: a block is one of {', '.join(RUN)}, text, or has a title; "
                f"this is `{match[1]}`"
            )
        found.append(Block(line, kind, match[3], title[1] if title else "", small))
        found[-1].commands()
    if comments:
        where = text.count("\n", 0, min(comments)) + 1
        raise PageError(f"line {where}: `{MARK}` is followed by no fenced block")
    return found


def _small(text: str, line: int) -> Small:
    stand_ins, replaced, status, skip = [], [], 0, ""
    for directive in filter(None, map(str.strip, text.splitlines())):
        name, _, value = directive.partition(":")
        value = value.strip()
        old, arrow, new = (part.strip() for part in value.partition("=>"))
        if name == "stand-in" and value:
            stand_ins.append(value)
        elif name == "replace" and arrow and old:
            replaced.append((old, new))
        elif name == "status" and value.isdecimal():
            status = int(value)
        elif name == "skip" and value:
            skip = value
        else:
            raise PageError(
                f"before line {line}: `{directive}` is none of `stand-in: WORDS`, `replace: OLD => NEW`, "
                "`status: N`, `skip: REASON`"
            )
    if skip and (stand_ins or replaced or status):
        raise PageError(f"before line {line}: a block that is skipped has nothing else to say")
    return Small(tuple(stand_ins), tuple(replaced), status, skip)


def note(small: Small) -> str:
    """What the reader of the site is told of how a block is tested; empty where it is run as it is."""
    if small.skip:
        return f"Not run by the test of this page: {small.skip}."
    said = [f"`{new}` for `{old}`" if new else f"without `{old}`" for old, new in small.replaced]
    if small.stand_ins:
        said.append("drawn stand-ins for your pictures")
    return f"Tested with {', '.join(said)}." if said else ""


def with_notes(text: str) -> str:
    """The page for the site: each comment for the test becomes a note after its block."""
    parts, done = [], 0
    for match in COMMENT.finditer(text):
        fence = FENCE.search(text, match.end())
        assert fence is not None
        told = note(_small(match[1], 0))
        parts.append(text[done : match.start()] + text[match.end() : fence.end()].lstrip("\n"))
        if told:
            parts.append(f"\n\n*{told}*\n")
        done = fence.end()
    return "".join(parts) + text[done:]


def problems(page: Path) -> list[str]:
    """What keeps a page from being run, with its file; empty when nothing does."""
    try:
        blocks(page.read_text(encoding="utf-8"))
    except PageError as error:
        return [f"docs/journeys/{page.name}: {error}"]
    return []


def pages(docs: Path) -> list[Path]:
    """The pages that are run: every one of ``docs/journeys/``."""
    return sorted((docs / "journeys").glob("*.md"))
