"""Whatever people read shows foreign text by one way: found in the source, then fed hostile names."""

from __future__ import annotations

import ast
import html
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lineament
from lineament.albums import page as album_page
from lineament.albums.album import Album
from lineament.anonymizing.reviewing import Review
from lineament.cli import streams
from lineament.cli.output import Report
from lineament.datasets.audit import audit
from lineament.datasets.audit import page as audit_page
from lineament.evaluation import page as evaluation_page
from lineament.evaluation.record import EvaluationRecord
from lineament.io import markdown, pages, spreadsheets
from lineament.io.manifest import Manifest, ManifestRow, Provenance
from lineament.io.names import visible
from lineament.plots import canvas, contact_sheet, lettering
from lineament.training.sweeping import summary
from lineament.training.sweeping import tables as sweep_tables
from lineament.types import Faces
from page_tags import Tags

ROOT = Path(lineament.__file__).parent
HOSTILE = {
    "override": "\u202egpj.exe",
    "isolate": "\u2066a\u2069",
    "mark": "a\u200fb\u061c",
    "zero width": "a\u200b\u200c\u200d\u2060\ufeffb",
    "unseen letter": "a\u3164\u115f\u034fb",
    "variation": "a\ufe0f\U000e0041b",
    "escape": "\x1b[2J\x1b]0;x\x07",
    "C1": "a\x9b31mb\x85",
    "lines": "a\u2028b\u2029c\r\nd\x0be\x0c",
    "backspaces": "good\b\b\b\bevil\x7f",
    "surrogate": "a\udcff\ud800b",
    "private": "a\ue000b\U000f0000",
    "markup": "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'",
    "formula": "$\\frac{1}{0}$ $x^2$",
    "Markdown": "[x](javascript:alert(1)) ![](http://x) | ` <b>",
    "template": "{{7*7}}{% raw %}",
}
ALL = " ".join(HOSTILE.values())


def unseen(text: str) -> list[str]:
    """Characters of a page or table that a reader does not see, or that move what they see."""
    return sorted(
        {c for c in text if not c.isprintable() and c != "\n"} | set("\u3164\u115f\u034f\ufe0f") & set(text)
    )


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def named(node: ast.expr) -> str:
    """A call's function as it is written: ``csv.writer``."""
    return ast.unparse(node)


def calls(wanted: str) -> list[tuple[str, ast.Call]]:
    """Every call of the package whose function is written so (a regular expression), with its module."""
    return [
        (module, node)
        for module, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and re.fullmatch(wanted, named(node.func))
    ]


def places(wanted: str) -> set[str]:
    return {module for module, _ in calls(wanted)}


def test_one_module_writes_each_format() -> None:
    """Tables with commas, pages and figures are each written by one module, so nothing passes it by."""
    assert places(r"(csv\.)?(writer|DictWriter)|.*\.(to_csv|write_csv|to_html|to_markdown)") == {
        "io/spreadsheets.py"
    }
    assert places(r"(.*\.)?(Environment|Template|from_string)") == {"io/pages.py"}
    assert places(r".*\.savefig") == {"plots/canvas.py"}
    assert places(r"(.*\.)?Markup") == {"io/pages.py"}
    # Markdown: a line of a table, a heading, a link.
    texts = {
        (module, node.value)
        for module, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(("| ", "|-"))
    }
    assert {module for module, _ in texts} == {"io/markdown.py"}


def test_every_template_takes_the_policy_and_no_markup() -> None:
    """A new page begins with ``{{ head }}``, and no template lets a text through as markup."""
    found = [*ROOT.rglob("*.j2"), *ROOT.rglob("*.html")]
    assert len(found) >= 4
    for path in found:
        text = path.read_text("utf-8")
        assert not re.search(
            r"\|\s*safe\b|autoescape\s+false|Markup|<script(?! type=\"module\" src=)", text
        ), path
        if path.parent.name != "pages":  # those of the service get their policy as a header
            assert "{{ head }}" in text.split("<title>")[0], path


# Terminal

OWN_WORDS = {
    # JSON in ASCII, one object a line.
    "cli/output.py": {"sys.stdout.write(text + '\\n')", "self._console().print(table)"},
    # A version of ours, the question of a confirmation, the number and words of an interruption.
    "cli/commands.py": {"typer.echo(importlib.import_module('lineament').__version__)"},
    "cli/stopping.py": {"os.write(2, f'{told()}\\n'.encode())"},
}


