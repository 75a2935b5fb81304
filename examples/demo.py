"""Enrol two people from sample photos, find them in others, and write a page to open in a browser.

    python examples/demo.py [--photos FOLDER] [--out FOLDER]

The same with the command line: lineament gallery enrol, then lineament gallery identify.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import jinja2
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from lineament import pipelines
from lineament.analyzer import Analyzer
from lineament.cli.output import Report
from lineament.errors import LineamentError
from lineament.gallery.gallery import Gallery, Identified
from lineament.io import assets, images, sources
from lineament.plots.annotate import MATCH, NO_MATCH, annotate
from lineament.types import Decision, Image, Match

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
ENROLLED = {"Barack Obama": "obama_2012_portrait.jpg", "Joe Biden": "biden_2013_portrait.jpg"}
PROBES = (
    "obama_2009_congress.jpg",
    "obama_2010_white_house.jpg",
    "biden_2010_white_house.jpg",
    "collins_nasa.png",
)


def main() -> None:
    """Enrol, identify, draw, print and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--photos", type=Path, help="a picture or a folder of pictures to search as well")
    parser.add_argument("--out", type=Path, default=ROOT / "demo-output")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    fetch_models()
    probes = [str(SAMPLES / name) for name in PROBES]
    if args.photos is not None:
        probes += sources.expand([args.photos])
    with Gallery("memory:", Analyzer(keep_images=True)) as gallery:
        enrolled = [
            outcome
            for subject, photo in ENROLLED.items()
            for outcome in gallery.enrol(subject, [SAMPLES / photo])
        ]
        searched = []
        pictures = []
        rows: list[dict[str, str]] = []
        # Drawn one by one: a folder of any size passes through in flat memory.
        for number, found in enumerate(gallery.identify(probes), 1):
            if found.outcome.image is not None:
                pictures.append(draw(found, found.outcome.image, args.out, number))
            rows += describe(found)
            searched.append((label(found.outcome.source), found.outcome.status, found.outcome.error))
        model = gallery.store.model()
        assert model is not None
        threshold = gallery.threshold(model)

    columns = ("photo", "face", "subject", "similarity", "decision", "threshold")
    with Report() as report:
        report.table("Who is in these photos?", columns, [[row[c] for c in columns] for row in rows])
        report.say(f"Threshold: {threshold}")
        others = [(photo, status, error) for photo, status, error in searched if status != "ok"]
        for photo, status, error in others:
            report.say(f"{photo}: {status}{f' ({type(error).__name__}: {error})' if error else ''}")
        page = args.out / "index.html"
        template = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(
            (Path(__file__).parent / "demo.html.j2").read_text(encoding="utf-8")
        )
        page.write_text(
            template.render(
                enrolled=[
                    {
                        "subject": e.subject,
                        "photo": label(e.source),
                        "outcome": "enrolled" if e.error is None else f"refused: {e.error}",
                    }
                    for e in enrolled
                ],
                rows=rows,
                pictures=pictures,
                others=[f"{photo}: {error or status}" for photo, status, error in others],
                threshold=threshold,
            ),
            encoding="utf-8",
        )
        report.say(f"{len(searched)} photos searched. Open {page} in a browser.")


def fetch_models() -> None:
    """Fetch the pinned model files, with a bar a file; does nothing when they are in the cache."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def show(description: str, done: int, total: int | None) -> None:
            if description not in tasks:
                tasks[description] = bar.add_task(description, total=total)
            bar.update(tasks[description], completed=done, total=total)

        for card in pipelines.card(pipelines.DEFAULT).cards:
            assets.fetch(card, progress=show)


def describe(found: Identified) -> list[dict[str, str]]:
    """One row a face; the similarity is that of the nearest subject, match or not."""
    rows = []
    for i, match in enumerate(found.matches, 1):
        best = match.candidates[0] if match.candidates else None
        limit = match.threshold
        rows.append(
            {
                "photo": label(found.outcome.source),
                "face": str(i),
                "subject": match.subject or "-",
                "similarity": f"{best.similarity:.3f}" if best else "",
                "decision": match.decision.replace("_", " "),
                "threshold": f"{limit.value:.3f} ({limit.kind} {limit.target_rate:g})",
            }
        )
    return rows


def draw(found: Identified, image: Image, out: Path, number: int) -> dict[str, str]:
    """Write the annotated picture; returns what the page says of it."""
    labels = [caption(match) for match in found.matches]
    colours = [MATCH if m.decision is Decision.MATCH else NO_MATCH for m in found.matches]
    file = f"{number:03d}.jpg"
    images.save(out / file, annotate(image, found.outcome.faces, labels, colours))
    return {"file": file, "photo": label(found.outcome.source), "alt": "; ".join(labels) or "no face found"}


def caption(match: Match) -> str:
    """What stands over a face."""
    similarity = f" {match.candidates[0].similarity:.2f}" if match.candidates else ""
    return f"{match.subject or 'no match'}{similarity}"


def label(source: str) -> str:
    """The file's name."""
    return Path(source).name


if __name__ == "__main__":
    try:
        main()
    except LineamentError as error:
        sys.exit(f"{type(error).__name__}: {error}")
