"""Saved evaluations: kept whole, compared by the same rules only, and gated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lineament.errors import ConfigError, InsufficientData, ProtocolMismatch, UnknownName
from lineament.evaluation.compare import compare, gate
from lineament.evaluation.page import render
from lineament.evaluation.record import EvaluationRecord, anonymous


def rate(value: float, n: int = 400, half: float = 0.02) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half), "n": n}


def record(fnmr: float, *, clusters: bool = True, data: str = "abc") -> EvaluationRecord:
    people = {anonymous(f"p{i}"): (float(i < fnmr * 100), 4.0) for i in range(100)}
    return EvaluationRecord(
        kind="verification",
        title="people",
        protocol={"data": data, "rules": {"flip": False}},
        system={"embedder": "sface", "detector": "yunet"},
        answer={
            "subjects": 100,
            "fnmr_at_fmr": {"1e-3": rate(fnmr / 4)},
            "accuracy": rate(1 - fnmr / 8, half=0.001),
            "unsupported": {"1e-6": "needs 30,000,000 non-mated comparisons, you have 79,800"},
            "thresholds_chosen_on": "the thresholds were chosen on these very comparisons",
            "failures": {"NoFaceFound": 1},
        },
        clusters={"fnmr_at_fmr.1e-3": people} if clusters else {},
    )


def test_a_saved_record_comes_back_whole(tmp_path: Path) -> None:
    """What is saved is read again, figures by their path, with the environment it was measured in."""
    before = record(0.2)
    before.save(tmp_path / "a.json")
    after = EvaluationRecord.load(tmp_path / "a.json")
    assert replace(after, environment={}) == before
    assert set(after.figures) == {"fnmr_at_fmr.1e-3", "accuracy"}
    assert after.figures["fnmr_at_fmr.1e-3"].better == "low"
    assert after.figures["accuracy"].better == "high"
    assert "lineament" in after.environment


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"lineament_evaluation": 9}', '{"lineament_evaluation": 1}']
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is no record, of a newer version or damaged, is named."""
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match=r"a\.json"):
        EvaluationRecord.load(tmp_path / "a.json")


def test_a_changed_protocol_is_refused_not_compared() -> None:
    """Other data or rules: the difference would mean nothing, and the error says which rule differs."""
    with pytest.raises(ProtocolMismatch, match="data: 'abc' and 'other'"):
        compare(record(0.2), record(0.2, data="other"))
    changed = replace(record(0.2), protocol={"data": "abc", "rules": {"flip": True}})
    with pytest.raises(ProtocolMismatch, match=r"rules\.flip"):
        gate(record(0.2), changed)


def test_common_people_are_paired() -> None:
    """With the same people in both the difference is paired; without their counts it is not."""
    rows = {row.name: row for row in compare(record(0.2), record(0.3))}
    assert rows["fnmr_at_fmr.1e-3"].difference.paired
    assert rows["fnmr_at_fmr.1e-3"].difference.value == pytest.approx(0.025)
    assert rows["fnmr_at_fmr.1e-3"].verdict == "worse"
    alone = {row.name: row for row in compare(record(0.2, clusters=False), record(0.3, clusters=False))}
    assert not alone["fnmr_at_fmr.1e-3"].difference.paired


def test_the_gate_fails_only_beyond_the_interval() -> None:
    """Clearly worse fails; a difference within its interval, or an improvement, passes."""
    assert [row.name for row in gate(record(0.2), record(0.3))] == ["fnmr_at_fmr.1e-3", "accuracy"]
    assert gate(record(0.2), record(0.2)) == []
    assert gate(record(0.3), record(0.2)) == []
    assert gate(record(0.2, clusters=False), record(0.24, clusters=False), ["fnmr_at_fmr.1e-3"]) == []


def test_the_gate_does_not_pass_by_leaving_out() -> None:
    """A figure that the new evaluation no longer carries fails the gate, and a misspelt one is named."""
    less = record(0.2)
    less = replace(less, answer={k: v for k, v in less.answer.items() if k != "accuracy"})
    with pytest.raises(InsufficientData, match="accuracy"):
        gate(record(0.2), less)
    with pytest.raises(UnknownName, match="accuracy"):
        gate(record(0.2), record(0.2), ["acuracy"])


def test_the_page_needs_nothing_else_and_says_what_is_missing() -> None:
    """One file without scripts or links; the warning and what the data cannot carry stand on it."""
    hostile = replace(record(0.2), title="</title><script>alert(1)</script>", charts={"roc": "<svg/>"})
    page = render([hostile], compare(record(0.2), record(0.3)), title="<b>")
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").split("<summary>")[0]
    assert 'class="red">the thresholds were chosen on these very comparisons' in page
    assert "needs 30,000,000 non-mated comparisons" in page
    assert "data:image/svg+xml;base64," in page
    assert "Apache-2.0" in page  # of the model card


def test_the_page_names_the_worst_group_and_counts_every_group() -> None:
    """The ratio with its interval, and how many people, pictures or attacks a row rests on."""
    groups = {
        "left": {"people": 403, "pictures": 728, "fmr": rate(0.002), "fnmr": None},
        "right": {"people": 1173, "pictures": 2592, "fmr": rate(0.001), "fnmr": rate(0.003)},
    }
    spread = {"value": 1.95, "low": 1.4, "high": 2.72, "worst": "left", "best": "right"}
    answer = {"groups": groups, "fmr_worst_over_best": spread, "presentations": {"print": 35}}
    page = render([replace(record(0.2), kind="fairness", answer=answer)])
    assert "1.95 (1.4 to 2.72), worst left, best right" in page
    for name, count in (
        ("groups.left.people", 403),
        ("groups.right.pictures", 2592),
        ("presentations.print", 35),
    ):
        assert f'<tr><th>{name}<td class="code">{count}</tr>' in page
    assert "groups.left.fmr.n" not in page