def is_shown(node: ast.expr) -> bool:
    """Whether what is printed is our own words, or went through `shown`."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Call):
        return named(node.func) in ("shown", "visible")
    if isinstance(node, ast.JoinedStr):
        return all(is_shown(p.value) if isinstance(p, ast.FormattedValue) else True for p in node.values)
    return isinstance(node, ast.BinOp) and is_shown(node.left) and is_shown(node.right)


def test_every_print_shows() -> None:
    """Each call that reaches a terminal prints constants or `shown` text; new ones must, too."""
    wanted = (
        r"print|typer\.(echo|secho|confirm|prompt)|click\..*|sys\.std(out|err)\.write|os\.write"
        r"|.*[cC]onsole(\(\))?\.print"
    )
    found = calls(wanted)
    assert len(found) > 8
    bad = []
    for module, call in found:
        if not module.startswith("cli/") or (
            named(call) not in OWN_WORDS.get(module, ()) and not all(map(is_shown, call.args))
        ):
            bad.append((module, named(call)))
    assert bad == []


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_terminals_and_tables(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, titles, cells and complaints hold nothing that moves, hides or colours."""
    with Report() as report:
        report.say(name)
        report.table(name, ("name", "n"), [(name, 1)])
    streams.complain(name)
    out, err = capsys.readouterr()
    assert unseen(out) == unseen(err) == []


# Pages: each call of `pages.page` has a feeder here.


def evaluated(_folder: Path) -> str:
    rate = {"value": 0.1, "low": 0.05, "high": 0.2, "level": 0.95, "n": 100}
    record = EvaluationRecord(
        kind=ALL,
        title=ALL,
        protocol={ALL: ALL},
        system={"embedder": ALL},
        answer={
            "groups": {ALL: {"people": 3, "fmr": rate}},
            "spread": {**rate, "worst": ALL, "best": ALL},
            "unsupported": {ALL: ALL},
            "failures": {ALL: 1},
            "warning": ALL,
        },
        clusters={},
        charts={ALL: "<svg/>"},
    )
    return evaluation_page.render([replace(record, environment={ALL: ALL})], title=ALL)


def audited(folder: Path) -> str:
    provenance = Provenance(url="http://[bad", licence=ALL, author=ALL, purpose=ALL, consent=ALL)
    rows = tuple(
        ManifestRow(
            id=f"r{i}",
            path=f"{i}{ALL.replace(chr(0xD800), '')}",
            sha256=f"{i:064x}",
            subject=ALL,
            split=split,
            provenance=provenance,
        )
        for i, split in enumerate(["train", ALL])
    )
    found = audit(Manifest(rows, ({"step": ALL, ALL: ALL},), folder), [{"r0", "r1"}], subjects_apart=True)
    return audit_page.render(found, ALL)


def swept_summary() -> summary.Summary:
    figure = {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}}
    good = {**dict.fromkeys(("train", "val", "test"), figure), "chance": 0.1, "majority": 0.1, "ended": ALL}
    good |= {"epochs": 3, "best_epoch": 2, "seconds": 1.0}
    return summary.summarise(
        [
            summary.Outcome(ALL, ALL, ALL, 0, ALL, good, None),
            summary.Outcome(ALL, ALL, ALL, 1, ALL, None, summary.Failure(ALL, ALL)),
            summary.Outcome("=cmd", "+1 x", "@a", 2, "-b", None, summary.Failure("\t=c", "=d")),
        ],
        data=ALL,
        left=1,
    )


def masked(folder: Path) -> str:
    review = Review()
    review.offer(0.5, ALL, 1.0, ALL, np.zeros((8, 8, 3), np.uint8), Faces.none())
    review.no_face(ALL)
    review.write(folder / "review.html")
    return (folder / "review.html").read_text("utf-8")


def grouped(_folder: Path) -> str:
    with Album(None) as album:
        return album_page.render(album, ALL)


def swept(_folder: Path) -> str:
    return sweep_tables._html(swept_summary())


PAGES: dict[str, Callable[[Path], str]] = {
    "evaluation/page.py": evaluated,
    "datasets/audit/page.py": audited,
    "training/sweeping/tables.py": swept,
    "anonymizing/reviewing.py": masked,
    "albums/page.py": grouped,
}


def test_every_page_is_fed() -> None:
    """A new caller of `pages.page` needs a feeder in this file; the page that is served, with a script, has
    tests of its own (tests/service/test_review_page.py)."""
    assert places(r"(pages\.)?page") == {*PAGES, "service/review.py"}


@pytest.mark.parametrize("made", PAGES.values(), ids=PAGES)
def test_pages(made: Callable[[Path], str], tmp_path: Path) -> None:
    """Every page has the policy before any foreign text, and shows hostile text as text."""
    page = made(tmp_path)
    page.encode("utf-8")
    assert unseen(page) == []
    assert f'content="{pages.POLICY}"' in page.split("<title>")[0].split("<style>")[0]
    body = html.unescape(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))
    assert "\\u202e" in body and "\\x1b" in body
    tags = Tags(page).found
    assert not [tag for tag, _ in tags if tag in ("script", "iframe", "object", "form", "base", "link")]
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert (attributes.get("src") or "data:").startswith("data:"), tag
        assert ":" not in (attributes.get("href") or ""), tag


