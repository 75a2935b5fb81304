"""Groups that people belong to, as the user labels them: from a table, or from a manifest's labels."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from lineament.config import did_you_mean
from lineament.errors import LabelFileError, UsageError
from lineament.io.manifest import Manifest

Groups = Mapping[str, str]
"""Group by subject."""


def from_table(path: Path, attribute: str) -> Groups:
    """Groups from a CSV with a column ``subject`` and one named ``attribute``; empty cells are unknown.

    Raises `LabelFileError`, also for a subject with two different values.
    """
    groups: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            for name in ("subject", attribute):
                if name not in columns:
                    raise LabelFileError(f"{path}: no column {name!r}{did_you_mean(name, columns)}")
            for number, row in enumerate(reader, 2):
                subject, group = (row["subject"] or "").strip(), (row[attribute] or "").strip()
                if not subject or not group:
                    continue
                if groups.setdefault(subject, group) != group:
                    raise LabelFileError(f"{path}, line {number}: a subject has two values of {attribute}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelFileError(f"{path}: {error}") from error
    return groups


def from_manifest(manifest: Manifest, attribute: str) -> Groups:
    """Groups from the rows' labels; of a subject with several values the most frequent, ties by name.

    Raises `UsageError` when no row has the label.
    """
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in manifest:
        if row.subject is not None and attribute in row.labels:
            seen[row.subject][str(row.labels[attribute])] += 1
    if not seen:
        known = {name for row in manifest for name in row.labels}
        raise UsageError(f"no row has a label {attribute!r}{did_you_mean(attribute, known)}")
    return {s: min(counts, key=lambda g: (-counts[g], g)) for s, counts in seen.items()}
