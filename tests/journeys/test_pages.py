"""Each page of docs/journeys/ works, command by command, as it is written; one that does not is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from journey_pages import PageError, blocks, pages, with_notes
from running_pages import ROOT, PageFailure, first_missing, run_page

PAGES = pages(ROOT / "docs")
assert PAGES


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_journey_leads_to_its_end(page: Path, tmp_path: Path) -> None:
    """Every block runs in one fresh folder and prints what is shown; some are commands of ours."""
    folder = tmp_path / "reader"
    folder.mkdir()
    done = run_page(page, folder)
    assert any(command.startswith("lineament ") for command in done)


def _page(tmp_path: Path, text: str) -> Path:
    (tmp_path / "reader").mkdir(exist_ok=True)
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def _in_the_test(*directives: str, block: str) -> str:
    return "<!-- in the test\n" + "\n".join(directives) + "\n-->\n" + block


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```console\n$ lineament gallery sing\n```\n", "page.md:1: lineament gallery sing\nexit status 2"),
        ("```sh\ntest -f missing\n```\n", "exit status 1, expected 0"),
        ("```sh\nfalse | cat\n```\n", "exit status 1, expected 0"),
        ("\n```console\n$ echo three\nfour\n```\n", "page.md:2: echo three\nthe page shows a line"),
        ("```console\n$ echo b; echo a\na\nb\n```\n", "  b\n"),
        ("```python\nimport nothing_of_the_kind\n```\n", "No module named"),
        (_in_the_test("status: 1", block="```sh\ntrue\n```\n"), "exit status 0, expected 1"),
        (_in_the_test("stand-in: castle here", block="```sh\ntrue\n```\n"), "stand-in castle here"),
    ],
    ids=["option", "status", "pipe", "line", "order", "script", "no failure", "stand-in"],
)
def test_a_page_that_does_not_work_is_found(tmp_path: Path, text: str, told: str) -> None:
    """A command that fails, prints something else, or wrongly succeeds ends in the page and its line."""
    page = _page(tmp_path, text)
    with pytest.raises(PageFailure) as failure:
        run_page(page, tmp_path / "reader")
    assert told in str(failure.value)


def test_blocks_follow_each_other_in_one_folder(tmp_path: Path) -> None:
    """Files the reader writes, stand-ins and what commands leave are there for the next block."""
    text = (
        '```toml title="a/b.toml"\nx = 1\n```\n'
        + _in_the_test("replace: 20 => 2", "stand-in: video clip.mp4 --seconds 1", block="```sh\n")
        + "test -s clip.mp4 && cp a/b.toml c.toml \\\n  && echo 20 > n.txt\n# not a command\n```\n"
        + '```python\nopen("d.txt", "w").write(open("c.toml").read() + open("n.txt").read())\n```\n'
        + _in_the_test("skip: needs a camera", block="```sh\nexit 7\n```\n")
        + "```text\nnot run\n```\n"
    )
    done = run_page(_page(tmp_path, text), tmp_path / "reader")
    assert (tmp_path / "reader/d.txt").read_text() == "x = 1\n2\n"
    assert done == ["test -s clip.mp4 && cp a/b.toml c.toml && echo 2 > n.txt", "python"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_in_the_test("replace: 30 => 3", block="```sh\necho 20\n```\n"), "does not hold `30`"),
        (_in_the_test("skip:", block="```sh\ntrue\n```\n"), "`skip:` is none of"),
        (_in_the_test("leave out", block="```sh\ntrue\n```\n"), "`leave out` is none of"),
        (_in_the_test("skip: no camera", "status: 1", block="```sh\ntrue\n```\n"), "nothing else to say"),
        (_in_the_test("status: 1", block="words\n"), "followed by no fenced block"),
        (_in_the_test("status: 1", block="words\n\n```sh\ntrue\n```\n"), "followed by no fenced block"),
        ("<!-- in the test: status 1 -->\n", "on a line of its own"),
        ("```\nlineament detect\n```\n", "a block is one of"),
        ("```shell\nlineament detect\n```\n", "this is `shell`"),
        ("- a\n  ```sh\n  lineament detect\n  ```\n", "at the beginning of a line"),
        ("~~~sh\nlineament detect\n~~~\n", "at the beginning of a line"),
        ("```console\nshown first\n$ true\n```\n", "begins with a command"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_no_page(text: str, told: str) -> None:
    """No block and no word to the test is passed over: what is not understood is an error."""
    with pytest.raises(PageError) as error:
        blocks(text)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("481 photos: 479 faces", "12 photos: 12 faces", True),
        ("accuracy 0.882 (0.714 to 0.970)", "accuracy 1.000 (0.5 to 1)", True),
        ("│ train │ 290      │", "│ train │ 7 │", True),
        ("┏━━━━━┓", "┏━━┓", True),
        ("written: …/split.jsonl", "written: crops/split.jsonl", True),
        ("481 photos: 479 faces", "12 photos: 1 face", True),
        ("15 people, 2 copies, 3 boxes", "1 person, 1 copy, 1 box", True),
        ("191 rows are not enrolled", "1 row is not enrolled", True),
        ("191 rows are not enrolled", "1 row has not enrolled", False),
        ("2 proposals, nothing was changed", "1 proposed, nothing was changed", False),
        ("481 photos: 479 faces", "12 photos: 12 faces, 1 refused", False),
        ("no leak", "leak", False),
        ("2 removed", "two removed", False),
        ("a.jpg", "axjpg", False),
    ],
)
def test_lines_shown_may_differ_in_numbers_alone(shown: str, printed: str, fits: bool) -> None:
    """The reader's figures are not the test's; every word and sign around them is."""
    assert (first_missing((shown,), f"before\n{printed}\nafter\n") is None) is fits


def test_the_site_tells_how_a_block_is_tested() -> None:
    """A comment for the test becomes a note under its block; where nothing differs there is none."""
    page = (
        "one\n\n"
        + _in_the_test(
            "replace: --epochs 20 => --epochs 1", "stand-in: people a", block="```sh\nx --epochs 20\n```\n"
        )
        + "\ntwo\n\n"
        + _in_the_test("skip: needs a camera", block="```sh\ny\n```\n")
        + _in_the_test("status: 1", block="```sh\nz\n```\n")
    )
    shown = with_notes(page)
    assert "in the test" not in shown and shown.count("```") == 6
    assert "*Tested with `--epochs 1` for `--epochs 20`, drawn stand-ins for your pictures.*" in shown
    assert "*Not run by the test of this page: needs a camera.*" in shown
    assert shown.index("x --epochs 20") < shown.index("*Tested with") < shown.index("two")
