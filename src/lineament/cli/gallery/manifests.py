"""What `gallery enrol` makes of a manifest, or a folder that holds one: which rows, and what is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.gallery.manifests import Selected


def sought(
    paths: list[str], splits: list[str] | None, *, alone: bool
) -> tuple[list[tuple[Selected, list[str]]], list[str]]:
    """The rows of each manifest with what to tell of them, and the paths that are none.

    ``alone`` says that neither a subject nor a face is named. Raises `UsageError` where options do not fit.
    """
    from lineament.errors import UsageError

    found = {path: at for path in paths if (at := manifest_at(path)) is not None}
    if found and not alone:
        raise UsageError(
            f"{next(iter(found))}: a manifest tells its people and their faces; leave out --subject, "
            "--face and --largest"
        )
    if splits and not found:
        raise UsageError("--split means rows of a manifest; none was given")
    rest = [path for path in paths if path not in found]
    return [chosen(at, splits or []) for at in found.values()], rest


def manifest_at(path: str) -> Path | None:
    """The manifest that a path is, or that lies in that folder: then it counts, and not the files."""
    from lineament.io.manifest import MANIFEST_NAME
    from lineament.io.own_files import MANIFEST

    file = Path(path)
    if file.is_dir():
        return file / MANIFEST_NAME if (file / MANIFEST_NAME).is_file() else None
    try:
        return file if file.is_file() and MANIFEST.known(file) else None
    except OSError:
        return None


def chosen(path: Path, splits: list[str]) -> tuple[Selected, list[str]]:
    """The rows to enrol, and what to tell: decisions beside a manifest that has none in it hold too."""
    from lineament.datasets.next_steps import of_manifest
    from lineament.datasets.reviewing.review import LOG_NAME, PROPOSALS_NAME, apply, open_review
    from lineament.gallery.manifests import selected
    from lineament.io.manifest import Manifest

    manifest = Manifest.load(path)
    told = []
    if not any(step.get("step") == "review" for step in manifest.steps):
        log, proposals = path.with_name(LOG_NAME), path.with_name(PROPOSALS_NAME)
        review = open_review(manifest) if log.is_file() or proposals.is_file() else None
        if review is not None and log.is_file():
            applied = apply(review)
            manifest = applied.manifest
            told.append(f"{log}: {quantity(applied.moved, 'row')} moved by its decisions")
        if review is not None and (left := review.left()):
            told.append(
                f"warning: {quantity(left, 'picture has')} proposals that nobody has decided: enrolled as "
                f"they are: {of_manifest(path).review}"
            )
    found = selected(manifest, splits)
    if found.removed:
        told.append(f"not enrolled: {quantity(found.removed, 'row')} removed by review")
    told += [
        f"{quantity(count, 'row is')} not enrolled: {reason}" for reason, count in found.left_out.items()
    ]
    return found, told
