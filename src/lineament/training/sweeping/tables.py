"""What came of a sweep, as JSON, CSV, Markdown and one HTML page."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.counting import quantity
from lineament.datasets.splitting.held_out import NOTE, exam_of
from lineament.io import markdown as written
from lineament.io import pages, spreadsheets
from lineament.io.own_files import OWN
from lineament.io.writing import replacing
from lineament.training.classification.report import at_chance
from lineament.training.runs.folder import write_json
from lineament.training.splits import SPLITS
from lineament.training.sweeping import published as sweep_published

BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no figures: a few words, and the error's own."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell after its training; ``result`` or ``failure`` is None. ``folder`` is below the sweep's."""

    architecture: str
    method: str
    augmentation: str
    seed: int
    folder: str
    result: Mapping[str, Any] | None
    failure: Failure | None


def mean_interval(values: Sequence[float]) -> dict[str, float | int | None]:
    """Mean accuracy over seeds, its 95 % interval by Student's t, and ``n`` seeds.

    No interval for one seed, nor for seeds that all came to the same: they tell nothing of others. It ends
    at 0 and 1, which that of two or three seeds would often pass.
    """
    from scipy.stats import t

    mean, n = float(np.mean(values)), len(values)
    if n < 2 or min(values) == max(values):
        return {"mean": mean, "low": None, "high": None, "n": n}
    half = float(t.ppf(0.975, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return {"mean": mean, "low": max(mean - half, 0.0), "high": min(mean + half, 1.0), "n": n}


def summarise(outcomes: Sequence[Outcome], *, data: str, left: int) -> dict[str, Any]:
    """Runs, and rows over seeds, best first; ``left`` cells are not trained yet.

    ``splits`` are those that figures are of, ``measured_on`` the one that counts: test, or val without one.
    """
    runs = [_run(outcome) for outcome in outcomes]
    keys = list(dict.fromkeys((o.architecture, o.method, o.augmentation) for o in outcomes))
    rows = [_row(key, [run for run in runs if _key(run) == key]) for key in keys]
    good = [run for run in runs if "train" in run]
    splits = [name for name in SPLITS if not good or any(name in run for run in good)]
    exam = exam_of(splits)
    rows.sort(key=lambda row: -(row[exam]["mean"] if row.get(exam) else -1.0))
    networks = [run for run in good if run["method"] != BASELINE]
    guess = {name: networks[0][name] for name in ("chance", "majority")} if networks else {}
    about = {"data": data, "left": left, "splits": splits, "measured_on": exam}
    return {**about, **guess, "rows": rows, "runs": runs}


def _key(run: Mapping[str, Any]) -> tuple[str, str, str]:
    return run["architecture"], run["method"], run["augmentation"]


def _run(outcome: Outcome) -> dict[str, Any]:
    run: dict[str, Any] = {
        "architecture": outcome.architecture,
        "method": outcome.method,
        "augmentation": outcome.augmentation,
        "seed": outcome.seed,
        "folder": outcome.folder,
        "failed": None if outcome.failure is None else outcome.failure.kind,
        "error": None if outcome.failure is None else outcome.failure.message,
    }
    if (result := outcome.result) is not None:
        run |= {split: result[split]["accuracy"] for split in SPLITS if split in result}
        run["measured_on"] = exam = exam_of(result)
        for name in ("chance", "majority", "epochs", "best_epoch", "ended"):
            run[name] = result.get(name)
        seconds = result.get("seconds")
        run["seconds"] = sum(seconds.values()) if isinstance(seconds, Mapping) else seconds
        if outcome.method != BASELINE and (words := at_chance(result[exam]["accuracy"], result, exam)):
            run["failed"], run["error"] = sweep_published.AT_CHANCE, words
    return run


def _row(key: tuple[str, str, str], runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    architecture, method, augmentation = key
    good = [run for run in runs if "train" in run]
    row: dict[str, Any] = {"architecture": architecture, "method": method, "augmentation": augmentation}
    for split in SPLITS:
        values = [run[split]["value"] for run in good if split in run]
        row[split] = mean_interval(values) if values else None
    row["pictures"] = good[0][good[0]["measured_on"]]["n"] if good else None
    seconds = [run["seconds"] for run in good if run["seconds"] is not None]
    row["seconds"] = float(np.mean(seconds)) if seconds else None
    row["failed"] = [run["failed"] for run in runs if run["failed"] is not None]
    row["folders"] = [run["folder"] for run in runs]
    return row


def write_tables(out: Path, answer: Mapping[str, Any]) -> None:
    """Write ``sweep.json``, ``sweep.csv``, ``sweep.md`` and ``sweep.html``; raises `OutputError`."""
    write_json(out / "sweep.json", answer)
    for name, text in (
        ("sweep.csv", _csv(answer)),
        ("sweep.md", markdown(answer)),
        ("sweep.html", _html(answer)),
    ):
        with replacing(out / name, OWN) as file:
            file.write(text)


def cell(figure: Mapping[str, Any] | None) -> str:
    """``0.913 (0.890 to 0.936)``; the interval only where seeds differ."""
    if figure is None:
        return ""
    if figure["low"] is None:
        return f"{figure['mean']:.3f}"
    return f"{figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def told(row: Mapping[str, Any]) -> str:
    """What failed of a row's runs: ``2 of 3 out of memory``."""
    kinds = dict.fromkeys(row["failed"])
    return "; ".join(f"{row['failed'].count(kind)} of {len(row['folders'])} {kind}" for kind in kinds)


def lines(answer: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The table over seeds, header first."""
    header = (
        "architecture",
        "method",
        "augmentation",
        *answer["splits"],
        "seeds",
        "pictures",
        "seconds",
        "failed",
    )
    return [header, *(_line(row, answer["splits"]) for row in answer["rows"])]


def _line(row: Mapping[str, Any], splits: Sequence[str]) -> tuple[str, ...]:
    return (
        row["architecture"],
        row["method"],
        row["augmentation"],
        *(cell(row[split]) for split in splits),
        str(row[splits[-1]]["n"]) if row[splits[-1]] else "0",
        "" if row["pictures"] is None else str(row["pictures"]),
        "" if row["seconds"] is None else f"{row['seconds']:.0f}",
        told(row),
    )


def markdown(answer: Mapping[str, Any]) -> str:
    """The table over seeds as Markdown, with what its intervals mean."""
    header, *rows = lines(answer)
    tables = sweep_published.tables(answer, baseline=BASELINE)
    text = [sweep_published.markdown(tables), "## All, mean over seeds", ""]
    text += [written.row(header), f"|{' --- |' * len(header)}", *map(written.row, rows)]
    return "\n".join([*text, "", note(answer), ""])


def note(answer: Mapping[str, Any]) -> str:
    """What the figures mean."""
    parts = [
        "Accuracy: mean over seeds and the 95 % interval of that mean (Student's t), which says how much "
        "training varies (none of one seed, or of seeds that all came to the same); how much depends on "
        "the pictures, each run's own interval says. "
        f"At chance: that interval, on the split {answer['measured_on']}, reaches down to guessing."
    ]
    if answer["measured_on"] == "val":
        parts.append(f"{NOTE[0].upper()}{NOTE[1:]}.")
    if "chance" in answer:
        parts.append(f"Chance {answer['chance']:.3f}, always the commonest class {answer['majority']:.3f}.")
    if answer["left"]:
        parts.append(f"{quantity(answer['left'], 'training is')} still to come.")
    return " ".join(parts)


def _csv(answer: Mapping[str, Any]) -> str:
    names = (*("architecture", "method", "augmentation", "seed", "folder", "failed", "error"), "seconds")
    parts = ("value", "low", "high", "n")
    rows: list[list[Any]] = [
        [*names, *(f"{split}_{part}" for split in SPLITS for part in ("accuracy", *parts[1:]))]
    ]
    for run in answer["runs"]:
        figures = [run[split][part] if split in run else None for split in SPLITS for part in parts]
        rows.append([*map(run.get, names), *figures])
    text = io.StringIO()
    spreadsheets.write(text, rows)
    return text.getvalue()


def _html(answer: Mapping[str, Any]) -> str:
    values = {
        "tables": sweep_published.tables(answer, baseline=BASELINE),
        "answer": answer,
        "splits": answer["splits"],
        "exam": answer["measured_on"],
        "cell": cell,
        "told": told,
        "note": note(answer),
        "baseline": BASELINE,
    }
    return pages.page("lineament.training.sweeping", "sweep.html.j2", values)
