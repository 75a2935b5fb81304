"""The program as a process with streams that are closed, full or no longer read, and disks without room."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
FACE = SAMPLES / "collins_nasa.png"
PROGRAM = [sys.executable, "-m", "lineament"]
UGLY = ("Traceback", "Exception ignored", "terminate called")


def shell(line: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A line of bash with the program as ``$L``; a pipe ends with the program's status."""
    return subprocess.run(
        [
            "bash",
            "-c",
            f"set -o pipefail; L='{sys.executable} -m lineament'; {line}",
            "bash",
            *map(str, words),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "line",
    [
        "for i in 1 2 3 4 5 6 7 8; do set -- $1 $@; done; $L detect $@ --json - | head -n 1",
        "$L models list --json - | head -c 1",
        "$L models list | true",
        "$L detect $1 --json >(true)",
    ],
)
def test_a_reader_that_goes_ends_the_program_without_a_word(line: str) -> None:
    """`| head -1`: quiet, with the status of one that SIGPIPE ended, or 0 when all was written before."""
    run = shell(line, FACE)
    assert run.returncode in (0, 141), run.stderr
    assert not any(word in run.stderr for word in (*UGLY, "Error")), run.stderr


def test_a_reader_that_is_gone_before_is_noticed() -> None:
    """When nobody reads from the start, the status is 141."""
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([*PROGRAM, "models", "list"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (run.returncode, run.stderr) == (141, b"")


@pytest.mark.parametrize("words", ["models list", "models list --json -", "models list --json /dev/full"])
@pytest.mark.parametrize("stdout", [">/dev/full", ">&-"])
def test_a_full_or_closed_stdout_is_a_named_error(words: str, stdout: str) -> None:
    """Nothing can be printed: one line on stderr that says so, status 1."""
    run = shell(f"$L {words} {stdout}")
    assert run.returncode == 1, run.stderr
    assert run.stderr.startswith("OutputError: ") and run.stderr.count("\n") == 1, run.stderr


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_other_closed_streams_do_not_matter(closed: str, tmp_path: Path) -> None:
    """Without stdin or stderr a command works as ever, and a gallery opened then takes no stray output."""
    db = tmp_path / "g.db"
    run = shell(f"$L gallery enrol $1 --subject A --gallery sqlite:$2 {closed}", FACE, db)
    assert run.returncode == 0 and "1 enrolled" in run.stdout, run.stdout
    assert "1 person, " in shell("$L gallery list --gallery sqlite:$1", db).stdout
    assert shell(f"$L detect $1 --detector nonsense {closed}", FACE).returncode == 2


def test_everything_closed_still_writes_the_file(tmp_path: Path) -> None:
    """With stdout closed the file of --json is whole, and the status tells of the rest."""
    run = shell("$L models list --json $1 >&- 2>&- <&-", tmp_path / "out.jsonl")
    assert run.returncode == 1 and (run.stdout, run.stderr) == ("", "")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert len(lines) > 3 and all(json.loads(line)["name"] for line in lines)


def test_json_goes_to_streams_of_every_kind(tmp_path: Path) -> None:
    """-, /dev/stdout, /dev/fd/N, a FIFO and process substitution all get the same lines."""
    wanted = shell("$L models list --json -").stdout
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for line in (
        "$L models list --json /dev/stdout | grep '^{'",
        "$L models list --json /dev/fd/3 3>&1 >/dev/null",
        "(cat $1 & $L models list --json $1 >/dev/null; wait)",
        "$L models list --json >(cat >&2) 2>&1 >/dev/null; sleep 0.3",
    ):
        run = shell(line, fifo)
        assert run.returncode == 0, run.stderr
        got = [json.loads(text) for text in (run.stdout + run.stderr).splitlines() if text.startswith("{")]
        assert got == [json.loads(text) for text in wanted.splitlines()], line


@pytest.mark.parametrize(
    ("words", "room", "kept"),
    [
        (["models", "list", "--json", "out"], 0, 0),
        (["models", "list", "--json", "out"], 3000, 1),
        (["dataset", "import", "people"], 10, 0),
        (["dataset", "import", "people", "--out", "out"], 20_000, 0),
        (["dataset", "export", "people", "out", "--format", "csv"], 20_000, 0),
        (["dataset", "split", "people", "train=100", "--no-near", "--out", "people/out"], 10, 0),
        (["dataset", "extract", "people", "out"], 2000, 0),
        (["dataset", "audit", "people", "--out", "out", "--no-near"], 3000, 0),
        (["models", "bundle", "out", "yunet"], 2000, 0),
    ],
)
def test_a_full_disk_ends_a_command_with_a_named_error(
    tmp_path: Path, words: list[str], room: int, kept: int
) -> None:
    """No room at the first byte or in the middle: one line that names the error, status 1, nothing left
    half-written; of --json the whole lines are kept."""
    for i, name in enumerate(("a", "b")):
        (tmp_path / "people" / name).mkdir(parents=True)
        (tmp_path / "people" / name / f"{i}.png").write_bytes(FACE.read_bytes())
    before = sorted(path for path in tmp_path.rglob("*"))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

    run = subprocess.run(
        [*PROGRAM, *words], cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1, run.stderr
    error = run.stderr.splitlines()[-1]
    assert error.partition(":")[0] in ("OutputError", "LabelFileError") and "cannot be written" in error
    assert not any(ugly in run.stderr for ugly in UGLY), run.stderr
    made = [path for path in tmp_path.rglob("*") if path not in before and path.is_file()]
    if kept:
        (out,) = made
        assert len([json.loads(line) for line in out.read_text().splitlines()]) >= kept
    elif "extract" in words:  # whatever is whole is gone on with
        assert all(path.name.startswith(".extract.") for path in made), made
    else:
        assert made == []
