"""How answers look to people: tables, and lists of many names."""

from __future__ import annotations

import pytest

from lineament.cli.output import Report


@pytest.mark.parametrize(
    ("title", "said"), [(None, ""), ("Left out", "Left out: none\n"), ("Losses", "Losses: none\n")]
)
def test_a_table_without_rows_has_no_frame(
    title: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty frame tells nothing: only what a title says is left, as a line."""
    with Report() as report:
        report.table(title, ("picture", "reason"), iter(()))
    assert capsys.readouterr().out == said


def test_a_table_with_rows_has_its_frame(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows given one after another are all there."""
    with Report() as report:
        report.table("Left out", ("picture", "reason"), ((name, "dark") for name in ("a.jpg", "b.jpg")))
    told = capsys.readouterr().out
    assert told.startswith("Left out") and "a.jpg" in told and "b.jpg" in told and "┏" in told


def test_many_names_stand_in_lines_of_the_screens_width(capsys: pytest.CaptureFixture[str]) -> None:
    """Names that fit stand behind their head; others below it, none broken, none lost."""
    names = [f"features.{number}.conv.0.0" for number in range(52)]
    with Report() as report:
        report.listing("layers", names[:3])
        report.listing("52 layers", names)
    first, head, *lines = capsys.readouterr().out.splitlines()
    assert first == f"layers: {', '.join(names[:3])}" and head == "52 layers:"
    assert len(lines) > 5 and all(len(line) <= 140 for line in lines)
    assert [name for line in lines for name in line.replace(",", " ").split()] == names
