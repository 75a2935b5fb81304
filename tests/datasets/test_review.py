"""Decisions are kept whatever happens around them, and applying them does what they say, no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.cleaning.proposals import Proposal, save
from lineament.datasets.reviewing.decisions import DecisionLog, ReviewDecision, decision
from lineament.datasets.reviewing.review import Review, apply, open_review
from lineament.errors import ManifestError, OutputError, UsageError
from lineament.io.manifest import Manifest, ManifestRow, row_id

HOSTILE = "<b>x</b>\u202e\udcff'; DROP--"
runner = CliRunner()


def row(path: str, subject: str | None = "A", **values: object) -> ManifestRow:
    digest = f"{path:0>64}"[-64:]
    given = {"id": row_id(digest, path), "path": path, "sha256": digest, "subject": subject}
    return ManifestRow(**{**given, **values})  # type: ignore[arg-type]


def about(path: str, action: str, score: float, reason: str = "wrong person", **more: object) -> Proposal:
    return Proposal(path, "A", action, reason, score, **more)  # type: ignore[arg-type]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rows = [row(f"A/{n}.jpg") for n in range(6)] + [row("B/0.jpg", "B")]
    return Manifest(tuple(rows), folder=tmp_path)


def review(manifest: Manifest, *proposals: Proposal) -> Review:
    return Review(manifest, proposals, DecisionLog(manifest.folder / "review.jsonl"))


def at(manifest: Manifest, path: str) -> str:
    return next(r.id for r in manifest if r.path == path)


def test_the_last_decision_stands_and_undo_brings_back_the_one_before(manifest: Manifest) -> None:
    """Undoing appends: the log only grows, and each undo takes back one decision."""
    desk, one = review(manifest), at(manifest, "A/1.jpg")
    desk.decide(one, "keep")
    desk.decide(one, "move", "B")
    stands = [desk.decided(one)]
    sizes = [desk.log.path.stat().st_size]
    for _ in range(3):
        desk.undo()
        stands.append(desk.decided(one))
        sizes.append(desk.log.path.stat().st_size)
    assert [s and (s.choice, s.to) for s in stands] == [("move", "B"), ("keep", None), None, None]
    assert sizes == sorted(sizes) and len(desk.log.entries) == 4
    assert desk.undo(one) is None


def test_decisions_hold_for_later_manifests_of_the_same_pictures(manifest: Manifest) -> None:
    """Rows may gain labels, splits, other ids or lose neighbours: the picture's bytes and path decide."""
    desk = review(manifest, about("A/1.jpg", "remove", 0.5), about("A/2.jpg", "remove", 0.5))
    desk.decide(at(manifest, "A/1.jpg"), "remove")
    rerun = Manifest(
        (row("A/1.jpg", split="train", id="new"), row("A/2.jpg", quality=0.5), row("C/9.jpg", "C")),
        folder=manifest.folder,
    )
    again = review(rerun, about("A/1.jpg", "remove", 0.5), about("A/2.jpg", "remove", 0.5))
    assert again.decided("new") is not None and again.left() == 1
    changed = Manifest((row("A/1.jpg", sha256="f" * 64),), folder=manifest.folder)
    assert review(changed).decided(changed.rows[0].id) is None


def test_faces_of_one_picture_are_decided_apart(tmp_path: Path) -> None:
    """Two rows with equal bytes and path are told apart by their ids, never both decided at once."""
    faces = (row("g.jpg", id="one"), row("g.jpg", "B", id="two"))
    desk = review(Manifest(faces, folder=tmp_path))
    desk.decide("one", "remove")
    assert desk.decided("two") is None
    assert [r.id for r in apply(review(Manifest(faces, folder=tmp_path))).manifest] == ["two"]


def test_auto_accepts_only_what_is_sure_and_undecided(manifest: Manifest) -> None:
    """At the stated score, never below, never `review`, not against a person, not on a contradiction."""
    desk = review(
        manifest,
        about("A/0.jpg", "remove", 0.95),
        about("A/1.jpg", "remove", 0.9499),
        about("A/2.jpg", "review", 1.0),
        about("A/3.jpg", "move", 0.99, to="B"),
        about("A/4.jpg", "remove", 1.0),
        about("A/5.jpg", "move", 1.0, to="B"),
        about("A/5.jpg", "move", 0.99, to="C"),
        about("B/0.jpg", "remove", 1.0),
    )
    desk.decide(at(manifest, "A/4.jpg"), "keep")
    desk.decide(at(manifest, "B/0.jpg"), "keep")
    desk.undo(at(manifest, "B/0.jpg"))
    assert desk.accept(0.95) == 2
    automatic = {e.path: (e.choice, e.to, e.score) for e in desk.log.entries if e.by == "auto"}
    assert automatic == {"A/0.jpg": ("remove", None, 0.95), "A/3.jpg": ("move", "B", 0.99)}
    assert desk.accept(0.95) == 0
    for wrong in (0.0, -1.0, 1.01, float("nan")):
        with pytest.raises(UsageError):
            desk.accept(wrong)


