"""The one place through which results are written: what it writes over, and that files appear whole."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lineament.errors import LineamentError, OutputError, WouldOverwrite
from lineament.evaluation.record import EvaluationRecord
from lineament.io import calibration_file, images, own_files, writing
from lineament.io.journal import Journal
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.own_files import Kind

PIXELS = np.full((32, 32, 3), 128, np.uint8)
KINDS = {name: kind for name, kind in vars(own_files).items() if isinstance(kind, Kind) and name != "OWN"}


def foreign(folder: Path) -> dict[str, Path]:
    """Files of the user's, of every sort that somebody could name by mistake."""
    images.save(folder / "ours.jpg", PIXELS)
    plain = {
        "photo.jpg": images.encode_jpeg(PIXELS),
        "photo.png": images.encode_png(PIXELS),
        "photo without suffix": images.encode_jpeg(PIXELS),
        "clip.mp4": b"\0\0\0\x18ftypmp42" + bytes(50),
        "clip.avi": b"RIFF\x10\0\0\0AVI LIST" + bytes(50),
        "weights.onnx": b"\x08\x08\x12\x07pytorch" + bytes(50),
        "weights.safetensors": b"\x10\0\0\0\0\0\0\0{}" + bytes(50),
        "weights.pth": b"PK\x03\x04\0\0" + bytes(50),
        "notes.txt": b"to do: label the rest\n",
        "labels.json": b'{"images": [], "annotations": []}\n',
        "labels.jsonl": b'{"source": "a.jpg", "outcome": "ok", "faces": []}\n',
        "rows.csv": b"picture,subject\na.jpg,Ann\n",
        "page.html": b"<!doctype html>\n<html><title>mine: lineament</title></html>\n",
        "array.npy": b"\x93NUMPY\x01\0" + bytes(60),
        "archive.zip": b"PK\x03\x04\x14\0" + b'{"format": "other"}' + bytes(60),
        "blanks": b"\n\n",
        "half a line": b'{"source": "a.jpg"}',
        "empty.jpg": b"",
    }
    for name, data in plain.items():
        (folder / name).write_bytes(data)
    database = sqlite3.connect(folder / "other.db")
    database.execute("CREATE TABLE cookies (name TEXT)")
    database.commit()
    database.close()
    for end in ("-wal", "-shm", "-journal"):
        (folder / f"other.db{end}").write_bytes(b"" if end == "-wal" else b"\x18\xe2\x2d\0")
    return {path.name: path for path in folder.iterdir() if path.name != "ours.jpg"}


def _album(path: Path) -> None:
    from lineament.albums import file as albums

    albums.save(path, albums.Contents())


def _appearances(path: Path) -> None:
    from lineament.io import spreadsheets
    from lineament.watching.appearances import COLUMNS

    with writing.replacing(path, own_files.APPEARANCES) as file:
        spreadsheets.write(file, [COLUMNS])


