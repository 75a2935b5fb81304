"""Every error lineament raises on purpose, as one tree.

A picture, a face or a person that cannot be handled ends in one of these; its class name is the
``error.type`` of the JSON output, so names here are part of the public interface::

    LineamentError
    ├── UsageError                the call itself is wrong (the command line exits with 2)
    │   ├── UnknownName           no detector, embedder, model ... of that name
    │   ├── ConfigError           an unknown or ill-typed setting
    │   ├── MissingExtra          an optional dependency is not installed
    │   ├── ModelMismatch         embeddings of two models were about to be compared
    │   ├── WouldOverwrite        a result would take the place of a file that is not its own
    │   └── InvalidArray          an array of the wrong shape, type or with NaN
    ├── PictureError              one picture is refused, the rest of the batch goes on
    │   ├── PictureNotFound
    │   ├── PictureUnreadable     it is there, but the system refuses to read it
    │   ├── PictureOutside        a link leads it out of the data set's folder
    │   ├── NotAPicture           a folder, socket, device, bare array or None: nothing that could hold one
    │   ├── EmptyPicture          zero bytes
    │   ├── UnsupportedFormat     not on the list of accepted formats, whatever the name says
    │   ├── PictureTooLarge       more pixels or bytes than the limit
    │   ├── PictureTooSmall       a side too short to hold a face
    │   ├── PictureTooSlow        decoding it took longer than the limit, and was ended
    │   └── CorruptPicture        truncated or damaged
    ├── FaceError                 the picture was read, its face cannot be used
    │   ├── NoFaceFound
    │   ├── NoSuchFace            the face asked for, by number or point, is not in the picture
    │   ├── SeveralFaces
    │   ├── LowQuality
    │   ├── WrongPose             the head is not held as asked
    │   ├── FaceInPicture         there is a face where none may be
    │   ├── NoLandmarks           a detector without landmarks cannot feed an embedder
    │   ├── AlreadyEnrolled       this very sample is in the gallery
    │   ├── FaceOfAnotherSubject  the face matches somebody else who is enrolled
    │   └── DisputedFace          somebody recorded that this face is not that subject
    ├── GalleryError
    │   ├── InvalidSubject        a name that cannot be stored and shown exactly
    │   ├── UnknownSubject
    │   ├── SubjectExists
    │   ├── UnknownSample
    │   ├── Conflict              somebody else wrote since it was decided what to write
    │   ├── StoreError            the database failed; nothing was half-written
    │   └── StoreVersionError     written by a newer lineament
    ├── AssetError
    │   ├── AssetUnavailable      no source could deliver it
    │   ├── DigestMismatch        the bytes are not the pinned ones
    │   ├── LicenceRefused        terms not accepted, or forbidden by the policy
    │   └── BundleError           an offline bundle is damaged or hostile
    ├── ManifestError             a manifest that cannot be read or written
    │   └── SplitError            a step on the wrong split, or in an order that would leak
    ├── AlbumError                an album that cannot be read, or is none
    │   ├── UnknownReference      no such cluster or face in the album
    │   └── Contradiction         against what somebody decided before
    ├── LabelFileError            a label file that cannot be read or written
    ├── ArchiveRefused            an archive is damaged or hostile; nothing of it was unpacked
    ├── FolderRefused             a folder with too much in it, or too deep
    ├── CollectError              one page or picture could not be gathered; the rest go on
    │   ├── ForbiddenUrl          not http or https, holds a login, or leads to a private address
    │   ├── ForbiddenByRobots     the site's robots.txt asks programs to stay away
    │   ├── HttpError             the server answered with an error status
    │   ├── ServerBusy            the server asked to come back later, and still did after waiting
    │   ├── Unreachable           no such host or device, no connection, or it broke off
    │   ├── TooSlow               the answer was not complete in time
    │   ├── AnswerTooLarge        header or body over the limit
    │   ├── BadAnswer             endless redirects, a bad certificate, or not what was asked for
    │   ├── SearchFailed          the browser failed, or the page description does not fit the page
    │   └── DuplicatePicture      the subject has this very picture already
    ├── ProtocolMismatch          two evaluations that were measured by different rules
    ├── OutputError               a result cannot be written: disk full, no permission
    ├── TrainingError             a training cannot begin or go on; what it had reached is kept
    │   ├── NotEnoughSamples      a split or class without the samples that training needs
    │   ├── NotCutOut             rows of faces inside pictures, where whole pictures are seen
    │   ├── UndeclaredLabel       a label that was not declared
    │   ├── Diverged              the loss became NaN or infinite; the best weights are kept
    │   ├── CheckpointMismatch    a run folder of other settings or data
    │   ├── ExportMismatch        the ONNX file answers otherwise than the network
    │   ├── WeightsMismatch       a file of weights of another network
    │   └── WeightsUnavailable    pretrained weights that are neither cached nor given
    ├── CardMismatch              a model does not do what its card says
    ├── ModelRefused              a model file that is none, or whose graph no runtime is given
    └── InsufficientData          the data cannot support the figure asked for
"""

