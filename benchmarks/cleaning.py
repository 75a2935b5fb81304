"""Wrong faces planted in folders of LFW: how many does cleaning find, and whom does it accuse wrongly?

``python -m benchmarks.cleaning --data DIR`` takes every person of ``DIR/lfw/images`` with 12 photos or more
and plants wrong faces until they are 5, 20 and 40 % of each folder: of strangers, one photo each
(``strangers``), of one other person (``one person``), or of the other folders (``swapped``, where a picture
should also be sent back). A wrong face that is proposed for removal or for a move counts as found; one for
review only does not. Several draws are pooled; the interval is the lowest and highest draw. One planting is
then run through the whole command, with small folders added to show what cannot be judged. Last, the photos
(8 at most) of everybody with 6 or more are dealt into two folders each: how many of these pairs are told to
be one person, and how many pairs of different people?
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer
from lineament.datasets.belonging.identity import SURE_MEMBERS, judge
from lineament.datasets.cleaning.clean import CleanSettings, clean
from lineament.io.digests import sha256_of
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.types import Float32, ModelId

LEAST = 12
LEAST_TO_HALVE, MOST_TO_HALVE = 6, 8
GOALS = {0.05: 0.97, 0.20: 0.95, 0.40: 0.90}
KINDS = ("strangers", "one person", "swapped")

Planted = dict[str, list[tuple[Path, str]]]
"""For each folder its photos with the person they truly show."""


def plant(people: Mapping[str, Sequence[Path]], share: float, kind: str, rng: random.Random) -> Planted:
    """Folders of which about ``share`` is wrong; at least one photo is, whatever the folder's size."""
    big = {name: list(files) for name, files in people.items() if len(files) >= LEAST}
    strangers = [name for name, files in people.items() if len(files) == 1]
    folders: Planted = {name: [(file, name) for file in files] for name, files in big.items()}
    if kind == "swapped":
        return _swapped(folders, share, rng)
    rng.shuffle(strangers)
    for name, files in big.items():
        count = max(1, round(len(files) * share / (1 - share)))
        if kind == "strangers":
            taken = [strangers[rng.randrange(len(strangers))] for _ in range(count)]
            folders[name] += [(people[who][0], who) for who in dict.fromkeys(taken)]
        else:
            who = rng.choice(
                [other for other in big if other != name and len(big[other]) >= count] or [name]
            )
            wrong = rng.sample(big[who], count) if who != name else []
            folders[name] += [(file, who) for file in wrong]
    return folders


def _swapped(folders: Planted, share: float, rng: random.Random) -> Planted:
    """The share of each folder's photos dealt out to the others, every folder as large as before."""
    given = {n: rng.sample(photos, max(1, round(share * len(photos)))) for n, photos in folders.items()}
    pool = [item for items in given.values() for item in items]
    places = [name for name, items in given.items() for _ in items]
    while True:
        rng.shuffle(pool)
        clashes = [i for i, (place, item) in enumerate(zip(places, pool, strict=True)) if place == item[1]]
        for i in clashes:
            j = next(
                k for k in rng.sample(range(len(pool)), len(pool)) if pool[k][1] != places[i] != places[k]
            )
            pool[i], pool[j] = pool[j], pool[i]
        if all(place != item[1] for place, item in zip(places, pool, strict=True)):
            break
    kept = {n: [item for item in photos if item not in given[n]] for n, photos in folders.items()}
    for place, item in zip(places, pool, strict=True):
        kept[place].append(item)
    return kept


def score(folders: Planted, vectors: Mapping[Path, Float32], model: ModelId) -> Counter[str]:
    """Counts of planted faces found, missed, sent back, and of right photos accused."""
    found = judge({n: [vectors[f] for f, _ in photos] for n, photos in folders.items()}, model)
    counts: Counter[str] = Counter()
    for judged in found.judgements:
        sure = judged.agreed is not None and len(judged.agreed) >= SURE_MEMBERS
        counts["unjudged"] += bool(judged.unjudged)
        for (_, who), verdict in zip(folders[judged.subject], judged.verdicts, strict=True):
            accused = sure and verdict is not None and verdict.wrong >= 0.5
            planted = who != judged.subject
            counts[
                "hit" if accused and planted else "miss" if planted else "false" if accused else "ok"
            ] += 1
            if accused and planted and verdict is not None and who in folders:
                counts["mates"] += 1
                counts["sent back"] += verdict.looks_like == who
    return counts


