"""Ctrl-C and its like, really sent, at any moment of any long command."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
UGLY = (b"Traceback", b"Exception ignored", b"terminate called", b"core dumped")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough photos that no command ends before it is interrupted."""
    folder = tmp_path_factory.mktemp("people")
    for path in [*SAMPLES.glob("*.jpg"), *SAMPLES.glob("*.png")]:
        (folder / path.name.split("_")[0]).mkdir(exist_ok=True)
        for i in range(40):
            shutil.copy(path, folder / path.name.split("_")[0] / f"{i:02}_{path.name}")
    return folder


def start(words: list[object], **more: object) -> subprocess.Popen[bytes]:
    """The program in a session of its own, hearing Ctrl-C wherever the tests were started."""

    def hear() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, "-m", "lineament", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hear,  # noqa: PLW1509
        **more,  # type: ignore[call-overload]
    )


def end(process: subprocess.Popen[bytes], number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Signal the process and then its group, as `timeout` does; status, stdout and stderr."""
    process.send_signal(number)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert not any(ugly in err for ugly in UGLY), err.decode(errors="replace")
    return process.returncode, out.decode(), err.decode()


COMMANDS = {
    "detect": "detect {people} --json {out}/a.jsonl --draw {out}/drawn",
    "analyze": "analyze {people}",
    "enrol": "gallery enrol {people} --gallery sqlite:{out}/g.db",
    "verification": "evaluate verification --all {people}",
    "extract": "dataset extract {people} {out}/crops --workers 2",
}


# A process each: every command early and late, every moment once.
MOMENTS = [
    *(("detect", 0.4), ("detect", 2.3), ("analyze", 0.8), ("analyze", 3.0), ("enrol", 1.2), ("enrol", 4.0)),
    *(("verification", 1.7), ("verification", 3.0), ("extract", 0.8), ("extract", 2.3)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "seconds"), MOMENTS)
def test_whenever_it_comes_a_command_ends_in_order(
    people: Path, tmp_path: Path, command: str, seconds: float
) -> None:
    """During the imports, while models are compiled, and at work: status 130, one line on stderr, no
    traceback and no abort of a library; `timeout -s INT` signals twice, which is one request."""
    process = start(COMMANDS[command].format(people=people, out=tmp_path).split())
    time.sleep(seconds)
    status, _, err = end(process)
    assert status == 130 and err.startswith("interrupted") and err.count("\n") == 1, err
    assert not list(tmp_path.glob(".*"))


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not path.exists() or not any(path.iterdir()):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)


def test_what_was_finished_is_printed_and_kept(people: Path, tmp_path: Path) -> None:
    """Interrupted at work: the finished rows, the summary marked as interrupted, and the whole lines of
    --json under its name, as many as were counted."""
    process = start(["detect", people, "--json", tmp_path / "a.jsonl", "--draw", tmp_path / "drawn"])
    wait_for(tmp_path / "drawn", process)
    status, out, err = end(process)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert status == 130 and 1 <= len(lines) < 240
    assert re.search(rf"\b{len(lines)} pictures?: {len(lines)} ok", out) and out.startswith("interrupted")
    assert all(Path(line["source"]).name in out.replace("\n", "") for line in lines[:1])
    assert err.startswith("interrupted; what was finished is kept (") and "of 240 pictures" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "drawn"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_requests_to_end_are_heard_alike(
    people: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """`kill`, and a terminal that closes, end the work as Ctrl-C does, with their own status."""
    process = start(["detect", people, "--json", tmp_path / "a.jsonl", "--draw", tmp_path / "drawn"])
    wait_for(tmp_path / "drawn", process)
    ended, out, _ = end(process, number)
    assert ended == status and re.search(r"\d pictures?: ", out)
    assert all(json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines())


def test_a_second_time_ends_at_once(people: Path, tmp_path: Path) -> None:
    """A second Ctrl-C does not wait, even where a reader does not take what is to be told; finished lines
    are kept all the same."""
    process = start(["detect", people, "--json", tmp_path / "a.jsonl", "--draw", tmp_path / "drawn"])
    wait_for(tmp_path / "drawn", process)
    process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.6)
    status, _, _ = end(process)
    assert status == 130
    assert all(json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "drawn"]


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    """Under nohup, and in the background of a script, a program goes on: the signal is not taken over."""
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from lineament.cli import stopping\n"
        "with stopping.Installed():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    print('still here')\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "still here\n"


def test_long_work_without_a_place_to_end_is_interrupted_all_the_same() -> None:
    """Where no picture is finished for a second, Ctrl-C interrupts wherever Python is; raised where Python
    can only drop it, it comes again."""
    program = (
        "import os, signal, time, sys\n"
        "from lineament.cli import stopping\n"
        "class Dropped:\n"
        "    def __del__(self):\n"
        "        until = time.monotonic() + 1.2\n"
        "        while time.monotonic() < until: pass\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with stopping.Installed():\n"
        "    stopping.begin()\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    try:\n"
        "        Dropped()\n"
        "        time.sleep(30)\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', stopping.status())\n"
    )
    began = time.monotonic()
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("interrupted 130\n", "")
    assert time.monotonic() - began < 25
