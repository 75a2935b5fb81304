"""The manifest: canonical bytes, whole files, honest errors, and a journal that survives a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.errors import ManifestError
from lineament.io.journal import Journal
from lineament.io.manifest import Manifest, ManifestRow, Provenance, row_id

finite = st.floats(-1e6, 1e6, allow_nan=False)
rows = st.builds(
    ManifestRow,
    id=st.text(min_size=1),
    path=st.from_regex(r"[a-zA-Z0-9 é]{1,8}(/[a-z\u0590-\u05ff]{1,8})?", fullmatch=True),
    sha256=st.just("0" * 64),
    size_wh=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    subject=st.none() | st.text(min_size=1),
    box=st.none() | st.tuples(finite, finite, finite, finite),
    landmarks=st.none() | st.tuples(*[st.tuples(finite, finite)] * 5),
    labels=st.dictionaries(st.text(), st.text() | finite),
    repeats=st.integers(0, 9),
    provenance=st.builds(Provenance, url=st.none() | st.text(min_size=1)),
)


@given(rows)
def test_a_row_survives_json(row: ManifestRow) -> None:
    """Writing and reading a row gives the same row, whatever the names in it."""
    assert ManifestRow.from_json(json.loads(row.to_json())) == row


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    """Rows are stored by id, so the order they were made in leaves no trace."""
    made = [ManifestRow(row_id("0" * 64, p), p, "0" * 64) for p in ("b.jpg", "a.jpg", "c.jpg")]
    Manifest(tuple(made)).save(tmp_path / "one.jsonl")
    Manifest(tuple(made[::-1])).save(tmp_path / "two.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert Manifest.load(tmp_path / "one.jsonl").digest() == Manifest(tuple(made)).digest()


@pytest.mark.parametrize("path", ["../x.jpg", "/etc/passwd", "a/../../b", "", "a\0b"])
def test_a_path_outside_is_refused(path: str) -> None:
    """No row can point outside the manifest's folder."""
    with pytest.raises(ManifestError):
        ManifestRow("1", path, "0" * 64)


def test_a_damaged_manifest_is_refused_by_line(tmp_path: Path) -> None:
    """Truncation, an unknown key, a twin id and a newer version each end in a ManifestError."""
    path = tmp_path / "m.jsonl"
    Manifest((ManifestRow("1", "a.jpg", "0" * 64), ManifestRow("2", "b.jpg", "0" * 64))).save(path)
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    damaged = {
        "announces 2": "".join(lines[:2]),
        "line 3: not JSON.*make it again": whole[:-10],
        "unknown key 'colour'": lines[0] + lines[1].replace("{", '{"colour":1,', 1) + lines[2],
        "two rows": lines[0] + lines[1] * 2,
        "newer": whole.replace('"lineament_manifest":1', '"lineament_manifest":99'),
        "not a lineament manifest": "[]\n",
    }
    for message, text in damaged.items():
        path.write_text(text)
        with pytest.raises(ManifestError, match=message):
            Manifest.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    """An error in mid-save changes nothing and leaves no stray file."""
    path = tmp_path / "m.jsonl"
    Manifest((ManifestRow("1", "a.jpg", "0" * 64),)).save(path)
    before = path.read_bytes()
    with pytest.raises(ManifestError, match="row 1"):
        Manifest((ManifestRow("1", "a.jpg", "0" * 64, quality=float("nan")),)).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.jsonl"]


def test_a_journal_survives_a_kill(tmp_path: Path) -> None:
    """After SIGKILL every synced record is there, and a half-written line is cut off."""
    path = tmp_path / "j"
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from lineament.io.journal import Journal\n"
        "j = Journal(Path(sys.argv[1]))\n"
        "for i in range(100): j.record(str(i), i)\n"
        "j.sync()\n"
        'j._file.write(b\'{"key": "half\'); j._file.flush()\n'
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    with Journal(path) as journal:
        assert journal.done == {str(i): i for i in range(100)}
        journal.record("again", True)
    with Journal(path) as journal:
        assert len(journal.done) == 101
        journal.finish()
    assert not path.exists()
