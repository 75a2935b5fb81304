"""Worker processes: answers and errors arrive, no worker outlives its caller, crops are the same."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_people import people

from lineament.datasets import extract as extraction
from lineament.datasets.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset
from lineament.engines.processes import Workers
from lineament.engines.threads import in_threads
from lineament.errors import ConfigError, OutputError


def divided(by: int) -> Callable[[int], tuple[float, int]]:
    """What the workers of these tests do; they import it by name."""
    if by < 0:
        raise ConfigError("by: negative")

    def work(number: int) -> tuple[float, int]:
        print("a library's remark")
        return by / number, os.getpid()

    return work


def end_yourself(number: int) -> Callable[[int], None]:
    """Work that the system ends."""
    return lambda _item: os.kill(os.getpid(), number)


def test_answers_come_in_order_from_all_workers() -> None:
    """Every item is answered once, in the order given, by processes other than this one."""
    with Workers(2, divided, (6,)) as pool:
        answers = list(in_threads(2, pool.ask, range(1, 40)))
    assert [(item, answer[0]) for item, answer in answers] == [(n, 6 / n) for n in range(1, 40)]
    processes = {answer[1] for _, answer in answers}
    assert len(processes) == 2 and os.getpid() not in processes


def test_errors_of_the_work_are_raised_and_the_worker_goes_on() -> None:
    """An error arrives as itself; the next item is answered all the same."""
    with Workers(1, divided, (6,)) as pool:
        with pytest.raises(ZeroDivisionError):
            pool.ask(0)
        assert pool.ask(3)[0] == 2
    with pytest.raises(ConfigError, match="negative"):
        Workers(2, divided, (-1,))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_an_ended_worker_is_a_named_error() -> None:
    """A worker that the system kills, for want of memory say, ends in an error that says so."""
    with Workers(1, end_yourself, (signal.SIGKILL,)) as pool, pytest.raises(OutputError, match="signal 9"):
        pool.ask(1)


PARENT = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from lineament.engines.processes import Workers
from test_worker_processes import divided

pool = Workers(2, divided, (6,))
print(*(worker.pid for worker in pool._all), flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="waits for processes as Linux can")
@pytest.mark.parametrize("how", ["killed", "ends without closing"])
def test_no_worker_outlives_its_caller(how: str) -> None:
    """Killed or just gone, the caller takes its workers with it."""
    command = [sys.executable, "-c", PARENT, str(Path(__file__).parent), how]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == (-9 if how == "killed" else 0), ended.stderr
    workers = ended.stdout.split()
    assert len(workers) == 2
    for pid in map(int, workers):
        assert ends(pid)


def ends(pid: int) -> bool:
    """Whether that process is gone, or is within a minute."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process):
        return bool(select.select([process], [], [], 60)[0])


def test_a_plain_script_may_ask_for_workers(tmp_path: Path) -> None:
    """A caller's module without ``if __name__ == "__main__"`` is not run again by the workers."""
    script = tmp_path / "plain.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from lineament.engines.processes import Workers\n"
        "from test_worker_processes import divided\n"
        "print('once')\n"
        "with Workers(2, divided, (6,)) as pool:\n"
        "    print(pool.ask(2)[0])\n"
    )
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["once", "3.0"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def here(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run in this process writes."""
    out = tmp_path_factory.mktemp("here")
    extract(open_dataset(photos), out, ExtractSettings(), workers=1)
    return bytes_of(out)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_processes_and_threads_write_the_same(
    photos: Path, here: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crops, lists and manifest of worker processes are those of this process, byte for byte."""
    source = open_dataset(photos)
    monkeypatch.setattr(extraction, "_LEAST_PHOTOS", 2)
    asked: list[str] = []
    ask = Workers.ask

    def counted(self: Workers, item: extraction.Photo) -> object:
        asked.append(item.path)
        return ask(self, item)

    monkeypatch.setattr(Workers, "ask", counted)
    extract(source, tmp_path / "there", ExtractSettings(), workers=2)
    assert sorted(asked) == sorted({row.path for row in source})
    assert bytes_of(tmp_path / "there") == here


DISTURBED = {
    "starting": (130, "interrupted; what was finished is kept"),
    "working": (130, "interrupted; what was finished is kept"),
    "worker": (1, "OutputError: a worker process ended (signal 9)"),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="waits for processes as Linux can")
@pytest.mark.parametrize("when", DISTURBED)
def test_a_disturbed_run_says_so_and_goes_on(
    when: str, photos: Path, here: dict[str, bytes], tmp_path: Path
) -> None:
    """Ctrl-C, or a worker killed for want of memory: a plain message, the status that belongs to it, no
    process left behind, and the same command again ends with the bytes of a run left alone."""
    script, out = Path(__file__).with_name("interrupted_extract.py"), tmp_path / "out"

    def run(moment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), moment, str(photos), str(out)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, start_new_session=True
        )

    disturbed = run(when)
    status, message = DISTURBED[when]
    said = [line for line in disturbed.stderr.splitlines() if line.strip()]
    assert disturbed.returncode == status, disturbed.stderr
    assert said[-1].startswith(message) and "Traceback" not in disturbed.stderr, disturbed.stderr
    assert not (out / "manifest.jsonl").exists()
    (workers,) = {line for line in disturbed.stdout.splitlines() if line.startswith("workers")}
    assert len(workers.split()) == 3
    assert all(ends(int(pid)) for pid in workers.split()[1:])
    if when != "starting":
        again = run("never")
        assert again.returncode == 0, again.stderr
        assert "photos were done by an earlier run" in again.stdout
        assert bytes_of(out) == here