# Tables for spreadsheets and Markdown.

TABLES = {
    "cli/watch.py": "sources and subjects, as `spreadsheets.write` writes them",
    "datasets/formats/_own_table.py": "tests/datasets/formats: read again, to the character",
    "evaluation/detection_errors.py": "a path, as `spreadsheets.write` writes it",
    "training/runs/folder.py": "names of figures, as `spreadsheets.write` writes them",
    "training/sweeping/tables.py": "below",
}


def test_every_table_is_known() -> None:
    """A new caller of `spreadsheets.write` is named here; only our own label table is read again."""
    found = calls(r"spreadsheets\.write")
    assert {module for module, _ in found} == set(TABLES)
    typed = {module for module, call in found if any(word.arg == "typed" for word in call.keywords)}
    assert typed == {"datasets/formats/_own_table.py"}


def test_tables_of_a_sweep(tmp_path: Path) -> None:
    """CSV without formulas or unseen characters, Markdown without links, HTML or broken lines."""
    answer = swept_summary()
    sweep_tables.write_tables(tmp_path, answer)
    table = (tmp_path / "sweep.csv").read_text("utf-8")
    assert unseen(table) == [] and "'=cmd" in table and "'+1 x" in table and "'@a" in table
    assert not re.search(r"(^|[,;])\"?[=+@]", table, flags=re.MULTILINE)
    text = (tmp_path / "sweep.md").read_text("utf-8")
    assert unseen(text) == []
    bare = re.sub(r"\\[\\`*\[\]<>|&~$#!_]", "", text)
    assert not re.search(r"[<>\[\]`]", bare)
    widths = {
        line.count("|") for line in bare.splitlines() if line.startswith("| ") and "train" not in line
    }
    assert len(widths) <= 3


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_row_of_markdown_is_one_line_of_cells(name: str) -> None:
    """Two cells stay two cells on one line, without markup."""
    line = markdown.row([name, "b"])
    assert unseen(line) == [] and "\n" not in line
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_cell_for_people(name: str) -> None:
    """Escaped as everywhere, and not run."""
    out = io.StringIO()
    spreadsheets.write(out, [[name]])
    assert unseen(out.getvalue()) == []


# Figures


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_figures(name: str, tmp_path: Path) -> None:
    """Wherever a figure has text, it is letters: no formula, which would fail or hide, nothing unseen."""
    from matplotlib.text import Text

    figure, axes = canvas.canvas(name, name, name)
    axes.plot([1, 2], [1, 2], label=canvas.legend_name(f"_{name}"))
    axes.legend(title=name)
    axes.text(1, 1, name)
    axes.set_xticks([1, 2], [name, "b"])
    axes.set_yscale("log")
    figure.suptitle(name)
    figure.colorbar(axes.imshow(np.zeros((2, 2))), label=name)
    assert unseen(canvas.svg(figure)) == []
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    assert unseen("".join(text.get_text() for text in texts)) == []
    first = visible(name)[:1]
    own = [t for t in texts if first in t.get_text()[:2] and "mathdefault" not in t.get_text()]
    assert own and not any(text.get_parse_math() for text in own)
    legend = axes.get_legend()
    assert legend is not None and len(legend.get_texts()) == 1


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_letters_on_pictures(name: str) -> None:
    """Names on drawings, sheets and in their legends are drawn as they are shown, or not at all."""
    drawn = lettering.letters(name, 14)
    if drawn is not None:
        assert unseen("".join(text for text, _ in drawn.parts)) == []
    assert unseen("".join(contact_sheet.sheet_legend({f"王{name}": []})).replace("\t", "")) == []


def test_numbers_of_a_logarithmic_axis_stay_powers() -> None:
    """matplotlib's own formulas are drawn as such: 10 to the -3, not dollars."""
    figure, axes = canvas.canvas("t", "x", "y")
    axes.plot([1e-6, 1], [1, 2])
    axes.set_xscale("log")
    text = canvas.svg(figure)
    assert "$" not in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    ticks = [label for label in axes.get_xticklabels() if "mathdefault" in label.get_text()]
    assert ticks and all(label.get_parse_math() for label in ticks)


def test_logs_and_errors_reach_the_terminal_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """An error's message with a hostile name is one harmless line."""
    from lineament.cli import main

    monkeypatch.setattr(
        sys, "argv", ["lineament", "detect", "none\u202e\x1b[2J.jpg", "--json", "/nowhere/\u202ex"]
    )
    with pytest.raises(SystemExit):
        main.main()
    out, err = capsys.readouterr()
    assert unseen(out) == unseen(err) == [] and "\\u202e" in out + err
