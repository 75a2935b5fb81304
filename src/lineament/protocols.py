"""The seams, all on one screen. Batch first; a single item is a batch of one.

Anything with these methods plugs in: no base class is needed. `lineament.testing.contracts` holds the
tests that every implementation must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from lineament.records import Hit, Record, RecordKind
from lineament.types import AttributeScores, Faces, Float32, Image, ModelId, Outcome, UInt8

__all__ = ["AttributeClassifier", "Detector", "Embedder", "Engine", "GalleryStore", "ImageSource"]

T = TypeVar("T")


@runtime_checkable
class Detector(Protocol):
    """Finds faces.

    One that leaves out faces below a score tells it by an attribute ``score``.
    """

    gives_landmarks: bool

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture, best score first, in that picture's own pixels."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns aligned face crops into vectors."""

    model: ModelId
    dimension: int
    crop_size: int

    def embed(self, crops: UInt8) -> Float32:
        """uint8 ``(N, S, S, 3)`` RGB, aligned -> float32 ``(N, D)``, *not* normalised."""
        ...


@runtime_checkable
class AttributeClassifier(Protocol):
    """Predicts attributes of faces: one network, one answer a name."""

    names: tuple[str, ...]

    def predict(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[dict[str, AttributeScores]]:
        """`AttributeScores` by name for each picture; each cuts the crop its model was trained on."""
        ...


class ImageSource(Protocol):
    """Pictures from somewhere: a folder, a video, a camera. A bad one is an `Outcome`, not an end."""

    def __iter__(self) -> Iterator[Image | Outcome]:
        """Each picture, or the named reason why there is none."""
        ...


@runtime_checkable
class GalleryStore(Protocol):
    """Keeps embeddings and searches them. It knows neither thresholds nor fusion.

    Every write is one transaction: all of it is durable when the call returns, or none of it is there.
    A store may be used from several threads, and several processes may hold the same one.
    `lineament.testing.store_contract` holds the tests that every store must pass.
    """

    def transaction(self) -> AbstractContextManager[None]:
        """Make what happens inside one write: nobody else writes meanwhile, an exception undoes it all.

        Nests; the outermost counts.
        """
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Let what is read inside be one state of the store, without keeping any writer out of it."""
        ...

    def revision(self) -> int:
        """A number that every write raises: who finds it unchanged knows that nothing changed."""
        ...

    def upsert(self, records: Sequence[Record]) -> None:
        """Write records; an id already there is replaced."""
        ...

    def remove(self, ids: Sequence[str]) -> int:
        """Erase records, leaving no readable copy; returns how many there were."""
        ...

    def remove_subject(self, subject: str) -> int:
        """Erase every record of a subject, disputes too, and the name; returns how many there were."""
        ...

    def rename_subject(self, old: str, new: str) -> int:
        """Move every record of ``old`` to ``new``, leaving no copy of the name; returns how many."""
        ...

    def get(self, ids: Sequence[str]) -> list[Record]:
        """Those of the records that exist, ordered by id."""
        ...

    def find_subject(self, name: str) -> str | None:
        """The subject of this name, else of its other Unicode spelling (equal in NFC), else None."""
        ...

    def of_subjects(self, subjects: Sequence[str], kind: RecordKind) -> list[Record]:
        """The records of one kind of these subjects, ordered by id."""
        ...

    def of_pictures(self, pictures: Sequence[str]) -> list[Record]:
        """The records of every kind made of the pictures with these digests, ordered by id."""
        ...

    def search(self, queries: Float32, k: int, kind: RecordKind = RecordKind.SAMPLE) -> list[list[Hit]]:
        """The k records nearest to each row of float32 ``(Q, D)``, best first; ties by id."""
        ...

    def scan(self, subject: str | None = None, kind: RecordKind | None = None) -> Iterator[Record]:
        """Every record, ordered by id, or those of one subject or kind."""
        ...

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[tuple[str, int]]:
        """Each subject that has a record, with its number of samples, ordered by name.

        Only names behind ``after``, and at most ``limit`` of them.
        """
        ...

    def count(self, kind: RecordKind | None = None) -> int:
        """How many records there are, at a cost that does not grow with them."""
        ...

    def model(self) -> ModelId | None:
        """The model whose embeddings the store holds, None before the first write."""
        ...

    def bind_model(self, model: ModelId, dimension: int) -> None:
        """Fix the model on first use; raises `ModelMismatch` if the store holds another's."""
        ...

    def backup(self, path: Path) -> None:
        """Write a consistent copy as a new ``sqlite:`` gallery; raises `StoreError` if the file exists."""
        ...

    def files(self) -> list[Path]:
        """Every file that holds records now; none of a store in memory, or elsewhere."""
        ...

    def copies(self) -> list[Path]:
        """Files beside those that may hold a copy of records, which no erasure reaches."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class Engine(Protocol):
    """Runs a stage over many items, here or on a cluster."""

    def map_batches(
        self, stage: Callable[[Sequence[T]], Sequence[Outcome]], items: Iterable[T]
    ) -> Iterator[Outcome]:
        """One outcome an item, in order."""
        ...