from __future__ import annotations

from typing import Any


class LineamentError(Exception):
    """Base of every error raised on purpose; ``str()`` of one says what to do next."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way to another process, also where ``__init__`` takes more than the message."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[LineamentError], args: tuple[Any, ...]) -> LineamentError:
    return kind.__new__(kind, *args)


class UsageError(LineamentError):
    """The call itself is wrong."""


class UnknownName(UsageError):
    """No detector, embedder, model or store of that name."""


class ConfigError(UsageError):
    """A setting is unknown or has the wrong type."""


class MissingExtra(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency: pip install 'lineament[{extra}]'")


class ModelMismatch(UsageError):
    """Embeddings of two different models were about to be compared."""


class WouldOverwrite(UsageError):
    """A result would take the place of an input, a gallery, or a file that this tool did not write."""


class InvalidArray(UsageError):
    """An array has the wrong shape or type, or holds NaN or infinity."""


class PictureError(LineamentError):
    """A picture is refused; the rest of the batch goes on."""


class PictureNotFound(PictureError):
    """There is nothing at that path."""


class PictureUnreadable(PictureError):
    """It is there, but cannot be read: permission, a failing disk, a file that was closed."""


class PictureOutside(PictureError):
    """A link leads out of the data set's folder: somebody else's data set shall not choose what is read."""


class NotAPicture(PictureError):
    """A folder, socket, device or terminal where a file or pipe is needed; None, an array, or the like."""


class EmptyPicture(PictureError):
    """The file has zero bytes."""


class UnsupportedFormat(PictureError):
    """The content is in no accepted format, whatever the file name says."""


class PictureTooLarge(PictureError):
    """More pixels or bytes than the limit; refused before decoding."""


class PictureTooSmall(PictureError):
    """A side is too short to hold a face."""


class PictureTooSlow(PictureError):
    """Decoding took longer than the limit, and was ended."""


class CorruptPicture(PictureError):
    """The file is truncated or damaged."""


class FaceError(LineamentError):
    """A picture was read, but its face cannot be used."""


class NoFaceFound(FaceError):
    """No face was found in the picture."""


class NoSuchFace(FaceError):
    """The face asked for, by its number or a point, is not in the picture."""


class SeveralFaces(FaceError):
    """Several faces where exactly one is needed."""


class LowQuality(FaceError):
    """The face is below the quality asked for."""


class WrongPose(FaceError):
    """The head is not held as it was asked to be."""


class FaceInPicture(FaceError):
    """There is a face in a picture that is to show none."""


class NoLandmarks(FaceError):
    """The detector gives no landmarks, so the face cannot be aligned and embedded."""


class AlreadyEnrolled(FaceError):
    """This very sample is in the gallery already."""


class FaceOfAnotherSubject(FaceError):
    """The face matches another ``subject`` of the gallery; with ``sample`` it is enrolled there itself."""

    def __init__(self, message: str, *, subject: str = "", sample: str = "") -> None:
        super().__init__(message)
        self.subject, self.sample = subject, sample


class DisputedFace(FaceError):
    """Somebody recorded that this face is not that subject."""


class GalleryError(LineamentError):
    """A gallery operation failed."""


class InvalidSubject(GalleryError):
    """A subject name that cannot be stored and shown exactly."""


class UnknownSubject(GalleryError):
    """The gallery holds no such subject."""


class SubjectExists(GalleryError):
    """The gallery holds a subject of that name already."""


class UnknownSample(GalleryError):
    """The gallery holds no such sample."""


class Conflict(GalleryError):
    """Somebody else wrote since it was decided what to write; nothing of it was written."""


class StoreError(GalleryError):
    """The store failed; nothing was half-written."""


class StoreVersionError(StoreError):
    """The store was written by a newer version of lineament."""


class AssetError(LineamentError):
    """A model file could not be had."""


class AssetUnavailable(AssetError):
    """No source could deliver the file."""


class DigestMismatch(AssetError):
    """The bytes delivered are not the pinned ones."""

    def __init__(
        self, what: str, expected: str, actual: str, advice: str = "the file was not kept"
    ) -> None:
        super().__init__(f"{what}: SHA-256 does not match: expected {expected}, got {actual}; {advice}")
        self.expected = expected
        self.actual = actual


class LicenceRefused(AssetError):
    """The licence was not accepted, or the policy forbids it."""


class BundleError(AssetError):
    """An offline bundle is damaged or hostile."""


class ManifestError(LineamentError):
    """A manifest cannot be read or written as asked."""


class SplitError(ManifestError):
    """A step was asked of the wrong split, or in an order that would leak."""


class CollectError(LineamentError):
    """A page or picture could not be gathered; the rest go on."""


class ForbiddenUrl(CollectError):
    """The URL is not http or https, holds a login, or leads to an address that is not public."""


class ForbiddenByRobots(CollectError):
    """The site's robots.txt asks programs to stay away from this URL."""


