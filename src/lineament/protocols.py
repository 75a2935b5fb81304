"""The seams, all on one screen. Batch first; a single item is a batch of one.

Anything with these methods plugs in: no base class is needed. `lineament.testing` holds the contract
tests that every implementation must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from lineament.records import ALL, Bound, Change, Changes, Hit, Record, Revision, SubjectCount, Where
from lineament.types import (
    AttributeScores,
    Embedding,
    Faces,
    Float32,
    Image,
    ModelId,
    Outcome,
    Track,
    Tracks,
    UInt8,
)

__all__ = [
    "AttributeClassifier",
    "Detector",
    "Embedder",
    "Engine",
    "ImageSource",
    "Landmarker",
    "Ledger",
    "Stage",
    "Tracker",
    "VectorIndex",
]

T = TypeVar("T")
R = TypeVar("R")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

Advance = Callable[[int], None]
"""What is told of so many more things done: the progress of long work."""


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
class Landmarker(Protocol):
    """Places the landmarks of faces that a detector found better than it did."""

    name: str
    """What embeddings of faces aligned by it are told apart by; another way of placing has another name."""

    def refine(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[Faces]:
        """The same faces with ``landmarks``, a `Refinement` each, and ``dense`` where it is known.

        Boxes, scores and order are left alone, and so are the landmarks of a face it cannot improve.
        Raises `NoLandmarks` for faces without.
        """
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
class Tracker(Protocol):
    """Follows the faces of one video from frame to frame; frames come in the order of their timestamps."""

    def unsure(self, faces: Faces, timestamp: float) -> list[int]:
        """Rows of the faces whose embeddings would help to tell whose track they are."""
        ...

    def update(self, faces: Faces, timestamp: float) -> Tracks:
        """The track of each face, and the tracks that are over; seconds.

        A row of zeros among the embeddings is a face that nobody looked at.
        """
        ...

    def remember(
        self, number: int, embedding: Embedding, weight: float, timestamp: float
    ) -> Embedding | None:
        """A look at the face of a track, taken at a moment and weighed by its quality.

        The answer is what the track looks like by all looks so far, None where this one was not believed.
        """
        ...

    def end(self) -> tuple[Track, ...]:
        """End all tracks, at a cut or at the end of the video, and return those not told of yet."""
        ...


@runtime_checkable
class Ledger(Protocol):
    """Keeps the records of a gallery: the truth, of which an index for searches can always be made anew.

    A commit is durable when the call returns, or nothing of it is there. A ledger may be used from several
    threads, and several processes may hold the same one. It knows neither thresholds nor fusion.
    `lineament.testing.LedgerContract` holds the tests that every ledger must pass.
    """

    def commit(self, changes: Changes, *, expect: Revision | None = None) -> Revision:
        """Make the changes, all or none, and return the revision they made.

        With ``expect`` only if that is still the revision; else `Conflict`, and the caller decides anew.
        What goes leaves no readable copy. Raises `ModelMismatch` or `InvalidArray` for embeddings of
        another model, and `StoreError` inside a `snapshot` or where nothing can be written.
        """
        ...

    def turn(self) -> AbstractContextManager[None]:
        """Let other writers wait, until a commit inside or the end, for one who was overtaken too often.

        It is a place in the queue, not a transaction: it undoes nothing and does not nest.
        """
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Let what is read inside be one state, without keeping any writer out. Nests."""
        ...

    def revision(self) -> Revision:
        """The state as it is: whoever finds it unchanged knows that no record changed."""
        ...

    def changes_since(self, revision: Revision) -> Iterator[Change]:
        """What an index that stands at ``revision`` has to make good; read it within one `snapshot`.

        A ledger that keeps no trace of what it erased begins anew after an erasure, as for a revision it
        does not know. Nothing is to be told of a revision as new as the snapshot, or newer.
        """
        ...

    def read(self, where: Where = ALL, *, after: str = "", limit: int | None = None) -> Iterator[Record]:
        """The records meant, ordered by id: those behind the id ``after``, and at most ``limit``.

        It may read piece by piece: hold a `snapshot` to see one state throughout.
        """
        ...

    def find_subject(self, name: str) -> str | None:
        """The subject of this name, else of its other Unicode spelling (equal in NFC), else None."""
        ...

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[SubjectCount]:
        """Each subject that has a record, with its number of samples, ordered by name.

        Only names behind ``after``, and at most ``limit`` of them.
        """
        ...

    def count(self, where: Where = ALL) -> int:
        """How many records are meant; by nothing but kinds at a cost that does not grow with them."""
        ...

    def bound(self) -> Bound | None:
        """The model whose embeddings are held, None before the first."""
        ...

    def files(self) -> list[Path]:
        """Every file that holds records now; none of a ledger in memory, or elsewhere."""
        ...

    def copies(self) -> list[Path]:
        """Files beside those that may hold a copy of records, which no erasure reaches."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


@runtime_checkable
class VectorIndex(Protocol):
    """Finds the records nearest to a vector. It holds nothing that the ledger could not tell it again.

    The store that owns it calls one method at a time. `lineament.testing.IndexContract` holds the tests
    that every index must pass.
    """

    revision: Revision
    """The state of the ledger it answers of; empty when it has to be told everything."""

    def apply(self, changes: Iterable[Change]) -> None:
        """Make changes good, in their order, and take over the revision of each.

        What a change says is gone, or leaves out when it begins anew, is kept in no form.
        """
        ...

    def search(self, queries: Float32, k: int, where: Where = ALL) -> list[list[Hit]]:
        """The k records nearest to each row of float32 ``(Q, D)``, best first, ties by id.

        Only those meant by ``where``, which names no pictures: the store asks the ledger for their ids.
        """
        ...

    def close(self) -> None:
        """Release memory and connections."""
        ...


class Stage(Protocol[In_contra, Out_co]):
    """Work on a batch of items; a function is one. To travel to other processes it must be pickled."""

    def __call__(self, batch: Sequence[In_contra], /) -> Sequence[Out_co]:
        """One answer an item, in their order."""
        ...


class Engine(Protocol):
    """Runs a stage over many items: in threads, in processes, or on a cluster.

    `lineament.testing.engine_contract` holds the tests that every engine must pass.
    """

    def map_batches(self, stage: Stage[T, R], items: Iterable[T], *, size: int = 1) -> Iterator[R]:
        """One answer an item, in order; a worker takes up to ``size`` items at once.

        Only a few batches of ``items`` are read ahead of the answers taken. What the stage raises is raised
        here, at its place, and ends the run, as closing the iterator does. A run begun before a fork is a
        `UsageError` in the child, which begins anew.
        """
        ...

    def close(self) -> None:
        """End the workers and the runs still open; a later call begins new ones."""
        ...