def earlier(kind: str, folder: Path) -> Path:
    """A result of this kind as the tool itself writes it."""
    path = folder / f"{kind.lower()}.result"
    if kind in ("PICTURE", "DRAWING", "SHEET", "CROP", "COPY", "MASKED"):
        path = path.with_suffix(".jpg" if kind != "SHEET" else ".png")
        images.save(path, PIXELS, kind=KINDS[kind])
    elif kind == "FIGURE":
        from lineament.plots import canvas

        canvas.save(canvas.canvas("", "", "")[0], path)
    elif kind == "MANIFEST":
        Manifest((ManifestRow("a", "a.jpg", "0" * 64),)).save(path)
    elif kind == "EVALUATION":
        EvaluationRecord("verification", "people", {}, {}, {}).save(path)
    elif kind == "CALIBRATION":
        from lineament.io.catalog import card

        threshold = card("sface").thresholds[0]
        calibration_file.save(path, calibration_file.Calibration(threshold, None, {}))
    elif kind == "ANSWERS":
        lines = writing.Lines(path, own_files.ANSWERS)
        lines.write('{"a": 1}' + own_files.LINE_END)
        lines.close()
    elif kind == "PROPOSALS":
        from lineament.datasets.cleaning import proposals

        proposals.save(path, [proposals.Proposal("a.jpg", "Ann", "remove", "not a face", 0.5)])
    elif kind == "DECISIONS":
        from lineament.datasets.reviewing.decisions import DecisionLog, decision

        DecisionLog(path).append([decision(ManifestRow("a", "a.jpg", "0" * 64), "remove")])
    elif kind == "PAGE":
        from lineament.evaluation.page import render

        with writing.replacing(path, own_files.PAGE) as file:
            file.write(render([EvaluationRecord("verification", "people", {}, {}, {})], title="Ours"))
    elif kind == "APPEARANCES":
        _appearances(path)
    elif kind == "ALBUM":
        _album(path)
    elif kind == "ARRAY":
        from lineament.cli.explain import _save

        path = folder / "ours.npy"
        _save(folder, "ours", np.zeros(3))
        assert np.array_equal(np.load(path), np.zeros(3))
    elif kind == "BUNDLE":
        from lineament.io import bundles

        bundles.export(path, [])
    elif kind == "REJECTION":
        with writing.replacing(path, own_files.REJECTION) as file:
            file.write('{"lineament_rejection": 1}')
    elif kind == "ERROR_TABLE":
        with writing.replacing(path, own_files.ERROR_TABLE) as file:
            file.write("picture,drawing,error,x1,y1,x2,y2,score\n")
    else:
        raise AssertionError(f"a kind of output without a test: {kind}")
    return path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One earlier result of every kind."""
    folder = tmp_path_factory.mktemp("results")
    return {name: earlier(name, folder) for name in sorted(KINDS) if name != "NEW"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_earlier_results_of_the_same_kind_are_written_over(
    tmp_path: Path, results: dict[str, Path], kind: str
) -> None:
    """A picture, a video, weights, a gallery, a table, a text, and results of every *other* kind are
    refused, and not a byte of them changes; an earlier result of this kind, as the tool itself wrote it,
    is written over."""
    for name, path in foreign(tmp_path).items():
        before = path.read_bytes()
        with pytest.raises(WouldOverwrite, match="not touched"):
            writing.require(path, KINDS[kind])
        assert path.read_bytes() == before, name
    for other, path in results.items():
        if other != kind:
            before = path.read_bytes()
            with pytest.raises(WouldOverwrite), writing.replacing(path, KINDS[kind]):
                raise AssertionError(f"{path} was about to be written over as {kind}")
            assert path.read_bytes() == before
    if kind != "NEW":
        mine = earlier(kind, tmp_path)
        assert writing.require(mine, KINDS[kind]) == mine.resolve()
        assert earlier(kind, tmp_path) == mine  # written again, by its own writer


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_input_is_refused_whatever_it_is_called(
    tmp_path: Path, results: dict[str, Path], kind: str
) -> None:
    """An input of the running command is told by the file, not by its name: through a hard link, a link, a
    relative path, and even when it is an earlier result of this very kind."""
    given = tmp_path / "given"
    if kind == "NEW":
        given.write_text("x")
    else:
        shutil.copy(results[kind], given)
    (tmp_path / "hard").hardlink_to(given)
    (tmp_path / "soft").symlink_to(given)
    (tmp_path / "via").symlink_to(tmp_path, target_is_directory=True)
    before = given.read_bytes()
    with writing.command([given]):
        for name in ("given", "hard", "soft", "via/given", f"../{tmp_path.name}/given", "./given"):
            with pytest.raises(WouldOverwrite):
                writing.require(f"{tmp_path}/{name}", KINDS[kind])
    assert given.read_bytes() == before
    if kind != "NEW":
        writing.require(given, KINDS[kind])  # once the command has ended


def test_a_file_of_ours_that_somebody_added_to_is_not_ours_any_more(tmp_path: Path) -> None:
    """JSON lines, proposals and decisions are looked at to their last line."""
    for kind in ("ANSWERS", "PROPOSALS", "DECISIONS"):
        path = earlier(kind, tmp_path)
        with path.open("a") as file:
            file.write('{"mine": 1}\n')
        with pytest.raises(WouldOverwrite):
            writing.require(path, KINDS[kind])


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    """The file replaced keeps its permission bits; a link keeps leading to it; a dangling link is made
    good; another name of the same file keeps the earlier result."""
    path = earlier("MANIFEST", tmp_path)
    path.chmod(0o640)
    (tmp_path / "other name").hardlink_to(path)
    (tmp_path / "link").symlink_to(path.name)
    (tmp_path / "dangling").symlink_to("deep/new.jsonl")
    before = path.read_bytes()
    Manifest(()).save(tmp_path / "link")
    Manifest(()).save(tmp_path / "dangling")
    assert (tmp_path / "link").is_symlink() and path.read_bytes() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (tmp_path / "other name").read_bytes() == before
    assert len(Manifest.load(tmp_path / "deep" / "new.jsonl")) == 0
    path.chmod(0o444)
    with pytest.raises(OutputError, match="write-protected"):
        Manifest(()).save(path)


def spoiled(tmp_path: Path) -> dict[str, Path]:
    """Places where no file can be written, whoever asks."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    return {
        "a folder has that name": tmp_path / "folder",
        "a file where a folder is needed": tmp_path / "file" / "out",
        "a file, two folders up": tmp_path / "file" / "a" / "b" / "out",
        "a name too long": tmp_path / ("x" * 300),
        "a folder's name too long": tmp_path / ("x" * 300) / "out",
        "a path too long": tmp_path / ("x/" * 3000) / "out",
        "links in a circle": tmp_path / "loop",
        "a name with NUL": tmp_path / "a\0b",
        "a folder that takes no files": Path("/proc/self/out"),
    }


