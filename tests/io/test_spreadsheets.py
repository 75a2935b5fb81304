"""Tables for spreadsheets: no cell is run, numbers stay numbers, what is read again is the same."""

from __future__ import annotations

import csv
import io
import random

import pytest

from hostile.names import HOSTILE_NAMES
from lineament.io import spreadsheets

FORMULAS = {
    "equals": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd|'/C calc'!A1",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "tab": "\t=1+1",
    "carriage return": "\r=1+1",
    "line feed": "\n=1+1",
    "blank before": "  =1+1",
    "no-break space before": "\u00a0=1+1",
    "byte order mark before": "\ufeff=1+1",
    "zero-width before": "\u200b=HYPERLINK(1)",
    "wide": "\uff1d1+1",
    "wide at": "\uff20SUM(1)",
    "quote before": '"=1+1',
    "behind a semicolon": 'Ann;=HYPERLINK("http://x")',
    "behind a tab": "Ann\t=1+1",
    "behind a line end": "Ann\n@SUM(1)",
    "with an apostrophe already": "'=1+1",
    "with two": "''=1+1",
    "a phone number": "+49 170 123",
}
NAMES = [name for name in HOSTILE_NAMES.values() if "\0" not in name and "\udcff" not in name]


def cells(text: str, delimiter: str) -> list[str]:
    """Every cell as a program that divides at ``delimiter`` sees it."""
    return [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]


def is_run(cell: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula, and not for a number."""
    bare = cell.lstrip(' "\u00a0\u200b\ufeff')
    if bare.replace(".", "", 1).lstrip("+-").isdigit():
        return False
    return (
        bare.startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
        or cell[:1] in "\t\r\n"
    )


def written(text: str, *, typed: bool) -> str:
    out = io.StringIO()
    spreadsheets.write(out, [["kind", "name"], ["x", text]], typed=typed)
    return out.getvalue()


@pytest.mark.parametrize("typed", [True, False], ids=["read again", "for people"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("text", FORMULAS.values(), ids=FORMULAS)
def test_no_cell_is_run(text: str, delimiter: str, typed: bool) -> None:
    """However a spreadsheet divides the cells, none begins like a formula."""
    assert any(is_run(part) for part in [text, *text.replace("\t", ";").replace("\n", ";").split(";")]) or (
        text.startswith("'")
    )
    assert [cell for cell in cells(written(text, typed=typed), delimiter) if cell and is_run(cell)] == []


@pytest.mark.parametrize(
    "text", [*FORMULAS.values(), *NAMES, "'", "''", "", "007", "-5", "1e5", "nan", "x;'=y"]
)
def test_what_is_read_again_is_the_same(text: str) -> None:
    """Every text comes back to the character, and none reads as a number."""
    line = list(csv.reader(io.StringIO(written(text, typed=True), newline="")))[1:]
    [[_, cell]] = line
    assert spreadsheets.read(cell) == text
    assert spreadsheets.number(cell) is None


def test_random_texts_come_back() -> None:
    """The mark is taken away where it was put, and nowhere else."""
    rng = random.Random(5)
    for _ in range(20_000):
        text = "".join(rng.choices("';=+-@\t\r\n a\"\ufeff", k=rng.randrange(9)))
        for typed in (True, False):
            cell = spreadsheets.cell(text, typed=typed)
            assert spreadsheets.read(cell) == text, (text, cell)


@pytest.mark.parametrize("number", [-0.5, 3, 1e-7, -12.25, 0])
def test_numbers_stay_numbers(number: float) -> None:
    """A number, also as text in a table for people, is not made a text."""
    out = io.StringIO()
    spreadsheets.write(out, [[number, str(number), None]])
    assert list(map(float, out.getvalue().split(",")[:2])) == [number, number]


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_tables_for_people_hold_nothing_unseen(name: str) -> None:
    """What reorders, hides or moves the cursor is escaped, as everywhere."""
    assert written(name, typed=False).replace("\n", "").isprintable()


def test_the_work_grows_with_the_text() -> None:
    """No text makes the marking slow: half a million blanks, marks and separators take no time."""
    for text in (
        " " * 500_000 + "=",
        "'" * 500_000,
        ";'" * 250_000,
        "\n" * 500_000,
        ("; " * 250_000) + "=",
    ):
        assert spreadsheets.read(spreadsheets.cell(text)) == text
