"""`evaluate liveness`: tables of scores and folders; no threshold is judged where it was chosen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.evaluate import app
from lineament.errors import ConfigError, ProtocolMismatch, UsageError
from lineament.evaluation import liveness
from lineament.evaluation.compare import compare
from lineament.evaluation.record import EvaluationRecord
from lineament.types import Float64, Image

SAMPLES = Path(__file__).parents[2] / "samples"
TABLE = """image,subject,kind,score,jitter
a.png,ann,bona_fide,0.9,
a.png,ann,bona_fide,0.4,left
b.png,bob,bona_fide,0.8,0
b.png,bob,bona_fide,0.8,left
c.png,ann,print,0.2,
c.png,ann,print,0.7,left
d.png,bob,replay,,
d.png,bob,replay,0.1,left
"""


def _table(folder: Path, text: str, name: str = "scores.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_table_gives_rates_by_kind_and_under_jitter(tmp_path: Path) -> None:
    """The worst attack counts, an empty score is no answer, jitter has its own worst case."""
    command = ["liveness", "--scores", str(_table(tmp_path, TABLE)), "--threshold", "0.5", "--json", "-"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    record = json.loads(run.stdout)
    assert record["presentations"] == {"bona_fide": 2, "print": 1, "replay": 1}
    assert (record["apcer"]["value"], record["bpcer"]["value"]) == (0.0, 0.0)
    assert set(record["bpcer"]) == {"value", "low", "high", "n"}
    assert record["no_answer"] == {"bona_fide": 0, "print": 0, "replay": 1}
    worst = record["jitter"]["worst_case"]
    assert (worst["apcer_by_kind"]["print"]["value"], worst["bpcer"]["value"]) == (1.0, 0.5)
    assert record["jitter"]["changed"]["value"] == 0.5
    assert record["threshold_from"] == "given"


def test_a_rate_the_attacks_cannot_support_is_refused(tmp_path: Path) -> None:
    """BPCER at APCER 10 % needs 300 attacks of each kind; with one of each there is a reason instead."""
    table = _table(tmp_path, TABLE)
    run = CliRunner().invoke(app, ["liveness", "--scores", str(table), "--threshold", "0.5"])
    assert "needs 300 attacks of each kind, you have 1 of print" in run.stdout
    record = liveness.evaluate(liveness.read_scores(table), threshold=0.5).to_json()
    assert record["bpcer_at_apcer"] == {"0.1": None, "0.05": None, "0.01": None}


def test_the_threshold_comes_from_other_presentations_or_the_caller(tmp_path: Path) -> None:
    """Chosen elsewhere it holds the BPCER there; chosen on the same people or images it is refused."""
    scored = liveness.read_scores(_table(tmp_path, TABLE))
    lines = [f"p{i}.png,p{i},bona_fide,{i / 100}" for i in range(100)] + ["x.png,px,print,0.3"]
    text = "image,subject,kind,score\n" + "\n".join(lines)
    other = liveness.read_scores(_table(tmp_path, text, "other.csv"))
    found = liveness.evaluate(scored, chosen_on=other, bpcer=0.05)
    assert found.rates.threshold == 0.05
    assert found.threshold_from == "BPCER 0.05 on 100 other presentations"
    assert found.shortfall is None
    few = liveness.evaluate(scored, chosen_on=other, bpcer=0.01).to_json()["threshold_shortfall"]
    assert "100 people" in few and "fewer than 299" in few
    with pytest.raises(UsageError, match="4 images and 2 subjects"):
        liveness.evaluate(scored, chosen_on=scored)
    for wrong in ({}, {"threshold": 0.5, "chosen_on": other}):
        with pytest.raises(UsageError, match="give a threshold"):
            liveness.evaluate(scored, **wrong)


def _better(text: str) -> str:
    """The same presentations under another model: no attack passes under any box."""
    return text.replace("0.7,left", "0.1,left")


def test_two_models_on_the_same_presentations_are_compared_paired(tmp_path: Path) -> None:
    """--save keeps errors by subject under digests; other presentations, or another rule, are refused."""
    saved = {}
    for name, text in (("one", TABLE), ("two", _better(TABLE)), ("fewer", TABLE.replace("print", "mask"))):
        scores = _table(tmp_path, text, f"{name}.csv")
        saved[name] = tmp_path / f"{name}.json"
        threshold = ["--threshold", "0.1" if name == "two" else "0.5", "--save", str(saved[name])]
        run = CliRunner().invoke(app, ["liveness", "--scores", str(scores), *threshold])
        assert run.exit_code == 0, run.output
    assert '"ann"' not in saved["one"].read_text() and "a.png" not in saved["one"].read_text()
    first, second = EvaluationRecord.load(saved["one"]), EvaluationRecord.load(saved["two"])
    rows = {row.name: row for row in compare(first, second)}
    assert rows["bpcer"].difference.paired
    assert (
        rows["apcer_by_kind.print"].first.rate.value,
        rows["apcer_by_kind.print"].second.rate.value,
    ) == (0, 1)
    assert rows["jitter.changed"].first.better == "low"
    for name in ("bpcer", "apcer", "apcer_by_kind.print", "apcer_by_kind.replay"):
        rate, counts = first.figures[name].rate, first.clusters[name].values()
        assert sum(part for part, _ in counts) == rate.value * rate.n
        assert sum(whole for _, whole in counts) == rate.n
    with pytest.raises(ProtocolMismatch, match="data"):
        compare(first, EvaluationRecord.load(saved["fewer"]))
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["report", str(saved["one"]), "--out", str(page)]).exit_code == 0
    assert 'class="red">bpcer_at_apcer: the thresholds were chosen on' in page.read_text()
    assert "needs 300 attacks of each kind" in page.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,score\na,1\n", "line 1: .*kind"),
        ("kind,score\nbona_fide,1\nprint,high\n", "line 3: the score is no number"),
        ("kind,score\nbona_fide,1\nprint,nan\n", "line 3: the score is not finite"),
        ("kind,score\nbona_fide,1\nprint\n", "line 3: expected 2 values"),
        ("kind,score\n,1\n", "line 2: no kind"),
        ("image,kind,score\na,bona_fide,1\na,bona_fide,1\n", "line 3: .*twice"),
        ("image,kind,score\na,bona_fide,1\na,print,1\n", "line 3: .*another kind"),
        ("image,kind,score,jitter\na,bona_fide,1,left\nb,print,1,\n", "'a' has scores under jitter"),
        ("image,kind,score,jitter\na,bona_fide,1,\na,bona_fide,1,x\nb,print,1,\n", "'b' lacks"),
    ],
)
def test_a_bad_table_is_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong stands in the message; nothing is guessed or skipped."""
    with pytest.raises(UsageError, match=message):
        liveness.read_scores(_table(tmp_path, text))