CASES = ["folder", "file", "two", "name", "folder's", "path", "circle", "NUL", "takes"]


@pytest.mark.parametrize("case", CASES)
def test_a_place_where_no_file_can_be_is_a_named_error(tmp_path: Path, case: str) -> None:
    """OutputError, before any work or at the latest when writing, that names the place and a way out."""
    path = next(path for name, path in spoiled(tmp_path).items() if case in name.split())
    with pytest.raises(OutputError, match="cannot be written"), writing.replacing(path, own_files.MANIFEST):
        pass
    with pytest.raises(OutputError, match="cannot be written"):
        writing.Lines(path, own_files.ANSWERS)


def test_missing_folders_are_made_and_long_names_have_room(tmp_path: Path) -> None:
    """One rule everywhere: a missing folder is made. A name of the full 255 bytes can be written."""
    for name in ("a/b/c/out.jsonl", "ä" * 127, "x" * 249 + ".jsonl"):
        Manifest(()).save(tmp_path / name)
        assert Manifest.load(tmp_path / name).rows == ()
    assert not list(tmp_path.rglob(".*"))


def test_a_read_only_folder_is_told_to_whom_it_concerns(tmp_path: Path) -> None:
    """Without permission to write in a folder: OutputError, naming it. Root becomes somebody else first."""
    (tmp_path / "locked").mkdir(mode=0o555)
    program = (
        "import os, sys\n"
        "from lineament.errors import OutputError\n"
        "from lineament.io import writing, own_files\n"
        "os.getuid() or os.setuid(65534)\n"
        "try: writing.require(sys.argv[1], own_files.MANIFEST)\n"
        "except OutputError as error: print(error)\n"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if os.getuid() == 0 and folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    run = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "locked" / "new"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "no permission to write in" in run.stdout and "locked" in run.stdout, run.stdout


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: what a full disk does, without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 5000, 70_000])
def test_a_full_disk_leaves_the_earlier_result_whole(tmp_path: Path, room: int) -> None:
    """Full at the first byte or in the middle: OutputError, the file that was there unchanged, nothing left
    beside it."""
    rows = tuple(ManifestRow(f"{i:05}", f"{i}.jpg", "0" * 64) for i in range(2000))
    path = tmp_path / "out.jsonl"
    Manifest(rows[:1]).save(path)
    before = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    with little_room(room):
        with pytest.raises(OutputError, match=r"out\.jsonl: cannot be written: .*; "):
            Manifest(rows).save(path)
        with pytest.raises(OutputError):
            images.save(tmp_path / "out.png", noise)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]


def test_lines_that_are_whole_are_kept_when_the_disk_is_full(tmp_path: Path) -> None:
    """Lines written before the disk was full stand under the file's name, each of them whole."""
    path = tmp_path / "out.jsonl"
    with little_room(5000):
        lines = writing.Lines(path, own_files.ANSWERS)
        with pytest.raises(OutputError):
            for i in range(1000):
                lines.write(json.dumps({"row": i}) + own_files.LINE_END)
        lines.close(whole=False)
    kept = [json.loads(line)["row"] for line in path.read_text().splitlines()]
    assert kept == [*range(len(kept))] and 200 < len(kept) < 1000
    assert own_files.ANSWERS.known(path)


