"""WebDataset shards: tar files of ``KEY.jpg`` and ``KEY.json``, one pair a picture, written only.

Layout as in https://github.com/webdataset/webdataset. The JSON holds the manifest's path and rows whole, so
nothing but the list of steps is lost. Equal manifests give equal bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lineament.datasets.formats import formats
from lineament.datasets.formats._expected import PLAIN
from lineament.datasets.formats._labelled import Frame, LabelledFace, LabelledPicture
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.documents import MAX_BYTES, json_of
from lineament.io.manifest import ManifestRow

_UNSPLIT = "unsplit"


@dataclass(frozen=True, slots=True)
class WebDatasetConfig:
    """A shard is closed at ``pictures`` pictures or ``megabytes`` (2**20 bytes), whatever comes first."""

    pictures: int = 10_000
    megabytes: int = 1024


@formats.register("webdataset", WebDatasetConfig)
class WebDataset:
    """``SPLIT-000000.tar`` and so on."""

    frame: Frame = "upright"
    empty: bool | None = None
    located = True
    unique_stems = False
    importable = False
    rank = 100
    expects = PLAIN
    classes: Mapping[int, str] = {}

    def __init__(self, config: WebDatasetConfig) -> None:
        self.config = config

    def matches(self, source: Path) -> bool:
        """Never: shards are for training."""
        return False

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """What the shards hold, for checking an export."""
        for shard in sorted(source.glob("*.tar")):
            with tarfile.open(shard, "r:") as tar:
                for member in tar:
                    file = tar.extractfile(member) if member.name.endswith(".json") else None
                    if file is not None:
                        yield _picture(json_of(file.read(MAX_BYTES + 1)))

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Where they were, until they are packed."""
        return [portable_path(row.path) for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """Pack the pictures with their rows, and remove the loose ones."""
        for split in sorted({p.split for p in pictures}, key=lambda s: s or ""):
            name = _UNSPLIT if split is None else portable(split)
            members = [p for p in pictures if p.split == split]
            for number, shard in enumerate(self._shards(members, folder)):
                with tarfile.open(
                    folder / f"{name}-{number:06d}.tar", "x", format=tarfile.PAX_FORMAT
                ) as tar:
                    for index, picture in shard:
                        _pack(tar, f"{index:09d}", picture, folder)

    def _shards(
        self, pictures: Sequence[LabelledPicture], folder: Path
    ) -> Iterator[list[tuple[int, LabelledPicture]]]:
        shard: list[tuple[int, LabelledPicture]] = []
        size = 0
        for index, picture in enumerate(pictures):
            shard.append((index, picture))
            size += (folder / picture.path).stat().st_size
            if len(shard) >= self.config.pictures or size >= self.config.megabytes << 20:
                yield shard
                shard, size = [], 0
        if shard:
            yield shard


def _pack(tar: tarfile.TarFile, key: str, picture: LabelledPicture, folder: Path) -> None:
    file = folder / picture.path
    rows = [json_of(row.to_json()) for row in picture.rows]
    document = json.dumps({"path": picture.path, "rows": rows}, sort_keys=True).encode()
    contents = ((PurePosixPath(picture.path).suffix.lower(), file.read_bytes()), (".json", document))
    for suffix, data in contents:
        info = tarfile.TarInfo(key + suffix)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    file.unlink()
    for parent in list(PurePosixPath(picture.path).parents)[:-1]:
        if not any((folder / parent).iterdir()):
            (folder / parent).rmdir()


def _picture(document: dict[str, object]) -> LabelledPicture:
    held = document["rows"]
    assert isinstance(held, list)
    rows = [ManifestRow.from_json(values) for values in held]
    first = rows[0]
    names = ("id", "outcome", "error", "parent", "step", "quality", "repeats")
    return LabelledPicture(
        str(document["path"]),
        tuple(
            LabelledFace(row.box, landmarks=row.landmarks, subject=row.subject, labels=row.labels)
            for row in rows
            if row.box is not None
        ),
        split=first.split,
        subject=first.subject,
        labels=first.labels,
        provenance=first.provenance,
        located=False,
        kept=tuple({name: getattr(row, name) for name in names} for row in rows),
    )