def test_auto_never_removes_every_copy_of_a_picture(manifest: Manifest) -> None:
    """A duplicate goes only while the picture at the end of its chain stays; circles are left alone."""
    desk = review(
        manifest,
        about("A/0.jpg", "remove", 1.0, "near duplicate", of="A/1.jpg"),
        about("A/1.jpg", "remove", 1.0, "near duplicate", of="A/2.jpg"),
        about("A/3.jpg", "remove", 1.0, "exact duplicate", of="B/0.jpg"),
        about("B/0.jpg", "remove", 1.0, "poor quality"),
        about("A/4.jpg", "remove", 1.0, "exact duplicate", of="A/5.jpg"),
        about("A/5.jpg", "remove", 1.0, "exact duplicate", of="A/4.jpg"),
    )
    desk.accept(0.9)
    assert {e.path for e in desk.log.entries} == {"A/0.jpg", "A/1.jpg", "B/0.jpg"}


def test_applying_drops_and_moves_rows_and_touches_no_file(manifest: Manifest) -> None:
    """Removed rows go, moved ones change their subject, all others stay byte for byte; files too."""
    (manifest.folder / "A").mkdir()
    (manifest.folder / "A" / "0.jpg").write_bytes(b"picture")
    desk = review(manifest, about("A/2.jpg", "remove", 1.0))
    desk.decide(at(manifest, "A/0.jpg"), "remove")
    desk.decide(at(manifest, "A/1.jpg"), "move", HOSTILE)
    applied = apply(desk)
    left = {r.path: r.subject for r in applied.manifest}
    assert left == {**{f"A/{n}.jpg": "A" for n in range(2, 6)}, "A/1.jpg": HOSTILE, "B/0.jpg": "B"}
    assert (applied.removed, applied.moved, applied.manifest.steps[-1]["left"]) == (1, 1, 1)
    assert (manifest.folder / "A" / "0.jpg").read_bytes() == b"picture"
    untouched = [r for r in applied.manifest if r.path != "A/1.jpg"]
    assert all(r.to_json() in [o.to_json() for o in manifest] for r in untouched)


def test_rows_made_from_a_row_follow_it(tmp_path: Path) -> None:
    """An augmented copy of a removed picture goes too, unless decided itself; circles do not hang."""
    first, second = row("a.jpg"), row("b.jpg")
    rows = (
        first,
        second,
        row("a1.jpg", parent=first.id),
        row("a2.jpg", parent=row("a1.jpg").id),
        row("a3.jpg", parent=first.id),
        row("b1.jpg", parent=second.id),
        row("loop.jpg", parent=row("loop.jpg").id),
    )
    desk = review(Manifest(rows, folder=tmp_path))
    desk.decide(first.id, "remove")
    desk.decide(row("a3.jpg").id, "keep")
    desk.decide(second.id, "move", "B")
    applied = apply(desk)
    assert {r.path: r.subject for r in applied.manifest} == {
        "b.jpg": "B", "b1.jpg": "B", "a3.jpg": "A", "loop.jpg": "A",
    }  # fmt: skip
    assert (applied.removed, applied.moved, applied.followed) == (1, 1, 3)