@pytest.mark.parametrize(
    ("finished", "whole", "left"), [(0, False, "old"), (2, False, "new"), (0, True, "new")]
)
def test_an_early_end_keeps_what_was_finished(
    tmp_path: Path, finished: int, whole: bool, left: str
) -> None:
    """Broken off before the first line the earlier answer stays; after it, what is finished takes its
    place; an answer of no lines is an answer."""
    path = tmp_path / "out.jsonl"
    old = earlier("ANSWERS", tmp_path)
    old.rename(path)
    before = path.read_bytes()
    lines = writing.Lines(path, own_files.ANSWERS)
    for i in range(finished):
        lines.write(f'{{"row": {i}}}' + own_files.LINE_END)
    lines.close(whole=whole)
    assert (path.read_bytes() == before) == (left == "old")
    assert len(path.read_text().splitlines()) == (1 if left == "old" else finished)


def test_leaving_at_once_keeps_whole_lines_and_no_rubbish(tmp_path: Path) -> None:
    """What a second Ctrl-C does: finished lines get their name, half a line and half-written files go."""
    lines = writing.Lines(tmp_path / "out.jsonl", own_files.ANSWERS)
    lines.write('{"row": 0}' + own_files.LINE_END)
    lines._file.write(b'{"row": 1')
    lines._file.flush()
    with writing.target_of(tmp_path / "half", own_files.MANIFEST) as partial:
        partial.write_text("half")
        writing.abandon()
        assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
        partial.write_text("the block ends as if nothing had happened")
    assert (tmp_path / "out.jsonl").read_text() == '{"row": 0}\t\n'


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """Between the look at the target and the move hours may pass: somebody's file is found again."""
    with pytest.raises(WouldOverwrite), writing.replacing(tmp_path / "out", own_files.PAGE) as file:
        file.write("page")
        (tmp_path / "out").write_text("somebody's")
    assert (tmp_path / "out").read_text() == "somebody's"


def test_pipes_and_devices_are_written_to_not_replaced(tmp_path: Path) -> None:
    """A FIFO gets the lines as they come; /dev/null takes them; /dev/full says so; none becomes a file."""
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reader.start()
    lines = writing.Lines(tmp_path / "pipe", own_files.ANSWERS)
    lines.write("{}\n")
    lines.close()
    reader.join(10)
    assert got == ["{}\n"] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    nothing = writing.Lines("/dev/null", own_files.ANSWERS)
    nothing.write("{}\n")
    nothing.close()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    full = writing.Lines("/dev/full", own_files.ANSWERS)
    with pytest.raises(OutputError, match="make room"):
        full.write("{}\n")


def test_an_open_stream_is_written_as_it_was_opened(tmp_path: Path) -> None:
    """/dev/fd/N goes to the open stream, at its place; one that was opened for reading stays as it is."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(images.encode_jpeg(PIXELS))
    before = photo.read_bytes()
    with photo.open("rb") as reading, (tmp_path / "log").open("w") as log:
        log.write("first\n")
        log.flush()
        lines = writing.Lines(f"/dev/fd/{log.fileno()}", own_files.ANSWERS)
        lines.write("{}\n")
        lines.close()
        refused = writing.Lines(f"/proc/self/fd/{reading.fileno()}", own_files.ANSWERS)
        with pytest.raises(OutputError):
            refused.write("{}\n")
    assert (tmp_path / "log").read_text() == "first\n{}\n"
    assert photo.read_bytes() == before


@pytest.mark.parametrize("text", ["my notes\n", "my notes", "[1, 2]\n", '{"other": 1}\n'])
def test_a_journal_never_grows_in_a_foreign_file(tmp_path: Path, text: str) -> None:
    """A step that may be interrupted keeps a hidden file beside its result; somebody else's is refused."""
    path = tmp_path / ".out.journal"
    path.write_text(text)
    with pytest.raises(WouldOverwrite):
        Journal(path)
    assert path.read_text() == text


def test_every_kind_of_output_has_its_own_mark(results: dict[str, Path]) -> None:
    """No two kinds recognise each other's files, so that a threshold never takes the place of a result."""
    for name, path in results.items():
        assert [other for other, kind in KINDS.items() if kind.known(path)] == [name]


def test_refusals_name_the_file_the_reason_and_the_way_out(tmp_path: Path) -> None:
    """One line: which file, what it is, and what to do instead."""
    (tmp_path / "a.jpg").write_bytes(images.encode_jpeg(PIXELS))
    with pytest.raises(LineamentError) as told:
        writing.require(tmp_path / "a.jpg", own_files.ANSWERS)
    text = str(told.value)
    assert str(tmp_path / "a.jpg") in text and "is a picture" in text and "name another file" in text
    assert "\n" not in text