def _detail(image: Image, boxes: Float64) -> Float64:
    """A stand-in for a liveness model that is real arithmetic: fine detail within each box."""
    grey = image.pixels.mean(axis=2)
    scores = []
    for x1, y1, x2, y2 in boxes.round().astype(int):
        patch = grey[max(y1, 0) : y2, max(x1, 0) : x2]
        scores.append(np.abs(np.diff(patch, axis=1)).mean())
    return np.array(scores)


def test_folders_are_scored_with_the_box_found_and_eight_around_it(tmp_path: Path) -> None:
    """Blurred copies stand for attacks and score lower; a picture without a face is no answer, named."""
    for kind in ("bona_fide", "blurred"):
        (tmp_path / kind / "eileen").mkdir(parents=True)
    shutil.copy(SAMPLES / "collins_nasa.png", tmp_path / "bona_fide" / "eileen" / "sharp.png")
    with PillowImage.open(SAMPLES / "collins_nasa.png") as picture:
        small = picture.convert("RGB").resize((128, 128))
        small.resize(picture.size).save(tmp_path / "blurred" / "eileen" / "soft.png")
    PillowImage.new("RGB", (90, 90), (90, 90, 90)).save(tmp_path / "blurred" / "nobody.png")
    with Analyzer("yunet", None, quality=False, workers=1, keep_images=True) as analyzer:
        scored = liveness.score_folders(tmp_path, _detail, analyzer)
    assert scored.jittered is not None
    assert scored.jittered.shape == (3, 9)
    shown = dict(
        zip(scored.presentations.kinds.tolist()[::-1], scored.presentations.scores[::-1], strict=True)
    )
    assert shown["bona_fide"] > shown["blurred"]
    assert sorted(scored.presentations.subjects.tolist())[1:] == ["eileen", "eileen"]
    ((failure),) = scored.failures
    assert (Path(failure.source).name, failure.type) == ("nobody.png", "NoFaceFound")
    report = liveness.evaluate(scored, threshold=float(shown["bona_fide"]))
    assert report.rates.no_answer == {"bona_fide": 0, "blurred": 1}
    assert report.jitter is not None
    assert report.jitter.boxes == 9


def test_folders_without_bona_fide_or_kept_images_are_wrong_usage(tmp_path: Path) -> None:
    """Both ends are needed, and the pixels."""
    (tmp_path / "print").mkdir()
    shutil.copy(SAMPLES / "collins_nasa.png", tmp_path / "print")
    analyzer = Analyzer("yunet", None, quality=False, workers=1, keep_images=True)
    with analyzer, pytest.raises(UsageError, match="bona_fide"):
        liveness.score_folders(tmp_path, _detail, analyzer)
    without = Analyzer.from_settings(analyzer.settings.changed(keep_images=False))
    with without, pytest.raises(ConfigError, match="keep_images"):
        liveness.score_folders(tmp_path, _detail, without)