def f1(counts: Counter[str]) -> float:
    return 2 * counts["hit"] / max(1, 2 * counts["hit"] + counts["miss"] + counts["false"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--strangers", type=int, default=600)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--workers", type=int, default=None)
    args = parser.parse_args()
    root = args.data / "lfw" / "images"
    people = {folder.name: sorted(folder.glob("*.jpg")) for folder in sorted(root.iterdir())}
    rng = random.Random(5)
    alone = rng.sample([name for name, files in people.items() if len(files) == 1], args.strangers)
    people = {n: f for n, f in people.items() if len(f) >= LEAST_TO_HALVE or n in set(alone)}
    big = [files for files in people.values() if len(files) >= LEAST]
    photos = sum(map(len, big))
    print(f"{len(big)} people with {LEAST} photos or more ({photos} photos), {len(alone)} strangers")

    files = [file for own in people.values() for file in own]
    vectors: dict[Path, Float32] = {}
    with Analyzer(CleanSettings().detector, workers=args.workers) as analyzer:
        for file, outcome in zip(files, analyzer.analyze(files), strict=True):
            faces = outcome.faces.embeddings
            vectors[file] = faces if faces is not None else np.zeros((0, 128), np.float32)
        model = analyzer.model
    assert model is not None
    heads = f"{'share':>6} {'wrong':>6} {'found':>7} {'accused':>8} {'F1':>6} {'goal':>5}"
    print(f"{'planted':12} {heads}  lowest-highest")
    for kind in KINDS:
        for share, goal in GOALS.items():
            draws = [
                score(plant(people, share, kind, random.Random(d)), vectors, model)
                for d in range(args.draws)
            ]
            total = sum(draws, Counter[str]())
            wrong = total["hit"] + total["miss"]
            each = sorted(map(f1, draws))
            line = f"{kind:12} {share:6.0%} {wrong:6} {total['hit'] / wrong:7.2%} {total['false']:8}"
            line += f" {f1(total):6.3f} {goal:5.2f}  {each[0]:.3f}-{each[-1]:.3f}"
            if total["mates"]:
                line += (
                    f"; {total['sent back'] / total['mates']:.1%} of those found sent to their own folder"
                )
            if total["unjudged"]:
                line += f"; {total['unjudged']} folders not judged"
            print(line, flush=True)
    _halves(people, vectors, model)
    _whole_command(root, plant(people, 0.2, "swapped", rng), args.workers)


def _halves(people: Mapping[str, Sequence[Path]], vectors: Mapping[Path, Float32], model: ModelId) -> None:
    folders = {
        (name, half): [vectors[file] for file in files[half:MOST_TO_HALVE:2]]
        for name, files in people.items()
        if len(files) >= LEAST_TO_HALVE
        for half in (0, 1)
    }
    found = judge({"/".join(map(str, key)): photos for key, photos in folders.items()}, model)
    judged = [j.subject for j in found.judgements if j.agreed is not None and not j.unjudged]
    same = [a.split("/")[0] == b.split("/")[0] for a, b, _ in found.same_person]
    owners = Counter(name.split("/")[0] for name in judged)
    halved = sum(count == 2 for count in owners.values())
    different = len(judged) * (len(judged) - 1) // 2 - halved
    wrong = len(same) - sum(same)
    print(
        f"one person in two folders: {sum(same)} of {halved} told; "
        f"two people: {wrong} of {different:,} pairs told"
    )


def _whole_command(root: Path, folders: Planted, workers: int | None, most: int = 12) -> None:
    """The same through `clean`, with folders of one and two photos beside them."""
    chosen = dict(list(folders.items())[:most])
    rows, truth = [], {}
    small = {f"one-{i}": photos[:1] for i, photos in enumerate(list(folders.values())[most : most + 3])}
    for name, photos in (chosen | small).items():
        for number, (file, who) in enumerate(photos):
            path = file.relative_to(root).as_posix()
            id_ = row_id(sha256_of(file), path, number + 1000 * len(rows))
            rows.append(ManifestRow(id_, path, sha256_of(file), subject=name))
            truth[id_] = who
    done = clean(Manifest(tuple(rows), (), root), CleanSettings(checks=("identity",)), workers=workers)
    accused = {p.id for p in done.proposals if p.action in ("remove", "move")}
    wrong = {row.id for row in rows if truth[row.id] != row.subject and row.subject in chosen}
    right = len(accused & wrong)
    print(
        f"whole command, {len(rows)} photos in {len(chosen)} folders, 20 % swapped: {right} of "
        f"{len(wrong)} found, {len(accused - wrong)} accused wrongly; not judged: {dict(done.unjudged)}"
    )


if __name__ == "__main__":
    main()
