"""Extraction by worker processes: the crops are the same, and a disturbed run goes on."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sample_people import people

from lineament.datasets.extraction import extract as extraction
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset
from lineament.engines.processes import Workers


def ends(pid: int) -> bool:
    """Whether that process is gone, or is within a minute."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process):
        return bool(select.select([process], [], [], 60)[0])


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

    def counted(self: Workers, batch: Sequence[extraction.Photo]) -> object:
        asked.extend(photo.path for photo in batch)
        return ask(self, batch)

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
        assert re.search(r"photos? w(as|ere) done by an earlier run", again.stdout)
        assert bytes_of(out) == here