def test_two_writers_lose_nothing(manifest: Manifest) -> None:
    """Two logs open on one file, as two programs have: every decision is there, the last write wins."""
    logs = [DecisionLog(manifest.folder / "review.jsonl") for _ in range(2)]

    def write(log: DecisionLog) -> None:
        for n in range(40):
            log.append([decision(manifest.rows[n % 7], "keep")])

    threads = [threading.Thread(target=write, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(DecisionLog(manifest.folder / "review.jsonl").entries) == 80
    one, two = review(manifest), review(manifest)
    one.decide(manifest.rows[0].id, "remove")
    two.decide(manifest.rows[0].id, "move", "B")
    one.refresh()
    assert one.decided(manifest.rows[0].id) == two.decided(manifest.rows[0].id)
    assert two.decided(manifest.rows[0].id).choice == "move"  # type: ignore[union-attr]


WRITER = """
import sys
from pathlib import Path
from lineament.datasets.reviewing.decisions import ReviewDecision, DecisionLog
log = DecisionLog(Path(sys.argv[1]))
for n in range(100_000):
    log.append([ReviewDecision("0" * 64, f"A/{n}.jpg", str(n), "keep")])
    print(n, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_program_loses_no_decision_it_confirmed(tmp_path: Path) -> None:
    """Killed between or inside writes, the log reads whole and holds everything that was confirmed."""
    path = tmp_path / "review.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        confirmed = [int(program.stdout.readline()) for _ in range(25)][-1]
        program.kill()
    entries = DecisionLog(path).entries
    assert [e.path for e in entries] == [f"A/{n}.jpg" for n in range(len(entries))]
    assert len(entries) > confirmed


def test_half_a_line_is_cut_off_and_damage_is_named(manifest: Manifest) -> None:
    """A kill leaves at most half a last line, which goes; any other damage is named and left as it is."""
    desk, path = review(manifest), manifest.folder / "review.jsonl"
    desk.decide(manifest.rows[0].id, "keep")
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole + whole[:length])
        again = DecisionLog(path)
        assert len(again.entries) == 1
    again.append([decision(manifest.rows[1], "remove")])
    assert [e.choice for e in DecisionLog(path).entries] == ["keep", "remove"]
    for damage in (b"[]\n", b"{}\n", b"\xff\n", b"\n", whole.replace(b'"keep"', b'"burn"')):
        path.write_bytes(whole + damage)
        with pytest.raises(ManifestError, match="line 2"):
            DecisionLog(path)
        assert path.read_bytes() == whole + damage


def test_a_log_that_shrinks_or_goes_is_refused(manifest: Manifest) -> None:
    """Somebody else's editing of the log while it is open is an error, never a fresh start."""
    desk, path = review(manifest), manifest.folder / "review.jsonl"
    desk.decide(manifest.rows[0].id, "keep")
    path.write_bytes(b"")
    with pytest.raises(ManifestError, match="shorter"):
        desk.decide(manifest.rows[1].id, "keep")
    path.unlink()
    with pytest.raises(ManifestError, match="gone"):
        desk.refresh()


def test_a_decision_that_cannot_be_stored_does_not_stand(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk refuses, the file is as it was, the error is named, and nothing counts as decided."""
    desk, path = review(manifest), manifest.folder / "review.jsonl"
    desk.decide(manifest.rows[0].id, "keep")
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            desk.decide(manifest.rows[1].id, "remove")
    assert path.read_bytes() == before and desk.decided(manifest.rows[1].id) is None
    desk.decide(manifest.rows[1].id, "remove")
    assert len(DecisionLog(path).entries) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda desk: desk.decide("../../etc/passwd", "keep"),
        lambda desk: desk.decide(next(iter(desk.rows)), "burn"),
        lambda desk: desk.decide(next(iter(desk.rows)), "undo"),
        lambda desk: desk.decide(next(iter(desk.rows)), "move"),
        lambda desk: desk.decide(next(iter(desk.rows)), "move", ""),
    ],
)
def test_wrong_calls_write_nothing(manifest: Manifest, call: Callable[[Review], None]) -> None:
    """An unknown row or choice, or a move to nobody, is refused before anything is stored."""
    desk = review(manifest)
    with pytest.raises((UsageError, ManifestError)):
        call(desk)
    assert not desk.log.path.exists()


def test_a_hostile_name_comes_back_exactly(tmp_path: Path) -> None:
    """Markup, direction marks and bytes that are not UTF-8 survive the log unchanged."""
    log = DecisionLog(tmp_path / "review.jsonl")
    entry = ReviewDecision("0" * 64, f"{HOSTILE}/{HOSTILE}.jpg", HOSTILE, "move", HOSTILE)
    log.append([entry])
    assert DecisionLog(log.path).entries == [entry]


def test_the_command_accepts_applies_and_counts(tmp_path: Path) -> None:
    """--auto logs, --apply writes the next manifest, --json tells both; a second run changes nothing."""
    for name in ("A/0.jpg", "A/1.jpg", "B/0.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    save(
        tmp_path / "proposals.jsonl",
        [
            about("A/0.jpg", "move", 0.97, to="B"),
            about("A/1.jpg", "remove", 0.6),
            about("gone", "remove", 1),
        ],
    )
    call = ["dataset", "review", str(tmp_path), "--auto", "0.95", "--apply", str(tmp_path / "next.jsonl")]
    first, second = (runner.invoke(app, [*call, "--json", "-"]) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    answer = json.loads(first.stdout)
    expected = {
        "unmatched": 1,
        "pictures": 3,
        "proposed": 2,
        "left": 1,
        "automatic": 1,
        "rows": 3,
        "moved": 1,
    }
    assert {key: answer[key] for key in expected} == expected
    assert json.loads(second.stdout) == answer
    written = Manifest.load(tmp_path / "next.jsonl")
    assert {r.path: r.subject for r in written} == {"A/0.jpg": "B", "A/1.jpg": "A", "B/0.jpg": "B"}
    assert open_review(written).decided(at(written, "A/0.jpg")) is not None
    for read in ("proposals.jsonl", "review.jsonl"):
        refused = runner.invoke(app, ["dataset", "review", str(tmp_path), "--apply", str(tmp_path / read)])
        assert isinstance(refused.exception, UsageError)