class HttpError(CollectError):
    """The server answered with an error status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ServerBusy(CollectError):
    """The server asked to come back later (429 or 503), and still did after waiting."""


class Unreachable(CollectError):
    """No such host or device, no connection, or the connection broke off."""


class TooSlow(CollectError):
    """The answer was not complete in time."""


class AnswerTooLarge(CollectError):
    """The header or the body of an answer is larger than the limit."""


class BadAnswer(CollectError):
    """The answer redirects without end, has a bad certificate, or is not what was asked for."""


class SearchFailed(CollectError):
    """The browser failed, or the page description does not fit the page."""


class DuplicatePicture(CollectError):
    """The subject has this very picture already."""


class LabelFileError(LineamentError):
    """A label file cannot be read or written as asked."""


class ArchiveRefused(LineamentError):
    """An archive is damaged or hostile; nothing of it was unpacked."""


class FolderRefused(LineamentError):
    """A folder holds more than is walked, or lies deeper; name a part of it."""


class AlbumError(LineamentError):
    """An album cannot be read, or is none."""


class UnknownReference(AlbumError):
    """The album holds no such cluster or face."""


class Contradiction(AlbumError):
    """What was asked contradicts what somebody decided before."""


class ProtocolMismatch(LineamentError):
    """Two evaluations were measured by different rules or on different data."""


class OutputError(LineamentError):
    """A result cannot be written (disk full, no permission); what was written before is whole."""


class TrainingError(LineamentError):
    """A training cannot begin or go on; what it had reached is kept."""


class NotEnoughSamples(TrainingError):
    """A split or a class lacks the samples that training needs."""


class NotCutOut(TrainingError):
    """Rows speak of faces inside their pictures, and the trainer sees pictures whole."""


class UndeclaredLabel(TrainingError):
    """A row has a label that was not declared."""


class Diverged(TrainingError):
    """The loss became NaN or infinite; the best weights so far are kept."""


class CheckpointMismatch(TrainingError):
    """The run folder holds a training with other settings or other data."""


class ExportMismatch(TrainingError):
    """The exported ONNX file answers otherwise than the network it came from."""


class WeightsUnavailable(TrainingError):
    """Pretrained weights are neither in the cache nor given as a file."""


class WeightsMismatch(TrainingError):
    """A file of weights belongs to another network, or is no file of weights."""


class CardMismatch(LineamentError):
    """A model does not do what its card says."""


class ModelRefused(LineamentError):
    """A model file that is none, or whose graph may loop, read other files or hold operators of its own."""


class InsufficientData(LineamentError):
    """The data cannot support the figure asked for."""
