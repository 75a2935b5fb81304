"""The collection of a key: its subjects and faces, ``/api/v1/recognition/subjects`` and ``/faces``."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from lineament.documents import Malformed, json_of
from lineament.errors import AlreadyEnrolled, LineamentError, SubjectExists, UnknownSample, UnknownSubject
from lineament.gallery import subjects as names
from lineament.gallery.enrolment import Allow, EnrolOutcome
from lineament.gallery.gallery import Gallery
from lineament.records import Record, RecordKind, Where
from lineament.service.asked import Asked, asked, subject_of
from lineament.service.compreface import queries
from lineament.service.compreface.answers import faces_of, image_id, only_face, sample_id
from lineament.service.compreface.queries import Query
from lineament.service.compreface.refusals import CompreFaceError, invalid, json_answer
from lineament.service.keys import Scope

router = APIRouter(prefix="/api/v1/recognition", include_in_schema=False)
Reading = Annotated[Asked, Depends(asked(Scope.READ))]
Enrolling = Annotated[Asked, Depends(asked(Scope.ENROL))]
Administering = Annotated[Asked, Depends(asked(Scope.ADMIN))]
SAMPLES = [RecordKind.SAMPLE]
_LONGEST = 50


class Announced:
    """Subjects that were added without a face: a gallery keeps none, so their names stay in memory."""

    def __init__(self) -> None:
        self._names: defaultdict[str | None, dict[str, None]] = defaultdict(dict)

    def of(self, gallery: str | None) -> dict[str, None]:
        """The names of one gallery, in the order in which they came."""
        return self._names[gallery]


def _announced(request: Asked) -> dict[str, None]:
    announced: Announced = request.request.app.state.announced
    return announced.of(request.actor.gallery)


@router.post("/subjects")
async def add_subject(request: Enrolling) -> Response:
    """Take note of a subject; its first face makes it."""
    name = _checked((await queries.document(request)).get("subject"))
    known = await request.in_gallery(lambda gallery: gallery.store.find_subject(name))
    if known is not None or name in _announced(request):
        raise SubjectExists(name)
    _announced(request)[name] = None
    return json_answer({"subject": name}, 201)


@router.get("/subjects")
async def list_subjects(request: Reading) -> Response:
    """All subjects."""
    found = [name for name, _ in await request.in_gallery(lambda gallery: gallery.subjects())]
    return json_answer({"subjects": [*found, *(name for name in _announced(request) if name not in found)]})


@router.put("/subjects/{subject}")
async def rename_subject(request: Administering, subject: str) -> Response:
    """Give a subject another name, or merge it into the one that has it."""
    old = subject_of(subject)
    new = _checked((await queries.document(request)).get("subject"))
    if old == new:
        return json_answer({"updated": False})
    announced = _announced(request)
    if old in announced:
        del announced[old]
        announced[new] = None
        return json_answer({"updated": True})

    def work(gallery: Gallery) -> None:
        if gallery.store.find_subject(new) is None:
            gallery.rename(old, new)
        else:
            gallery.merge(old, into=new)

    await _found(request, work, old)
    announced.pop(new, None)
    return json_answer({"updated": True})


@router.delete("/subjects/{subject}")
async def delete_subject(request: Administering, subject: str) -> Response:
    """Erase a subject and its faces."""
    name = subject_of(subject)
    if name in _announced(request):
        del _announced(request)[name]
    else:
        await _found(request, lambda gallery: gallery.remove(name), name)
    return json_answer({"subject": name})


@router.delete("/subjects")
async def delete_all_subjects(request: Administering) -> Response:
    """Erase everybody; the number of subjects."""
    announced = _announced(request)
    count = len(await request.in_gallery(_everybody)) + len(announced)
    announced.clear()
    return json_answer({"deleted": count})


@router.post("/faces")
async def add_face(request: Enrolling) -> Response:
    """Enrol the one face of a picture."""
    query = Query.of(request.request.scope["query_string"])
    name = query.subject
    names.require_valid(name)
    sent = await queries.pictures(request, "file")
    outcomes = await request.outcomes(sent, request.service.settings.recognising, digests=True)
    only_face(outcomes[0], query)
    [box] = faces_of(outcomes[0], Query({**query.values, "limit": "1"})).boxes
    centre = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
    # Upstream takes whatever holds one face; what the subject is not still stands.
    allow = [Allow.LOW_QUALITY, Allow.OTHER_SUBJECT]
    [done] = await request.in_gallery(lambda g: g.enrol(name, sent, face=centre, allow=allow), outcomes)
    sample = _sample_of(done)
    _announced(request).pop(name, None)
    return json_answer({"image_id": image_id(sample), "subject": name}, 201)


def _sample_of(done: EnrolOutcome) -> str:
    """The sample that a picture became, now or before; raises what refused it."""
    if done.sample is not None:
        return done.sample
    if isinstance(done.error, AlreadyEnrolled):
        return str(done.error).rpartition(" ")[2]
    assert isinstance(done.error, LineamentError)
    raise done.error


@router.get("/faces")
async def list_faces(request: Reading) -> Response:
    """One page of the enrolled faces."""
    query = Query.of(request.request.scope["query_string"])
    page, size = query.whole("page", 0), query.whole("size", 20, least=1)
    subject = query.values.get("subject")
    where = Where(kinds=SAMPLES, subjects=[subject] if subject else None)

    def work(gallery: Gallery) -> tuple[list[Record], int]:
        with gallery.store.snapshot():
            shown = gallery.store.read(where, limit=(page + 1) * size)
            return list(islice(shown, page * size, None)), gallery.store.count(where)

    found, total = await request.in_gallery(work)
    return json_answer(
        {
            "faces": [_face(record) for record in found],
            "page_number": page,
            "page_size": size,
            "total_pages": -(-total // size),
            "total_elements": total,
        }
    )


@router.get("/faces/{image}/img")
async def photo(request: Reading, image: str) -> Response:
    """Nothing: photos are not kept, and upstream answers so where they are not."""
    del request, image
    return Response(media_type="application/octet-stream")


@router.delete("/faces/{image}")
async def delete_face(request: Administering, image: str) -> Response:
    """Erase a face; with its last one a subject goes."""
    return json_answer(await request.in_gallery(lambda gallery: _erased(gallery, image)))


@router.post("/faces/delete")
async def delete_faces(request: Administering) -> Response:
    """Erase several faces; ids that are none are passed over."""
    try:
        given = json_of(await request.body(request.few_bytes), request.few_bytes)
    except Malformed:
        given = None
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise CompreFaceError(400, 0, "Something went wrong, please try again")

    def work(gallery: Gallery) -> list[dict[str, Any]]:
        done = []
        for one in given:
            try:
                done.append(_erased(gallery, one))
            except UnknownSample:
                continue
        return done

    return json_answer(await request.in_gallery(work))


@router.delete("/faces")
async def delete_all_faces(request: Administering) -> Response:
    """Erase the faces of a subject, or all; their number."""
    subject = Query.of(request.request.scope["query_string"]).values.get("subject")

    def work(gallery: Gallery) -> int:
        if not subject:
            return sum(_everybody(gallery))
        name = gallery.store.find_subject(subject)
        count = 0 if name is None else gallery.store.count(Where(kinds=SAMPLES, subjects=[name]))
        if name is not None:
            gallery.remove(name)
        return count

    return json_answer({"deleted": await request.in_gallery(work)})


def _everybody(gallery: Gallery) -> list[int]:
    """Erase every subject; the number of faces of each."""
    counts = []
    for name, samples in gallery.subjects():
        gallery.remove(name)
        counts.append(samples)
    return counts


def _erased(gallery: Gallery, image: str) -> dict[str, Any]:
    wanted = sample_id(image)
    record = next(iter(gallery.store.read(Where(kinds=SAMPLES, ids=[wanted]))), None)
    if record is None:
        raise UnknownSample(image)
    gallery.remove_sample(wanted)
    return _face(record)


def _face(record: Record) -> dict[str, Any]:
    return {"image_id": image_id(record.id), "subject": record.subject}


async def _found(request: Asked, work: Any, name: str) -> None:
    try:
        await request.in_gallery(work)
    except UnknownSubject:
        raise CompreFaceError(404, 42, f"Subject {name} not found") from None


def _checked(name: object) -> str:
    """A name as ``/subjects`` takes it; raises `CompreFaceError`."""
    if not isinstance(name, str) or not name.strip():
        raise invalid("Subject name is empty")
    if len(name) > _LONGEST:
        raise invalid(f"Subject name is longer than {_LONGEST}")
    if any(one in name for one in ";/\\"):
        raise CompreFaceError(400, 36, "Subject name contains one of ; / \\")
    names.require_valid(name)
    return name
