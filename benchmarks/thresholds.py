"""Measure a pipeline's threshold table on folders of people, and print it as TOML for its card.

    python -m benchmarks.thresholds --data LFW_IMAGES --pairs pairs.txt --name "LFW folds 1-3" [--top 20]
        [--pipeline NAME]

Every cross-subject comparison counts. ``--top`` lists the most similar "non-mated" pairs: in a data set
labelled by hand many of them are the same person under two names. Nothing is removed: the rates then err on
the careful side. ``--without FILE`` (two names a line, tab-separated) prints beside it what the table would
be if those pairs of names were one person. The thresholds come from
`lineament.evaluation.calibration.choose`, as those of ``lineament calibrate --hold-out 0`` do; ``--check``
ends with status 1 unless they are the card's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from lineament import pipelines
from lineament.analyzer import Analyzer
from lineament.evaluation import calibration, capture, pairs, verification
from lineament.io import sources
from lineament.scoring import comparisons, operating_points, thresholds
from lineament.types import Threshold

RATES = operating_points.TARGET_RATES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder a person")
    parser.add_argument("--pairs", type=Path, help="LFW's pairs.txt or CSV, for accuracy")
    parser.add_argument("--name", required=True, help="what the data set is called in the card")
    parser.add_argument("--pipeline", default="classic", choices=list(pipelines.cards()))
    parser.add_argument("--precision", default="exact")
    parser.add_argument("--top", type=int, default=0)
    parser.add_argument("--without", type=Path)
    parser.add_argument("--check", action="store_true", help="compare with the shipped card")
    parser.add_argument("--keep", type=Path, help="write the embeddings to this .npz, or read them from it")
    args = parser.parse_args()

    people = sources.people(args.data)
    rows = [(name, Path(photo)) for name, photos in people for photo in photos]
    photos = [photo for _, photo in rows]
    subjects = np.array([name for name, _ in rows])
    embeddings, failures = _embed(args, photos)
    print(f"# {len(photos)} pictures, {len(set(subjects))} subjects, {failures} failures to acquire")

    one = pipelines.card(args.pipeline)
    parts = [part for part in (one.detector, one.landmarks, one.embedder) if part is not None]
    words = (args.name, "all cross-subject comparisons", " + ".join(parts), args.precision)
    total = comparisons.compare(embeddings, subjects, ()).total
    rates = [rate for rate in RATES if thresholds.supports(rate, total)]
    chosen = calibration.choose(embeddings, subjects, rates, one.model_id, ", ".join(words))
    points = [point for _, point in chosen]
    _measured(args, embeddings, photos, points)
    for point in points:
        _print_row(point, ", ".join(words))
    if args.top:
        tail = comparisons.compare(embeddings, subjects, (1e-4,))
        for score, i, j in list(zip(tail.scores, tail.first, tail.second, strict=True))[: args.top]:
            print(f"# {score:.4f}  {photos[i].name}  {photos[j].name}")
    if args.without:
        _without(args.without, embeddings, subjects)
    if args.check:
        _check(one, [threshold for threshold, _ in chosen])


def _embed(args: argparse.Namespace, photos: list[Path]) -> tuple[np.ndarray, int]:
    if args.keep and args.keep.exists():
        kept = np.load(args.keep)
        return kept["embeddings"], int(kept["failures"])
    with Analyzer(pipeline=args.pipeline, precision=args.precision, quality=False) as analyzer:
        captures = capture.capture(analyzer, photos)
    if args.keep:
        np.savez(args.keep, embeddings=captures.embeddings, failures=len(captures.failures))
    for failure in captures.failures:
        print(f"failure to acquire: {failure.source}: {failure.type}", file=sys.stderr)
    return captures.embeddings, len(captures.failures)


def _measured(
    args: argparse.Namespace,
    embeddings: np.ndarray,
    photos: list[Path],
    points: list[operating_points.OperatingPoint],
) -> None:
    print("\n# benchmarks/thresholds.py; listed: the pairs file, all: every comparison")
    print("[measured]")
    print(f'data = "{args.name}"')
    if args.pairs:
        listed = pairs.read_pairs(args.pairs)
        row = {photo.relative_to(args.data).as_posix(): i for i, photo in enumerate(photos)}
        picked = embeddings[[row[name] for name in listed.pictures]]
        found = verification.score(
            listed, capture.Captures(picked, (), pipelines.card(args.pipeline).model_id)
        )
        assert found.accuracy is not None
        print(f"listed_accuracy = {found.accuracy.mean:.5f}")
        print(f"listed_accuracy_se = {found.accuracy.standard_error:.5f}")
        print(f"listed_auc = {found.auc:.6f}\nlisted_eer = {found.eer.value:.5f}")
        for point in filter(lambda p: p.supported, found.listed):
            print(f"listed_fnmr_at_fmr_{capture.rate_key(point.target_rate)} = {point.fnmr.value:.5f}")
    for point in points:
        key = capture.rate_key(point.target_rate)
        fnmr = point.fnmr
        print(f"all_fnmr_at_fmr_{key} = {fnmr.value:.3g}")
        print(f'all_fnmr_at_fmr_{key}_interval = "{fnmr.interval.low:.2g} to {fnmr.interval.high:.2g}"')


def _check(one: pipelines.PipelineCard, chosen: list[Threshold]) -> None:
    """Every threshold of the card was chosen again, bit for bit."""
    found = {threshold.target_rate: threshold.value for threshold in chosen}
    wrong = [row for row in one.rows if found.get(row.target_rate) != row.value]
    for row in one.rows:
        print(f"# card {row.target_rate:g}: {row.value!r}, chosen here {found.get(row.target_rate)!r}")
    print(f"# {'DIFFERENT FROM' if wrong else 'equal to'} the card")
    raise SystemExit(bool(wrong))


def _print_row(point: operating_points.OperatingPoint, measured_on: str) -> None:
    print("\n[[thresholds]]")
    print(f"target_rate = {point.target_rate!r}\nvalue = {point.threshold!r}\nrate = {point.fmr.value:.6g}")
    print(f"low = {point.fmr.interval.low:.3g}\nhigh = {point.fmr.interval.high:.3g}")
    print(f"comparisons = {point.fmr.comparisons}\nsubjects = {point.fmr.subjects}")
    print(f'measured_on = "{measured_on}"')


def _without(path: Path, embeddings: np.ndarray, subjects: np.ndarray) -> None:
    """What the table would be with pairs of names merged that are one person."""
    merged = subjects.copy()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            kept, other = line.split("\t")
            merged[merged == other] = kept
    print("\n# with the listed names merged:")
    for point in operating_points.from_samples(embeddings, merged, RATES):
        print(
            f"# {point.target_rate:g}: {point.threshold:.4f}, FMR {point.fmr.value:.3g} "
            f"({point.fmr.interval.low:.3g} to {point.fmr.interval.high:.3g}), FNMR {point.fnmr.value:.3g}"
        )


if __name__ == "__main__":
    main()
